package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"io"

	"golang.org/x/crypto/ssh"
)

// giveSSHKey makes a key as ssh-keygen does.
func giveSSHKey(w io.Writer, kind, passphrase string) {
	var key crypto.Signer
	var err error
	switch kind {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	}
	fail(err)
	signer, err := ssh.NewSignerFromSigner(key)
	fail(err)
	block, err := ssh.MarshalPrivateKey(key, "a comment")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "a comment", []byte(passphrase))
	}
	fail(err)
	fail(json.NewEncoder(w).Encode(map[string]string{
		"private": string(pem.EncodeToMemory(block)),
		"public":  string(ssh.MarshalAuthorizedKey(signer.PublicKey())),
	}))
}
