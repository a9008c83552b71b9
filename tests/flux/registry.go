package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// The login that every registry knows that wants one, and the token that stands for it.
const username, password, identity, token = "me", "hunter-of-a:registry", "hunter-of-identity", "hunter-of-token"

// serve starts a registry for each way in which they behave.
func serve() {
	plain := func(handler http.Handler) string {
		listener := listen()
		go http.Serve(listener, handler)
		return listener.Addr().String()
	}
	certificate, authority := papers()
	secure := listen()
	go http.Serve(tls.NewListener(secure, &tls.Config{Certificates: []tls.Certificate{certificate}}), images())
	where := map[string]string{
		"open":      plain(images()),
		"basic":     plain(basic(images())),
		"token":     plain(bearer(images())),
		"broken":    plain(broken(images())),
		"busy":      plain(busy(images())),
		"readOnly":  plain(readOnly(images())),
		"tls":       secure.Addr().String(),
		"authority": authority,
	}
	fail(json.NewEncoder(os.Stdout).Encode(where))
	io.Copy(io.Discard, os.Stdin)
}

func images() http.Handler {
	return registry.New(registry.Logger(log.New(io.Discard, "", 0)))
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	return listener
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors": [{"code": %q, "message": %q}]}`, code, message)
}

// basic wants the login with each request.
func basic(images http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, word, _ := r.BasicAuth(); user != username || word != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="tests"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			return
		}
		images.ServeHTTP(w, r)
	})
}

// bearer wants a token, which it gives out for the login, to push to this repository.
func bearer(images http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			user, word, _ := r.BasicAuth()
			isKnown := user == username && word == password
			if r.Method == http.MethodPost {
				isKnown = r.FormValue("grant_type") == "refresh_token" && r.FormValue("refresh_token") == identity
			}
			isMeant := r.FormValue("service") == "tests" && r.FormValue("scope") == "repository:org/fleet:pull,push"
			if !isKnown || !isMeant {
				refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
				return
			}
			name := "token"
			if r.Method == http.MethodPost {
				name = "access_token"
			}
			json.NewEncoder(w).Encode(map[string]string{name: token})
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="tests",scope="x"`, r.Host))
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			return
		}
		images.ServeHTTP(w, r)
	})
}

// broken hangs up in the midst of the first upload.
func broken(images http.Handler) http.Handler {
	var uploads atomic.Int32
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/") && uploads.Add(1) == 1 {
			io.CopyN(io.Discard, r.Body, 10)
			panic(http.ErrAbortHandler)
		}
		images.ServeHTTP(w, r)
	})
}

// busy wants to be left alone at first.
func busy(images http.Handler) http.Handler {
	var asked atomic.Int32
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= 2 {
			w.Header().Set("Retry-After", "0")
			refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "later")
			return
		}
		images.ServeHTTP(w, r)
	})
}

// readOnly takes nothing.
func readOnly(images http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			refuse(w, http.StatusForbidden, "DENIED", "this is a mirror")
			return
		}
		images.ServeHTTP(w, r)
	})
}

// papers are a certificate for the loopback address, and the authority that vouches for it, in PEM.
func papers() (tls.Certificate, string) {
	sign := func(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		fail(err)
		if parentKey == nil {
			parentKey = key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		fail(err)
		return der, key
	}
	since, until := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: since, NotAfter: until, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authorityDER, authorityKey := sign(authority, authority, nil)
	own := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: since, NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, key := sign(own, authority, authorityKey)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(text)
}
