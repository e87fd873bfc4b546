// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/assent-dev/assent/internal/dashboard/session"
)

// oidc is the provider that people sign in at.
func (o *Options) oidc() (*session.OIDC, error) {
	provider := &session.OIDC{
		Name: o.OIDCName, Issuer: o.OIDCIssuer, ClientID: o.OIDCClientID, Callback: o.external.String() + "/sign-in/callback", Scopes: words(o.OIDCScopes), Prompt: o.OIDCPrompt,
	}
	if o.OIDCClientSecretFile != "" {
		secret, err := os.ReadFile(o.OIDCClientSecretFile)
		if err != nil {
			return nil, fmt.Errorf("--oidc-client-secret-file: %w", err)
		}
		provider.ClientSecret = strings.TrimSpace(string(secret))
	}
	if o.OIDCCAFile == "" {
		return provider, nil
	}
	certificates, err := os.ReadFile(o.OIDCCAFile)
	if err != nil {
		return nil, fmt.Errorf("--oidc-ca-file: %w", err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(certificates) {
		return nil, fmt.Errorf("--oidc-ca-file: %q has no certificate in PEM", o.OIDCCAFile)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	provider.Transport = transport
	return provider, nil
}
