// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oidc_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// startPatience is how long the provider may take to say where it is.
const startPatience = time.Minute

// registration is a client of the provider, in the words of OpenID Connect Dynamic Client Registration.
type registration struct {
	ID           string   `json:"client_id"`
	Secret       string   `json:"client_secret"`
	RedirectURIs []string `json:"redirect_uris"`
	GrantTypes   []string `json:"grant_types"`
}

// register is a client that gets refresh tokens too.
func register(id, callback string) registration {
	return registration{ID: id, Secret: rand.Text() + rand.Text(), RedirectURIs: []string{callback}, GrantTypes: []string{"authorization_code", "refresh_token"}}
}

// provider is the process of an OpenID provider.
type provider struct {
	issuer string
	// authority is the file of its certificate, which has signed itself.
	authority string
	trust     *x509.CertPool
}

// people are those who can sign in at the provider, and their groups.
var people = map[string][]string{"alice": {"shop-owners", "reviewers"}, "mallory": {}}

// startProvider runs until the test ends.
func startProvider(ctx context.Context, t *testing.T, clients ...registration) *provider {
	t.Helper()
	install(ctx, t)
	p := &provider{trust: x509.NewCertPool()}
	certificate, key := writeCertificate(t)
	p.authority = certificate
	content, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	p.trust.AppendCertsFromPEM(content)
	signer, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(map[string]any{
		"cert": certificate, "key": key, "clients": clients, "people": people,
		"keys": []jose.JSONWebKey{{Key: signer, KeyID: "first", Use: "sig", Algorithm: string(jose.RS256)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	process := exec.Command("node", "provider.js", string(settings)) // its input's end ends it: ctx may be over before the test is
	process.Stderr = &said
	input, inputErr := process.StdinPipe()
	output, outputErr := process.StdoutPipe()
	if err := errors.Join(inputErr, outputErr, process.Start()); err != nil {
		t.Fatalf("starting the provider: %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(input.Close(), process.Wait()); err != nil {
			t.Errorf("the provider has ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the provider has said:\n%s", said.String())
		}
	})
	late := time.AfterFunc(startPatience, func() { _ = process.Process.Kill() })
	line, err := bufio.NewReader(output).ReadBytes('\n')
	late.Stop()
	if err != nil {
		t.Fatalf("the provider does not serve within %s: %v", startPatience, err)
	}
	var where struct{ Issuer string }
	if err := json.Unmarshal(line, &where); err != nil {
		t.Fatal(err)
	}
	p.issuer = where.Issuer
	return p
}

// install gets the provider's packages, as the lock names them, unless they are there.
func install(ctx context.Context, t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join("node_modules", "oidc-provider", "package.json")); err == nil {
		return
	}
	if output, err := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		t.Fatalf("this suite needs node and npm, of Node.js 20 or later: npm ci: %v\n%s", err, output)
	}
}

// writeCertificate makes one that exists nowhere else, for this machine.
func writeCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "provider"}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "provider.crt"), filepath.Join(dir, "provider.key")
	if err := errors.Join(
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return certificate, key
}
