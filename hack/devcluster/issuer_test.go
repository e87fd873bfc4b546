// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAnIssuerIsNamedWholeOrNotAtAll(t *testing.T) {
	for name, row := range map[string]struct {
		arguments []string
		good      bool
	}{
		"not at all":            {nil, true},
		"without the client":    {[]string{"--oidc-issuer=https://127.0.0.1:1", "--oidc-ca=ca.crt"}, false},
		"without its authority": {[]string{"--oidc-issuer=https://127.0.0.1:1", "--oidc-client-id=it"}, false},
		"without its URL":       {[]string{"--oidc-client-id=it", "--oidc-ca=ca.crt"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			// There is nothing to stop: what is looked at is the command line.
			arguments := append([]string{"down", "--dir", filepath.Join(t.TempDir(), "none")}, row.arguments...)
			err := execute(t.Context(), arguments)
			if (err == nil) != row.good || err != nil && !strings.Contains(err.Error(), "go together") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestAClusterTrustsItsIssuersTokensForItsClientAlone(t *testing.T) {
	mustBuild(t)
	c := testCluster(t)
	key, url, authority := serveIssuer(t)
	flags := []string{"--oidc-issuer", url, "--oidc-client-id", "it", "--oidc-ca", authority}
	launcher(t, c, "up", flags...)
	if output := launcher(t, c, "up", flags...); !strings.Contains(output, "runs already") {
		t.Errorf("a second `up` said %q", output)
	}
	if output, err := launcherCommand(t, c, "up", "--oidc-issuer", url, "--oidc-client-id", "another", "--oidc-ca", authority).CombinedOutput(); err == nil || !strings.Contains(string(output), "does not trust") {
		t.Errorf("an `up` for another client said %q, %v", output, err)
	}
	if output, err := whoami(t, c, mustToken(t, key, url, "another")); err == nil {
		t.Errorf("a token for another client is %s's", output)
	}
	checkIsAlice(t, c, mustToken(t, key, url, "it"))
	launcher(t, c, "restart", "kube-apiserver")
	checkIsAlice(t, c, mustToken(t, key, url, "it"))
	if output, err := whoami(t, c, mustToken(t, mustKeyPair(t), url, "it")); err == nil {
		t.Errorf("a token that somebody else has signed is %s's", output)
	}
	processes := mustProcesses(t, c)
	launcher(t, c, "down")
	checkNothingRuns(t, c, processes)
}

// serveIssuer serves what the API server asks an issuer for: where its keys are, and which they are.
func serveIssuer(t *testing.T) (key *ecdsa.PrivateKey, url, authority string) {
	t.Helper()
	key = mustKeyPair(t)
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	routes := http.NewServeMux()
	server := httptest.NewUnstartedServer(routes)
	ca := mustAuthority(t)
	pair, err := ca.server()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.certificate, pair.key)
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	encode := base64.RawURLEncoding.EncodeToString
	routes.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(t, w, map[string]any{"issuer": server.URL, "jwks_uri": server.URL + "/keys"})
	})
	routes.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(t, w, map[string]any{"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": encode(point[1:33]), "y": encode(point[33:]),
		}}})
	})
	authority = filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(authority, ca.keyPair.certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return key, server.URL, authority
}

func answer(t *testing.T, w http.ResponseWriter, content any) {
	t.Helper()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(content); err != nil {
		t.Error(err)
	}
}

func mustKeyPair(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// mustToken is alice's, for an audience.
func mustToken(t *testing.T, key *ecdsa.PrivateKey, url, audience string) string {
	t.Helper()
	said, err := json.Marshal(map[string]any{
		"iss": url, "aud": audience, "sub": "1", "preferred_username": "alice", "groups": []string{"shop-owners"}, "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	content := encode([]byte(`{"alg":"ES256","kid":"1"}`)) + "." + encode(said)
	sum := sha256.Sum256([]byte(content))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return content + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// checkIsAlice keeps asking for a while: the API server asks the issuer for its keys when it is ready otherwise.
func checkIsAlice(t *testing.T, c *cluster, token string) {
	t.Helper()
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var output string
	var err error
	if !poll(limited, 100*time.Millisecond, func() bool { output, err = whoami(t, c, token); return err == nil }) {
		t.Fatalf("the token is nobody's: %v: %s", err, output)
	}
	if !strings.Contains(output, `"username":"alice"`) || !strings.Contains(output, `"shop-owners"`) {
		t.Errorf("the token is %s's", output)
	}
}

// whoami asks the API server whose a token is.
func whoami(t *testing.T, c *cluster, token string) (string, error) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "kubeconfig")
	content := kubectl(t, c, administrator, "config", "view", "--raw", "-o", `jsonpath={.clusters[0].cluster.server} {.clusters[0].cluster.certificate-authority-data}`)
	server, authority, _ := strings.Cut(content, " ")
	err := os.WriteFile(config, []byte(`{"apiVersion":"v1","kind":"Config","current-context":"it","clusters":[{"name":"it","cluster":{"server":"`+server+
		`","certificate-authority-data":"`+authority+`"}}],"contexts":[{"name":"it","context":{"cluster":"it","user":"it"}}],"users":[{"name":"it","user":{"token":"`+token+`"}}]}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	command := kubectlCommand(t, c, administrator, "auth", "whoami", "-o", `jsonpath={.status.userInfo}`)
	command.Args[2] = config
	output, err := command.CombinedOutput()
	return string(output), err
}
