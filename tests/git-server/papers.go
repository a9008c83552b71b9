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

// papers are an authority, and what it has signed for the server and for a client.
type papers struct {
	server                                tls.Certificate
	pool                                  *x509.CertPool
	authorityPEM, clientPEM, clientKeyPEM string
}

func newPapers() *papers {
	key, authority := sign("an authority", nil, nil)
	serverKey, server := sign("localhost", authority, key)
	clientKey, client := sign("a client", authority, key)
	encoded, err := x509.MarshalPKCS8PrivateKey(clientKey)
	fail(err)
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	return &papers{
		server:       tls.Certificate{Certificate: [][]byte{server.Raw}, PrivateKey: serverKey},
		pool:         pool,
		authorityPEM: inPEM("CERTIFICATE", authority.Raw),
		clientPEM:    inPEM("CERTIFICATE", client.Raw),
		clientKeyPEM: inPEM("PRIVATE KEY", encoded),
	}
}

// sign makes a key and a certificate for it, which signs itself if there is no authority.
func sign(name string, authority *x509.Certificate, authorityKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	fail(err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
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
