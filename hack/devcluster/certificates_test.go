// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"
)

func TestClientCertificateNamesTheUserAndTheGroups(t *testing.T) {
	ca := mustAuthority(t)
	pair, err := ca.client("alice", []string{"shop-owners", "auditors"})
	if err != nil {
		t.Fatal(err)
	}
	certificate := parse(t, pair)
	if certificate.Subject.CommonName != "alice" {
		t.Errorf("the user is %q, want alice", certificate.Subject.CommonName)
	}
	groups := slices.Sorted(slices.Values(certificate.Subject.Organization))
	if want := []string{"auditors", "shop-owners"}; !slices.Equal(groups, want) {
		t.Errorf("the groups are %q, want %q", groups, want)
	}
	if _, err := certificate.Verify(verification(ca, x509.ExtKeyUsageClientAuth)); err != nil {
		t.Errorf("the cluster's own authority does not accept the certificate: %v", err)
	}
}

func TestClientCertificateIsWorthNothingInAnotherCluster(t *testing.T) {
	pair, err := mustAuthority(t).client("admin", []string{"system:masters"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse(t, pair).Verify(verification(mustAuthority(t), x509.ExtKeyUsageClientAuth)); err == nil {
		t.Error("another cluster's authority accepts the certificate")
	}
}

func TestClientCertificateCannotServe(t *testing.T) {
	ca := mustAuthority(t)
	pair, err := ca.client("mallory", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse(t, pair).Verify(verification(ca, x509.ExtKeyUsageServerAuth)); err == nil {
		t.Error("a user's certificate is good for a server")
	}
}

func TestServingCertificateIsForTheNamesOfTheAPIServer(t *testing.T) {
	ca := mustAuthority(t)
	pair, err := ca.server()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{loopback, "localhost", serviceAddress, "kubernetes.default.svc"} {
		options := verification(ca, x509.ExtKeyUsageServerAuth)
		options.DNSName = name
		if _, err := parse(t, pair).Verify(options); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
}

func mustAuthority(t *testing.T) *authority {
	t.Helper()
	ca, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func parse(t *testing.T, pair keyPair) *x509.Certificate {
	t.Helper()
	if _, err := tls.X509KeyPair(pair.certificate, pair.key); err != nil {
		t.Fatalf("the certificate and the key do not belong together: %v", err)
	}
	block, _ := pem.Decode(pair.certificate)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func verification(ca *authority, usage x509.ExtKeyUsage) x509.VerifyOptions {
	roots := x509.NewCertPool()
	roots.AddCert(ca.certificate)
	return x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}}
}
