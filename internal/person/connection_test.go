// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/person"
)

// operatorsOwn is a configuration with every kind of credentials, as the process that makes connections for others may have it.
func operatorsOwn(host string) *rest.Config {
	return &rest.Config{
		Host: host, BearerToken: "of-the-process", Username: "process", Password: "secret", UserAgent: "a-test",
		Impersonate: rest.ImpersonationConfig{UserName: "system:admin", Groups: []string{"system:masters"}},
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				r.Header.Set("Authorization", "Bearer of-the-wrapper")
				return next.RoundTrip(r)
			})
		},
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAConnectionHasItsTokenAndNoOtherIdentity(t *testing.T) {
	var sent http.Header
	var certificates int
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, certificates = r.Header, len(r.TLS.PeerCertificates)
		w.WriteHeader(http.StatusNotFound)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	config := operatorsOwn(server.URL)
	config.Insecure = true
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	config.CertData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	config.KeyData = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	connector, err := person.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := connector.As("of-alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := connection.Get(t.Context(), client.ObjectKey{Name: "shop"}, &corev1.Namespace{}); err == nil {
		t.Fatal("nothing was asked")
	}
	if got := sent["Authorization"]; len(got) != 1 || got[0] != "Bearer of-alice" {
		t.Errorf("it says who it is by %q", got)
	}
	for header := range sent {
		if strings.HasPrefix(header, "Impersonate") {
			t.Errorf("it impersonates: %s", header)
		}
	}
	if certificates != 0 {
		t.Error("it has shown a certificate")
	}
	if agent := sent.Get("User-Agent"); agent != "a-test" {
		t.Errorf("its user agent is %q", agent)
	}
	if connection.Config.BearerToken != "of-alice" || connection.Config.Username != "" || connection.Config.WrapTransport != nil {
		t.Errorf("its configuration is %+v", connection.Config)
	}
}

func TestWithoutATokenThereIsNoConnection(t *testing.T) {
	connector, err := person.NewConnector(operatorsOwn("https://api.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if connection, err := connector.As(""); !errors.Is(err, person.ErrNobody) || connection.WithWatch != nil || connection.Config != nil {
		t.Errorf("connected as %+v: %v", connection, err)
	}
}
