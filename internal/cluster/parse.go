// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"k8s.io/client-go/rest"
	kubeconfig "k8s.io/client-go/tools/clientcmd/api/v1"
	certutil "k8s.io/client-go/util/cert"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// MaxKubeconfigBytes bounds a kubeconfig.
const MaxKubeconfigBytes = 64 << 10

// remedy makes of any kubeconfig one that holds what is needed, and no more.
const remedy = "`kubectl config view --raw --minify --flatten` writes one that can be used"

// Connection is what a kubeconfig says.
type Connection struct {
	// Config connects as the kubeconfig's user. It has no rate limit, as the operator has none: the API server's own fairness decides.
	Config *rest.Config
	// Digest is of where and how the cluster is reached: server, certificate authority, TLS server name, and whether TLS is verified. The credentials
	// are no part of it, so that a new token changes nothing for those who approved.
	Digest v1alpha1.Digest
	// identity tells connections with other credentials apart. It stays in memory.
	identity [sha256.Size]byte
}

// Parse reads a kubeconfig, and refuses what a kubeconfig that somebody else wrote must not do here: run programs, read files, impersonate,
// go through a proxy, or leave out TLS. The target says whose kubeconfig it is, for the message, and whether TLS must be verified.
// Every error is an [*Error] of reason InvalidKubeconfig.
func Parse(content []byte, target v1alpha1.TargetCluster) (*Connection, error) {
	connection, err := parse(content, target.TLSVerification)
	if err != nil {
		return nil, &Error{Reason: InvalidKubeconfig, Message: fmt.Sprintf("the kubeconfig in key %q of secret %q %v",
			target.Kubeconfig.Key, target.Kubeconfig.Name, err)}
	}
	return connection, nil
}

