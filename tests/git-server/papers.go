package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// papers are an authority, and what it has signed for the server and for a client; and another authority, with what that has signed.
type papers struct {
	server                                                  map[string]*tls.Certificate // by what server.json says
	pool                                                    *x509.CertPool
	authorityPEM, nextAuthorityPEM, clientPEM, clientKeyPEM string
}

func newPapers() *papers {
	key, authority := sign("an authority", nil, nil, day)
	nextKey, next := sign("the next authority", nil, nil, day)
	serverKey, server := sign("localhost", authority, key, day)
	expiredKey, expired := sign("localhost", authority, key, -time.Minute)
	nextServerKey, nextServer := sign("localhost", next, nextKey, day)
	clientKey, client := sign("a client", authority, key, day)
	encoded, err := x509.MarshalPKCS8PrivateKey(clientKey)
	fail(err)
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	return &papers{
		server: map[string]*tls.Certificate{
			"":        {Certificate: [][]byte{server.Raw}, PrivateKey: serverKey},
			"expired": {Certificate: [][]byte{expired.Raw}, PrivateKey: expiredKey},
			"next":    {Certificate: [][]byte{nextServer.Raw}, PrivateKey: nextServerKey},
		},
		pool:             pool,
		authorityPEM:     inPEM("CERTIFICATE", authority.Raw),
		nextAuthorityPEM: inPEM("CERTIFICATE", next.Raw),
		clientPEM:        inPEM("CERTIFICATE", client.Raw),
		clientKeyPEM:     inPEM("PRIVATE KEY", encoded),
	}
}

const day = 24 * time.Hour

// config shows what the rules say at that moment.
func (p *papers) config(s *server) *tls.Config {
	current := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.server[s.rules().Papers], nil }
	// Who comes again shall look at the certificate again.
	return &tls.Config{GetCertificate: current, SessionTicketsDisabled: true, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: p.pool}
}

// sign makes a key and a certificate for it, which signs itself if there is no authority, and is valid for so long.
func sign(name string, authority *x509.Certificate, authorityKey *ecdsa.PrivateKey, lasts time.Duration) (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	fail(err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lasts),
		BasicConstraintsValid: true, IsCA: authority == nil,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if authority == nil {
		authority, authorityKey = template, key
	} else {
		template.KeyUsage = x509.KeyUsageDigitalSignature
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, &key.PublicKey, authorityKey)
	fail(err)
	certificate, err := x509.ParseCertificate(der)
	fail(err)
	return key, certificate
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
