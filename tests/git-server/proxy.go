package main

import (
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
		go func() {
			io.Copy(there, buffer)
			there.Close()
		}()
		io.Copy(here, there)
		here.Close()
	})))
}