// parse returns errors that follow the words "the kubeconfig", and show no value of it.
func parse(content []byte, verification v1alpha1.TLSVerification) (*Connection, error) {
	config, err := decode(content)
	if err != nil {
		return nil, err
	}
	if err := single(config); err != nil {
		return nil, err
	}
	cluster, user := config.Clusters[0].Cluster, config.AuthInfos[0].AuthInfo
	for _, check := range []func() error{
		func() error { return refused(clusterRefusals(cluster)) },
		func() error { return refused(userRefusals(user)) },
		func() error { return checkTLS(cluster, verification) },
		func() error { return checkCredentials(user) },
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	server, err := serverOf(cluster.Server)
	if err != nil {
		return nil, err
	}
	return connect(server, cluster, user)
}

func connect(server string, cluster kubeconfig.Cluster, user kubeconfig.AuthInfo) (*Connection, error) {
	authorities, err := authoritiesOf(cluster)
	if err != nil {
		return nil, err
	}
	place, err := json.Marshal(struct {
		Server, TLSServerName string
		Authorities           [][]byte
		Insecure              bool
	}{server, cluster.TLSServerName, authorities, cluster.InsecureSkipTLSVerify})
	if err != nil {
		return nil, fmt.Errorf("cannot be encoded: %s", remedy) // not of strings and bytes
	}
	token := strings.TrimSpace(user.Token)
	secret, err := json.Marshal([][]byte{place, cluster.CertificateAuthorityData, []byte(token), user.ClientCertificateData, user.ClientKeyData})
	if err != nil {
		return nil, fmt.Errorf("cannot be encoded: %s", remedy)
	}
	digest := sha256.Sum256(place)
	return &Connection{
		Digest:   v1alpha1.Digest("sha256:" + hex.EncodeToString(digest[:])),
		identity: sha256.Sum256(secret),
		Config: &rest.Config{
			Host: server, BearerToken: token, UserAgent: rest.DefaultKubernetesUserAgent(), QPS: -1,
			TLSClientConfig: rest.TLSClientConfig{
				Insecure: cluster.InsecureSkipTLSVerify, ServerName: cluster.TLSServerName,
				CAData: cluster.CertificateAuthorityData, CertData: user.ClientCertificateData, KeyData: user.ClientKeyData,
			},
		},
	}, nil
}

// single sees to it that there is one way to read the kubeconfig, and that the Secret holds no credentials that are not used.
func single(config *kubeconfig.Config) error {
	for _, list := range []struct {
		name  string
		count int
	}{{"contexts", len(config.Contexts)}, {"clusters", len(config.Clusters)}, {"users", len(config.AuthInfos)}} {
		if list.count != 1 {
			return fmt.Errorf("must have exactly one entry in `%s`, and has %d: %s", list.name, list.count, remedy)
		}
	}
	context := config.Contexts[0]
	switch {
	case config.CurrentContext == "":
		return fmt.Errorf("must name its context in `current-context`: %s", remedy)
	case config.CurrentContext != context.Name:
		return fmt.Errorf("has a `current-context` that is not in `contexts`: %s", remedy)
	case context.Context.Cluster != config.Clusters[0].Name:
		return fmt.Errorf("has a `contexts[0].context.cluster` that is not in `clusters`: %s", remedy)
	case context.Context.AuthInfo != config.AuthInfos[0].Name:
		return fmt.Errorf("has a `contexts[0].context.user` that is not in `users`: %s", remedy)
	}
	return nil
}

// refusal is a field that must not be set.
type refusal struct {
	isSet  bool
	field  string
	remedy string
}

func refused(refusals []refusal) error {
	for _, one := range refusals {
		if one.isSet {
			return fmt.Errorf("must not have `%s`: %s", one.field, one.remedy)
		}
	}
	return nil
}

func clusterRefusals(cluster kubeconfig.Cluster) []refusal {
	return []refusal{
		{cluster.CertificateAuthority != "", "clusters[0].cluster.certificate-authority", "the operator reads no files; use `certificate-authority-data`"},
		{cluster.ProxyURL != "", "clusters[0].cluster.proxy-url", "leave it out; a proxy is for the administrator to set, in the operator's environment (HTTPS_PROXY)"},
	}
}

func userRefusals(user kubeconfig.AuthInfo) []refusal {
	const (
		noFiles         = "the operator reads no files; use `%s`"
		noPrograms      = "the operator runs no programs; use the `token` of a service account"
		noImpersonation = "the operator impersonates the deployer itself; leave it out"
		noPasswords     = "Kubernetes accepts no passwords; use the `token` of a service account" //nolint:gosec // it is none
	)
	path := func(name string) string { return "users[0].user." + name }
	return []refusal{
		{user.Exec != nil, path("exec"), noPrograms},
		{user.AuthProvider != nil, path("auth-provider"), noPrograms},
		{user.ClientCertificate != "", path("client-certificate"), fmt.Sprintf(noFiles, "client-certificate-data")},
		{user.ClientKey != "", path("client-key"), fmt.Sprintf(noFiles, "client-key-data")},
		{user.TokenFile != "", path("tokenFile"), fmt.Sprintf(noFiles, "token")},
		{user.Impersonate != "", path("as"), noImpersonation},
		{user.ImpersonateUID != "", path("as-uid"), noImpersonation},
		{len(user.ImpersonateGroups) > 0, path("as-groups"), noImpersonation},
		{len(user.ImpersonateUserExtra) > 0, path("as-user-extra"), noImpersonation},
		{user.Username != "", path("username"), noPasswords},
		{user.Password != "", path("password"), noPasswords},
	}
}

func checkTLS(cluster kubeconfig.Cluster, verification v1alpha1.TLSVerification) error {
	switch {
	case !cluster.InsecureSkipTLSVerify:
		return nil
	case verification != v1alpha1.TLSVerificationNotRequired:
		return fmt.Errorf("must not have `clusters[0].cluster.insecure-skip-tls-verify`: put the cluster's certificate authority into `certificate-authority-data`, " +
			"or set `spec.target.cluster.tlsVerification` of the Environment to NotRequired")
	case len(cluster.CertificateAuthorityData) > 0:
		return fmt.Errorf("must not have both `clusters[0].cluster.insecure-skip-tls-verify` and `clusters[0].cluster.certificate-authority-data`: leave the first one out")
	}
	return nil
}

// authoritiesOf are the certificates that the API server's is checked against; none means those of the operator's system.
func authoritiesOf(cluster kubeconfig.Cluster) ([][]byte, error) {
	if len(cluster.CertificateAuthorityData) == 0 {
		return nil, nil
	}
	certificates, err := certutil.ParseCertsPEM(cluster.CertificateAuthorityData)
	if err != nil {
		return nil, fmt.Errorf("must have certificates in PEM, encoded in base64, in `clusters[0].cluster.certificate-authority-data`: %s", remedy)
	}
	raw := make([][]byte, 0, len(certificates))
	for _, certificate := range certificates {
		raw = append(raw, certificate.Raw)
	}
	return raw, nil
}

func checkCredentials(user kubeconfig.AuthInfo) error {
	hasCertificate, hasKey := len(user.ClientCertificateData) > 0, len(user.ClientKeyData) > 0
	token := strings.TrimSpace(user.Token)
	switch {
	case token == "" && !hasCertificate && !hasKey:
		return fmt.Errorf("must have credentials: `users[0].user.token`, or `client-certificate-data` and `client-key-data`")
	case strings.ContainsFunc(token, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' }):
		return fmt.Errorf("must have a token without spaces, line breaks and the like in `users[0].user.token`")
	case !hasCertificate && !hasKey:
		return nil
	case !hasCertificate || !hasKey:
		return fmt.Errorf("must have both `users[0].user.client-certificate-data` and `users[0].user.client-key-data`, or neither")
	}
	if _, err := tls.X509KeyPair(user.ClientCertificateData, user.ClientKeyData); err != nil {
		return fmt.Errorf("must have a certificate and its own key, in PEM, encoded in base64, in `users[0].user.client-certificate-data` and `users[0].user.client-key-data`: %s", remedy)
	}
	return nil
}

// serverOf is the server's address, written in one way.
func serverOf(written string) (string, error) {
	const name = "`clusters[0].cluster.server`"
	server, err := url.Parse(written)
	switch {
	case err != nil || server.Hostname() == "":
		return "", fmt.Errorf("must have an address such as https://api.example.com:6443 in %s", name)
	case server.Scheme != "https":
		return "", fmt.Errorf("must have an address that begins with https:// in %s", name)
	case server.User != nil:
		return "", fmt.Errorf("must not have a user in %s: put credentials into `users`", name)
	case server.RawQuery != "" || server.ForceQuery || server.Fragment != "":
		return "", fmt.Errorf("must not have anything behind the path in %s", name)
	}
	host := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(server.Host), ":443"), ":")
	return "https://" + host + strings.TrimRight(server.EscapedPath(), "/"), nil
}
