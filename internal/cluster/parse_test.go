// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cluster"
)

// secret is in every value that must not be shown.
const secret = "s3cr3t"

var reference = v1alpha1.TargetCluster{Kubeconfig: v1alpha1.SecretKeyReference{Name: "remote", Key: "kubeconfig"}}

// pair is a certificate that signs itself, and its key, each as PEM in base64.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return base64PEM("CERTIFICATE", der), base64PEM("EC PRIVATE KEY", encoded)
}

func base64PEM(kind string, der []byte) string {
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// kubeconfig has one cluster and one user, with these fields, in YAML's flow style.
func kubeconfig(place, user string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: remote
contexts: [{name: remote, context: {cluster: remote, user: deployer, namespace: ignored}}]
clusters: [{name: remote, cluster: {%s}}]
users: [{name: deployer, user: {%s}}]
`, place, user)
}

const (
	server = "server: 'https://s3cr3t.example.com:6443'"
	token  = "token: s3cr3t-token"
)

func TestAKubeconfigIsRefusedWith(t *testing.T) {
	certificate, key := pair(t)
	_, otherKey := pair(t)
	withUser := func(fields string) string { return kubeconfig(server, fields) }
	withCluster := func(fields string) string { return kubeconfig(fields, token) }
	good := kubeconfig(server, token)
	const onlyOne = "--minify --flatten"
	for name, c := range map[string]struct{ kubeconfig, says, remedy string }{
		"nothing in it":            {" \n", "is empty", onlyOne},
		"more than 64 KiB":         {good + "#" + strings.Repeat("x", cluster.MaxKubeconfigBytes), "at most 65536 bytes", onlyOne},
		"text that is not UTF-8":   {good + "#\xff", "UTF-8", ""},
		"no YAML":                  {"{s3cr3t", "is not a kubeconfig", onlyOne},
		"a plain string":           {"s3cr3t", "is not a kubeconfig", onlyOne},
		"two documents":            {good + "---\n" + good, "one YAML document", onlyOne},
		"another kind":             {strings.Replace(good, "kind: Config", "kind: Secret", 1), "`kind: Config`", ""},
		"another version":          {strings.Replace(good, "apiVersion: v1", "apiVersion: v2", 1), "`apiVersion: v1`", ""},
		"a YAML bomb":              {bomb(), "anchors and aliases, as in line 1", onlyOne},
		"an alias":                 {withUser("token: &a s3cr3t, password: *a"), "anchors and aliases", onlyOne},
		"deep nesting":             {good + "extensions: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested", onlyOne},
		"a field that is unknown":  {withUser("s3cr3t: x"), "a field that no kubeconfig has", onlyOne},
		"a field twice":            {withUser(token + ", token: s3cr3t"), "twice (line 6)", onlyOne},
		"data that is not base64":  {withUser("client-key-data: '?s3cr3t?'"), "not in base64", onlyOne},
		"no contexts":              {strings.Replace(good, "contexts: [{name: remote, context: {cluster: remote, user: deployer, namespace: ignored}}]", "contexts: []", 1), "exactly one entry in `contexts`, and has 0", onlyOne},
		"two contexts":             {strings.Replace(good, "contexts: [", "contexts: [{name: s3cr3t, context: {}}, ", 1), "exactly one entry in `contexts`, and has 2", onlyOne},
		"two clusters":             {strings.Replace(good, "clusters: [", "clusters: [{name: s3cr3t, cluster: {}}, ", 1), "exactly one entry in `clusters`", onlyOne},
		"two users":                {strings.Replace(good, "users: [", "users: [{name: s3cr3t, user: {}}, ", 1), "exactly one entry in `users`", onlyOne},
		"no current context":       {strings.Replace(good, "current-context: remote", "current-context: ''", 1), "must name its context in `current-context`", onlyOne},
		"another current context":  {strings.Replace(good, "current-context: remote", "current-context: s3cr3t", 1), "`current-context` that is not in `contexts`", onlyOne},
		"a context of nowhere":     {strings.Replace(good, "cluster: remote,", "cluster: s3cr3t,", 1), "`contexts[0].context.cluster`", onlyOne},
		"a context of nobody":      {strings.Replace(good, "user: deployer,", "user: s3cr3t,", 1), "`contexts[0].context.user`", onlyOne},
		"a program":                {withUser(token + ", exec: {command: s3cr3t, apiVersion: client.authentication.k8s.io/v1}"), "`users[0].user.exec`", "runs no programs"},
		"a program in capitals":    {withUser(token + ", Exec: {command: s3cr3t}"), "`users[0].user.exec`", "runs no programs"},
		"a plugin":                 {withUser(token + ", auth-provider: {name: s3cr3t}"), "`users[0].user.auth-provider`", "runs no programs"},
		"a file of authorities":    {withCluster(server + ", certificate-authority: /s3cr3t"), "`clusters[0].cluster.certificate-authority`", "`certificate-authority-data`"},
		"a file of a certificate":  {withUser(token + ", client-certificate: /s3cr3t"), "`users[0].user.client-certificate`", "`client-certificate-data`"},
		"a file of a key":          {withUser(token + ", client-key: /s3cr3t"), "`users[0].user.client-key`", "`client-key-data`"},
		"a file of a token":        {withUser("tokenFile: /s3cr3t"), "`users[0].user.tokenFile`", "`token`"},
		"a proxy":                  {withCluster(server + ", proxy-url: 'http://s3cr3t'"), "`clusters[0].cluster.proxy-url`", "leave it out"},
		"another user":             {withUser(token + ", as: s3cr3t"), "`users[0].user.as`", "leave it out"},
		"another user's UID":       {withUser(token + ", as-uid: s3cr3t"), "`users[0].user.as-uid`", "leave it out"},
		"other groups":             {withUser(token + ", as-groups: [s3cr3t]"), "`users[0].user.as-groups`", "leave it out"},
		"another user's extra":     {withUser(token + ", as-user-extra: {s3cr3t: [s3cr3t]}"), "`users[0].user.as-user-extra`", "leave it out"},
		"a user's name":            {withUser(token + ", username: s3cr3t"), "`users[0].user.username`", "`token`"},
		"a password":               {withUser(token + ", password: s3cr3t"), "`users[0].user.password`", "`token`"},
		"no TLS verification":      {withCluster(server + ", insecure-skip-tls-verify: true"), "`clusters[0].cluster.insecure-skip-tls-verify`", "`spec.target.cluster.tlsVerification`"},
		"no server":                {withCluster("tls-server-name: x"), "`clusters[0].cluster.server`", "https://api.example.com:6443"},
		"a server over HTTP":       {withCluster("server: 'http://s3cr3t'"), "`clusters[0].cluster.server`", "https://"},
		"a server without scheme":  {withCluster("server: 's3cr3t:6443'"), "`clusters[0].cluster.server`", "https://"},
		"a server without a host":  {withCluster("server: 'https:///s3cr3t'"), "`clusters[0].cluster.server`", "https://"},
		"a server without slashes": {withCluster("server: 'https:s3cr3t'"), "`clusters[0].cluster.server`", "https://"},
		"a server on a socket":     {withCluster("server: 'unix:///s3cr3t'"), "`clusters[0].cluster.server`", "https://"},
		"a server with a password": {withCluster("server: 'https://s3cr3t:s3cr3t@example.com'"), "`clusters[0].cluster.server`", "`users`"},
		"a server with a query":    {withCluster("server: 'https://example.com/?s3cr3t'"), "`clusters[0].cluster.server`", ""},
		"a server with a '?'":      {withCluster("server: 'https://example.com/?'"), "`clusters[0].cluster.server`", ""},
		"a server with a fragment": {withCluster("server: 'https://example.com/#s3cr3t'"), "`clusters[0].cluster.server`", ""},
		"a server that is no URL":  {withCluster("server: 'https://s3cr3t:port'"), "`clusters[0].cluster.server`", "https://"},
		"authorities of no kind":   {withCluster(server + ", certificate-authority-data: czNjcjN0"), "`clusters[0].cluster.certificate-authority-data`", "PEM"},
		"no credentials":           {withUser(""), "must have credentials", "`users[0].user.token`"},
		"a token of two lines":     {withUser("token: \"s3cr3t\\nInjected:x\""), "`users[0].user.token`", ""},
		"a token of two words":     {withUser("token: s3cr3t x"), "`users[0].user.token`", ""},
		"a token beyond ASCII":     {withUser("token: s3cr3té"), "`users[0].user.token`", ""},
		"a certificate alone":      {withUser("client-certificate-data: " + certificate), "or neither", ""},
		"a key alone":              {withUser("client-key-data: " + key), "or neither", ""},
		"another's key":            {withUser("client-certificate-data: " + certificate + ", client-key-data: " + otherKey), "its own key", onlyOne},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			connection, err := cluster.Parse([]byte(c.kubeconfig), reference)
			g.Expect(connection).To(BeNil())
			var problem *cluster.Error
			g.Expect(errors.As(err, &problem)).To(BeTrue())
			g.Expect(problem.Reason).To(Equal(cluster.InvalidKubeconfig))
			g.Expect(problem.Retryable()).To(BeFalse())
			g.Expect(err).To(MatchError(And(
				HavePrefix("`spec.target.cluster.kubeconfig`: the kubeconfig in key \"kubeconfig\" of secret \"remote\" "),
				ContainSubstring(c.says), ContainSubstring(c.remedy), Not(ContainSubstring(secret)))))
		})
	}
}

// bomb would be ten to the ninth power of entries if its aliases were followed.
func bomb() string {
	text := "extensions: [&x0 s3cr3t]\n"
	for i := 1; i < 10; i++ {
		text += fmt.Sprintf("x%d: &x%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d,", i-1), 10), ","))
	}
	return text
}

func TestAKubeconfigConnectsAsItSays(t *testing.T) {
	g := NewWithT(t)
	authority, _ := pair(t)
	certificate, key := pair(t)
	connection, err := cluster.Parse([]byte(kubeconfig(
		server+", tls-server-name: api, disable-compression: true, certificate-authority-data: "+authority,
		token+", client-certificate-data: "+certificate+", client-key-data: "+key)), reference)
	g.Expect(err).NotTo(HaveOccurred())
	config := connection.Config
	g.Expect(config.Host).To(Equal("https://s3cr3t.example.com:6443"))
	g.Expect(config.BearerToken).To(Equal("s3cr3t-token"))
	g.Expect(config.ServerName).To(Equal("api"))
	g.Expect(config.Insecure).To(BeFalse())
	g.Expect(base64.StdEncoding.EncodeToString(config.CAData)).To(Equal(authority))
	g.Expect(base64.StdEncoding.EncodeToString(config.CertData)).To(Equal(certificate))
	g.Expect(base64.StdEncoding.EncodeToString(config.KeyData)).To(Equal(key))
	g.Expect(config.QPS).To(BeNumerically("<", 0))
	g.Expect(config.UserAgent).NotTo(BeEmpty())
	g.Expect(string(connection.Digest)).To(MatchRegexp("^sha256:[a-f0-9]{64}$"))
}

func TestAKubeconfigInJSONIsAccepted(t *testing.T) {
	g := NewWithT(t)
	_, err := cluster.Parse([]byte(`{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],
		"clusters":[{"name":"c","cluster":{"server":"https://example.com"}}],"users":[{"name":"u","user":{"token":"x"}}]}`), reference)
	g.Expect(err).NotTo(HaveOccurred())
}

func TestTLSIsLeftUnverifiedWhereTheEnvironmentSaysSo(t *testing.T) {
	g := NewWithT(t)
	authority, _ := pair(t)
	target := reference
	target.TLSVerification = v1alpha1.TLSVerificationNotRequired
	connection, err := cluster.Parse([]byte(kubeconfig(server+", insecure-skip-tls-verify: true", token)), target)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(connection.Config.Insecure).To(BeTrue())

	_, err = cluster.Parse([]byte(kubeconfig(server+", insecure-skip-tls-verify: true, certificate-authority-data: "+authority, token)), target)
	g.Expect(err).To(MatchError(ContainSubstring("must not have both")))

	connection, err = cluster.Parse([]byte(kubeconfig(server, token)), target)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(connection.Config.Insecure).To(BeFalse())
}

func TestTheDigestIsOfThePlaceAndNotOfTheCredentials(t *testing.T) {
	authority, _ := pair(t)
	other, _ := pair(t)
	certificate, key := pair(t)
	target := reference
	target.TLSVerification = v1alpha1.TLSVerificationNotRequired
	digest := func(place, user string) v1alpha1.Digest {
		t.Helper()
		connection, err := cluster.Parse([]byte(kubeconfig(place, user)), target)
		if err != nil {
			t.Fatal(err)
		}
		return connection.Digest
	}
	withAuthority := server + ", certificate-authority-data: " + authority
	first := digest(withAuthority, token)
	for name, same := range map[string]v1alpha1.Digest{
		"another token":             digest(withAuthority, "token: another"),
		"a client certificate":      digest(withAuthority, "client-certificate-data: "+certificate+", client-key-data: "+key),
		"the server in capitals":    digest(strings.Replace(withAuthority, "example.com", "EXAMPLE.com", 1), token),
		"a slash behind the server": digest(strings.Replace(withAuthority, ":6443", ":6443/", 1), token),
		"authorities with a remark": digest(server+", certificate-authority-data: "+remarked(t, authority), token),
	} {
		if same != first {
			t.Errorf("the digest changes with %s", name)
		}
	}
	if digest("server: 'https://example.com'", token) != digest("server: 'https://example.com:443'", token) {
		t.Error("the digest changes with the port that HTTPS stands for")
	}
	seen := map[v1alpha1.Digest]string{first: "the first"}
	for name, changed := range map[string]v1alpha1.Digest{
		"another server":      digest(strings.Replace(withAuthority, "example.com", "example.org", 1), token),
		"another port":        digest(strings.Replace(withAuthority, "6443", "443", 1), token),
		"another path":        digest(strings.Replace(withAuthority, ":6443", ":6443/other", 1), token),
		"another authority":   digest(server+", certificate-authority-data: "+other, token),
		"no authority":        digest(server, token),
		"another TLS name":    digest(withAuthority+", tls-server-name: other", token),
		"no TLS verification": digest(server+", insecure-skip-tls-verify: true", token),
	} {
		if seen[changed] != "" {
			t.Errorf("the digest is the same with %s as with %s", name, seen[changed])
		}
		seen[changed] = name
	}
}

// remarked is the same certificate with text around it.
func remarked(t *testing.T, authority string) string {
	t.Helper()
	content, err := base64.StdEncoding.DecodeString(authority)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(append([]byte("# the first cluster\n"), content...))
}
