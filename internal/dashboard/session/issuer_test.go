// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"k8s.io/utils/clock"
)

const (
	clientID     = "assent"
	clientSecret = "of-the-client"
)

// issuer is a provider that can be made to do what a real one never would. Who signs in there is whoever the test asks a code for.
type issuer struct {
	*httptest.Server
	clock clock.PassiveClock
	key   *ecdsa.PrivateKey

	mutex sync.Mutex
	codes map[string]authorization
	// refreshing are the refresh tokens that are good, each for one use.
	refreshing map[string]string
	// uses counts what was asked of the token endpoint, by grant.
	uses map[string]int
	// revoked are the refresh tokens that it was told of.
	revoked []string
	// twist changes what an id_token says.
	twist func(map[string]any)
	// signs is the key that id_tokens are signed with, if it is not the published one.
	signs *ecdsa.PrivateKey
	// answer replaces what the token endpoint answers, if there is one.
	answer func(http.ResponseWriter)
	// held makes the token endpoint wait before it answers, if it is there.
	held chan struct{}
}

// authorization is what a code was given for.
type authorization struct{ challenge, nonce, callback, subject string }

func newIssuer(t *testing.T, now clock.PassiveClock) *issuer {
	t.Helper()
	i := &issuer{clock: now, key: newKey(t), codes: map[string]authorization{}, refreshing: map[string]string{}, uses: map[string]int{}}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"revocation_endpoint": i.URL + "/revoke", "scopes_supported": []string{"openid", "groups", "offline_access"},
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	routes.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &i.key.PublicKey, KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	routes.HandleFunc("POST /token", i.token)
	routes.HandleFunc("POST /revoke", func(_ http.ResponseWriter, r *http.Request) {
		i.mutex.Lock()
		defer i.mutex.Unlock()
		i.revoked = append(i.revoked, r.FormValue("token"))
		delete(i.refreshing, r.FormValue("token"))
	})
	i.Server = httptest.NewTLSServer(routes)
	t.Cleanup(i.Close)
	return i
}

// code signs somebody in, for the address that a browser was sent to.
func (i *issuer) code(t *testing.T, address, subject string) string {
	t.Helper()
	sent, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	asked := sent.Query()
	if asked.Get("code_challenge_method") != "S256" || asked.Get("response_type") != "code" || asked.Get("client_id") != clientID {
		t.Fatalf("the provider was asked for something else: %s", address)
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	code := rand.Text()
	i.codes[code] = authorization{asked.Get("code_challenge"), asked.Get("nonce"), asked.Get("redirect_uri"), subject}
	return code
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	grant := r.FormValue("grant_type")
	i.uses[grant]++
	if i.answer != nil {
		i.answer(w)
		return
	}
	if id, secret, _ := r.BasicAuth(); id != clientID || secret != clientSecret {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	var subject, nonce string
	switch grant {
	case "authorization_code":
		given, found := i.codes[r.FormValue("code")]
		delete(i.codes, r.FormValue("code"))
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if !found || given.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) || given.callback != r.FormValue("redirect_uri") {
			refuseGrant(w, r.FormValue("code"))
			return
		}
		subject, nonce = given.subject, given.nonce
	case "refresh_token":
		found := false
		if subject, found = i.refreshing[r.FormValue("refresh_token")]; !found {
			refuseGrant(w, r.FormValue("refresh_token"))
			return
		}
		delete(i.refreshing, r.FormValue("refresh_token"))
	}
	next := rand.Text()
	i.refreshing[next] = subject
	if held := i.held; held != nil {
		i.mutex.Unlock()
		<-held
		i.mutex.Lock()
	}
	reply(w, http.StatusOK, map[string]any{
		"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 600, "refresh_token": next, "id_token": i.sign(subject, nonce),
	})
}

// refuseGrant tells what was shown, as a provider had better not.
func refuseGrant(w http.ResponseWriter, shown string) {
	reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "there is no " + shown})
}

// sign makes an id_token, which holds for ten minutes.
func (i *issuer) sign(subject, nonce string) string {
	said := map[string]any{
		"iss": i.URL, "aud": clientID, "sub": subject, "iat": i.clock.Now().Unix(), "exp": i.clock.Now().Add(10 * time.Minute).Unix(), "jti": rand.Text(),
	}
	if nonce != "" {
		said["nonce"] = nonce
	}
	if i.twist != nil {
		i.twist(said)
	}
	key := i.key
	if i.signs != nil {
		key = i.signs
	}
	return signed(key, said)
}

func signed(key *ecdsa.PrivateKey, said map[string]any) string {
	content, err := json.Marshal(maps.Clone(said))
	if err != nil {
		panic(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		panic(err)
	}
	made, err := signer.Sign(content)
	if err != nil {
		panic(err)
	}
	compact, err := made.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return compact
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func reply(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(content); err != nil {
		panic(err)
	}
}

// change does something to the provider while it serves.
func (i *issuer) change(do func()) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	do()
}

func (i *issuer) used(grant string) int {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return i.uses[grant]
}
