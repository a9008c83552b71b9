package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/crypto/ssh/knownhosts"
)

func (s *server) serveHTTP(listener net.Listener) {
	fail(quiet(s).Serve(listener))
}

func (s *server) serveHTTPS(listener net.Listener, papers *papers) {
	secure := quiet(s)
	// So that each request shows the papers of its time.
	secure.SetKeepAlivesEnabled(false)
	fail(secure.Serve(tls.NewListener(listener, papers.config(s))))
}

// quiet is a server that doesn't tell of clients who mistrust it.
func quiet(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rules := s.rules()
	authorization := r.Header.Get("Authorization")
	counted := &counter{ResponseWriter: w}
	switch {
	case r.URL.Path == "/asked":
		s.Lock()
		defer s.Unlock()
		json.NewEncoder(w).Encode(s.log)
		s.log = nil
		return
	case r.URL.Path == "/app-key":
		s.giveKey(w)
		return
	case r.URL.Path == "/ssh-key":
		giveSSHKey(w, r.FormValue("kind"), r.FormValue("passphrase"))
		return
	case r.URL.Path == "/hashed":
		io.WriteString(w, knownhosts.HashHostname(knownhosts.Normalize(r.FormValue("host"))))
		return
	case strings.HasPrefix(r.URL.Path, "/api/"):
		s.giveToken(counted, r)
	case rules.Status != 0:
		// Some servers repeat what they were sent.
		_, password, _ := r.BasicAuth()
		http.Error(counted, strings.TrimSpace("as it is told\nto answer "+r.Header.Get("Authorization")+" "+password), rules.Status)
	case rules.MovedTo != "" && r.Method == http.MethodGet:
		http.Redirect(counted, r, rules.MovedTo+r.URL.RequestURI(), http.StatusMovedPermanently)
	case !rules.allow(authorization):
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(counted, "who are you", http.StatusUnauthorized)
	case rules.ClientCertificate && (r.TLS == nil || len(r.TLS.VerifiedChains) == 0):
		http.Error(counted, "a certificate is wanted", http.StatusForbidden)
	case rules.ReadOnly && strings.Contains(r.URL.RequestURI(), "git-receive-pack"):
		http.Error(counted, "you may not push here", http.StatusForbidden)
	default:
		if rules.Version0 {
			r.Header.Del("Git-Protocol")
		}
		if r.Method == http.MethodPost {
			counted.cut, counted.garble = rules.Cut, rules.Garble
		}
		if rules.Drip {
			counted.drips = func() bool { return s.rules().Drip }
		}
		// Before what follows may panic to cut the connection.
		defer func() { s.note(r.Method+" "+r.URL.Path, authorization, counted.sent) }()
		s.git(counted, r)
		return
	}
	s.note(r.Method+" "+r.URL.Path, authorization, counted.sent)
}

func (r rules) allow(authorization string) bool {
	basic := func(user, password string) bool {
		scheme, login, _ := strings.Cut(authorization, " ")
		return strings.EqualFold(scheme, "Basic") && login == base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	switch {
	case r.Token != "":
		return authorization == "Bearer "+r.Token || basic("x-access-token", r.Token)
	case r.Username != "":
		return basic(r.Username, r.Password)
	}
	return true
}

func (s *server) git(w http.ResponseWriter, r *http.Request) {
	git, err := exec.LookPath("git")
	fail(err)
	handler := cgi.Handler{
		Path:       git,
		Args:       []string{"http-backend"},
		Env:        append(environment(s.root), "GIT_PROJECT_ROOT="+s.root, "GIT_HTTP_EXPORT_ALL=1"),
		InheritEnv: []string{"PATH"},
		Stderr:     io.Discard,
	}
	handler.ServeHTTP(w, r)
}

// environment is that of a git that reads nobody's configuration.
func environment(root string) []string {
	return []string{"HOME=" + root, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_COUNT=3",
		"GIT_CONFIG_KEY_0=uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_0=true",
		"GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*",
		"GIT_CONFIG_KEY_2=http.receivepack", "GIT_CONFIG_VALUE_2=true"}
}

// counter counts the bytes of an answer, and spoils it where that is wanted.
type counter struct {
	http.ResponseWriter
	sent, cut, garble int64
	drips             func() bool
}

func (c *counter) Write(bytes []byte) (int, error) {
	if at := c.garble - 1 - c.sent; at >= 0 && at < int64(len(bytes)) {
		bytes = append([]byte{}, bytes...)
		bytes[at] ^= 1
	}
	if c.cut > 0 && c.sent+int64(len(bytes)) > c.cut {
		c.pass(bytes[:c.cut-c.sent])
		panic(http.ErrAbortHandler)
	}
	all := len(bytes)
	for ; c.drips != nil && len(bytes) > 1 && c.drips(); bytes = bytes[1:] {
		if err := c.pass(bytes[:1]); err != nil {
			return all - len(bytes), err
		}
		time.Sleep(100 * time.Millisecond)
	}
	n, err := c.ResponseWriter.Write(bytes)
	c.sent += int64(n)
	return all - len(bytes) + n, err
}

// pass sends bytes at once.
func (c *counter) pass(bytes []byte) error {
	n, err := c.ResponseWriter.Write(bytes)
	c.sent += int64(n)
	c.ResponseWriter.(http.Flusher).Flush()
	return err
}
