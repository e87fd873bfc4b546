// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"flag"
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
)

// Options of the dashboard, as its flags set them.
type Options struct {
	// Address that it listens at.
	Address string
	// ExternalURL is where browsers find it, such as https://assent.example.com/delivery; its path is the base of all pages.
	ExternalURL string
	// CertificateFile and KeyFile are for TLS; without them something in front of it has to do that.
	CertificateFile, KeyFile string
	// CookieKeyFile holds the keys that sessions are encrypted with, one of 32 bytes in base64 for each line; the first one encrypts.
	CookieKeyFile string
	// SignIn are the ways to sign in, separated by commas: oidc, token.
	SignIn string
	// OIDCIssuer, OIDCClientID, OIDCClientSecretFile, OIDCScopes, OIDCName and OIDCCAFile are those of the provider that the API server trusts, too.
	OIDCIssuer, OIDCClientID, OIDCClientSecretFile, OIDCScopes, OIDCName, OIDCCAFile string
	// OIDCPrompt is sent to the provider: some give a refresh token only with consent.
	OIDCPrompt string
	// Projects are shown to whoever may read them, separated by commas: who may not list across projects sees these, and what they have asked for by name.
	Projects string
	// LogFormat is json or text, LogLevel debug, info, warn or error.
	LogFormat, LogLevel string
	// external is ExternalURL, once it was validated.
	external *url.URL
}

// BindFlags binds the options to flags, with their defaults.
func (o *Options) BindFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.Address, "bind-address", "127.0.0.1:8090", "address that it listens at")
	flags.StringVar(&o.ExternalURL, "external-url", "", "where browsers find it, with the path that it stands under, such as https://assent.example.com/delivery (default: http:// and --bind-address)")
	flags.StringVar(&o.CertificateFile, "tls-cert-file", "", "certificate for TLS; without one, what stands before it has to do TLS")
	flags.StringVar(&o.KeyFile, "tls-private-key-file", "", "key of that certificate")
	flags.StringVar(&o.CookieKeyFile, "cookie-key-file", "", "keys that sessions are encrypted with: lines of 32 bytes in base64, of which the first one encrypts (default: one made at the start, so that a restart signs everybody out)")
	flags.StringVar(&o.SignIn, "sign-in", "", "how people sign in, separated by commas: oidc, token (default: oidc where --oidc-issuer-url is given, else token)")
	flags.StringVar(&o.OIDCIssuer, "oidc-issuer-url", "", "issuer that the API server trusts, too")
	flags.StringVar(&o.OIDCClientID, "oidc-client-id", "", "client of that issuer; the API server has to take tokens for it")
	flags.StringVar(&o.OIDCClientSecretFile, "oidc-client-secret-file", "", "file with the client's secret; none for a public client")
	flags.StringVar(&o.OIDCScopes, "oidc-scopes", "", "scopes to ask for beside openid, separated by commas (default: those of profile, email, groups and offline_access that the provider has)")
	flags.StringVar(&o.OIDCPrompt, "oidc-prompt", "", "sent to the provider as `prompt`: some give a refresh token only with consent (default: nothing is sent)")
	flags.StringVar(&o.OIDCName, "oidc-name", "", "name of the provider on the page (default: its host)")
	flags.StringVar(&o.OIDCCAFile, "oidc-ca-file", "", "certificates to trust the issuer by (default: those of the system)")
	flags.StringVar(&o.Projects, "projects", "", "projects to offer to those who may not list across all of them, separated by commas")
	flags.StringVar(&o.LogFormat, "log-format", "json", "json or text")
	flags.StringVar(&o.LogLevel, "log-level", "info", "debug, info, warn or error")
}

// Validate says which flag is wrong, and what it may be.
func (o *Options) Validate() error {
	if o.ExternalURL == "" {
		o.ExternalURL = "http://" + o.Address
		if o.CertificateFile != "" {
			o.ExternalURL = "https://" + o.Address
		}
	}
	external, err := url.Parse(o.ExternalURL)
	switch {
	case err != nil || (external.Scheme != "http" && external.Scheme != "https") || external.Host == "" || external.RawQuery != "" || external.Fragment != "" || external.User != nil:
		return fmt.Errorf("--external-url must be http or https with a host and perhaps a path, such as https://assent.example.com/delivery, not %q", o.ExternalURL)
	case external.Path != "" && path.Clean(external.Path) != strings.TrimSuffix(external.Path, "/"):
		return fmt.Errorf("--external-url must have a plain path, not %q", external.Path)
	case external.Scheme == "http" && !loopback(external.Hostname()):
		return fmt.Errorf("--external-url must be https: whoever can listen on the way takes over sessions; http is for this machine alone, not for %q", external.Host)
	case (o.CertificateFile == "") != (o.KeyFile == ""):
		return fmt.Errorf("--tls-cert-file and --tls-private-key-file must be given together")
	case o.LogFormat != "json" && o.LogFormat != "text":
		return fmt.Errorf("--log-format must be json or text, not %q", o.LogFormat)
	}
	external.Path = strings.TrimSuffix(external.Path, "/")
	o.external = external
	return o.validateSignIn()
}

func (o *Options) validateSignIn() error {
	if o.SignIn == "" {
		o.SignIn = signInByToken
		if o.OIDCIssuer != "" {
			o.SignIn = signInByOIDC
		}
	}
	for _, way := range words(o.SignIn) {
		switch {
		case way != signInByOIDC && way != signInByToken:
			return fmt.Errorf("--sign-in must be oidc, token or both, not %q", way)
		case way == signInByOIDC && (o.OIDCIssuer == "" || o.OIDCClientID == ""):
			return fmt.Errorf("--sign-in=oidc needs --oidc-issuer-url and --oidc-client-id")
		}
	}
	return nil
}

// The ways to sign in.
const (
	signInByOIDC  = "oidc"
	signInByToken = "token"
)

func (o *Options) base() string { return o.external.Path }

func loopback(host string) bool {
	address := net.ParseIP(host)
	return host == "localhost" || (address != nil && address.IsLoopback())
}

// words of a list that commas separate.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
