package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// giveKey makes the app's key.
func (s *server) giveKey(w http.ResponseWriter) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	fail(err)
	s.app = key
	io.WriteString(w, inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)))
}

// giveToken gives an app the token of server.json, if it has signed with its key.
func (s *server) giveToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/api/app/installations/2/access_tokens" {
		http.NotFound(w, r)
		return
	}
	if err := s.verify(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusCreated)
	expires := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	json.NewEncoder(w).Encode(map[string]string{"token": s.rules().Token, "expires_at": expires})
}

func (s *server) verify(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errors.New("no token")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&s.app.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
		return err
	}
	var header struct{ Alg string }
	var claims struct {
		Iat, Exp int64
		Iss      string
	}
	for i, into := range []any{&header, &claims} {
		part, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(part, into)
		}
		if err != nil {
			return err
		}
	}
	now := time.Now().Unix()
	if header.Alg != "RS256" || claims.Iss != "1" || claims.Iat > now || claims.Exp < now || claims.Exp > now+600 {
		return errors.New("claims that don't hold")
	}
	return nil
}
