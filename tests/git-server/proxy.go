package main

import (
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
)

// serveProxy connects to whatever is wanted, for those who may.
func (s *server) serveProxy(listener net.Listener) {
	fail(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login := s.rules().Proxy
		given := r.Header.Get("Proxy-Authorization")
		if login != "" && given != "Basic "+base64.StdEncoding.EncodeToString([]byte(login)) {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		s.note("CONNECT", given, 0)
		there, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, buffer, err := w.(http.Hijacker).Hijack()
		fail(err)
		io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		pass(here, buffer, there)
	})))
}

// serveRelay passes on what comes over TLS, to somebody who speaks without.
func (s *server) serveRelay(listener net.Listener, papers *papers) {
	secure := tls.NewListener(listener, papers.config(s))
	for {
		here, err := secure.Accept()
		fail(err)
		go func() {
			there, err := net.Dial("tcp", s.rules().Relay)
			if err != nil {
				here.Close()
				return
			}
			pass(here, here, there)
		}()
	}
}

// pass passes on what either side says, until one of them ends it.
func pass(here net.Conn, from io.Reader, there net.Conn) {
	go func() {
		io.Copy(there, from)
		there.Close()
	}()
	io.Copy(here, there)
	here.Close()
}
