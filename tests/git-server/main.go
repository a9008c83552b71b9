// A git server for tests, on the loopback address: HTTP, HTTPS with an authority of its own, SSH, a proxy, and as much of
// GitHub's API as gives tokens. `git http-backend`, `git upload-pack` and `git receive-pack` do git's part.
//
// It serves the directory that it is given. What is asked of whom stands in server.json there, which is read for each request.
// One line of JSON on standard output says where it listens; it ends when its standard input does.
package main

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// rules is what server.json says.
type rules struct {
	Username, Password string // for basic authentication
	Token              string // for a bearer, or the password of x-access-token
	Cut                int64  // after so many bytes of a pack the connection ends
	Garble             int64  // the byte of a pack that is sent as another one, from 1
	Drip               bool   // answers are sent byte by byte, for as long as it says so
	Version0           bool   // as a server that knows no other
	ClientCertificate  bool   // which HTTPS asks for
	MovedTo            string // where GET is redirected to
	Status             int    // of every answer
	ReadOnly           bool   // nobody may push
	Proxy              string // the login of the proxy, user:password
	Papers             string // "expired", or "next" for those of another authority
	Relay              string // where what comes over TLS is passed on to
}

// asked is one request that was answered.
type asked struct {
	What, Authorization string
	Sent                int64
}

type server struct {
	root string
	sync.Mutex
	log []asked
	app *rsa.PrivateKey // of a GitHub App
}

func (s *server) rules() (r rules) {
	text, err := os.ReadFile(filepath.Join(s.root, "server.json"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil && !os.IsNotExist(err) {
		fail(err)
	}
	return r
}

func (s *server) note(what, authorization string, sent int64) {
	s.Lock()
	defer s.Unlock()
	s.log = append(s.log, asked{what, authorization, sent})
}

func listen(address string) net.Listener {
	listener, err := net.Listen("tcp", address)
	fail(err)
	return listener
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	s := &server{root: os.Args[1]}
	// The port of HTTP may be given, for a server that comes back.
	address := "127.0.0.1:0"
	if len(os.Args) > 2 {
		address = os.Args[2]
	}
	local := func() net.Listener { return listen("127.0.0.1:0") }
	web, secure, shell, proxy, relay := listen(address), local(), local(), local(), local()
	papers := newPapers()
	go s.serveHTTP(web)
	go s.serveHTTPS(secure, papers)
	go s.serveSSH(shell)
	go s.serveProxy(proxy)
	go s.serveRelay(relay, papers)
	fail(json.NewEncoder(os.Stdout).Encode(map[string]string{
		"http": web.Addr().String(), "https": secure.Addr().String(), "ssh": shell.Addr().String(), "proxy": proxy.Addr().String(),
		"relay": relay.Addr().String(), "authority": papers.authorityPEM, "next_authority": papers.nextAuthorityPEM, "certificate": papers.clientPEM, "key": papers.clientKeyPEM,
	}))
	io.Copy(io.Discard, os.Stdin)
}
