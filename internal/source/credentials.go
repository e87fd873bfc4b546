// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"
)

// Credentials are either for registries, as a Secret of type kubernetes.io/dockerconfigjson holds them, or for Git servers and chart
// repositories, as one of type kubernetes.io/basic-auth does. The zero value has none.
type Credentials struct {
	// entries in order of the scope's length, longest first, so that the first match is the closest.
	entries []credential
	// bound is for one login that says itself where it may be sent.
	bound *boundLogin
}

type credential struct {
	// scope is HOST[:PORT][/PATH], lower case.
	scope string
	login auth.Credential
}

// String keeps the credentials out of logs.
func (c Credentials) String() string {
	if c.bound != nil {
		return fmt.Sprintf("credentials for %d servers", len(c.bound.origins))
	}
	return fmt.Sprintf("credentials for %d registries", len(c.entries))
}

// GoString keeps the credentials out of logs that print with %#v.
func (c Credentials) GoString() string { return c.String() }

type dockerConfig struct {
	Auths map[string]dockerAuth `json:"auths"`
}

type dockerAuth struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// ParseDockerConfig reads the key .dockerconfigjson of a Secret of type kubernetes.io/dockerconfigjson. As in the kubelet, a key under
// `auths` is a host or a host and the beginning of a path, and the longest that fits a repository counts; patterns are not understood.
// Credential helpers are programs and are not run. The error never holds a part of the Secret's value but the name of a registry.
func ParseDockerConfig(secretData []byte) (Credentials, error) {
	var config dockerConfig
	if err := json.Unmarshal(secretData, &config); err != nil {
		// The decoder's own error may quote the secret.
		return Credentials{}, errors.New("the Secret's key \".dockerconfigjson\" must hold a docker configuration as JSON: " +
			"make it with `kubectl create secret docker-registry`")
	}
	keys := make([]string, 0, len(config.Auths))
	for key := range config.Auths {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	var result Credentials
	for _, key := range keys {
		login, err := config.Auths[key].login()
		if err != nil {
			return Credentials{}, fmt.Errorf("the Secret's entry for registry %q: %w", foreign(key), err)
		}
		result.entries = append(result.entries, credential{scope: normalScope(key), login: login})
	}
	sort.SliceStable(result.entries, func(i, j int) bool {
		return len(result.entries[i].scope) > len(result.entries[j].scope)
	})
	return result, nil
}

func (a dockerAuth) login() (auth.Credential, error) {
	login := auth.Credential{Username: a.Username, Password: a.Password, RefreshToken: a.IdentityToken, AccessToken: a.RegistryToken}
	if a.Auth == "" {
		return login, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(a.Auth)
	if err != nil {
		return auth.Credential{}, errors.New("`auth` must be base64")
	}
	username, password, found := strings.Cut(strings.TrimRight(string(decoded), "\x00"), ":")
	if !found {
		return auth.Credential{}, errors.New("`auth` must be the base64 of USERNAME:PASSWORD")
	}
	login.Username, login.Password = username, password
	return login, nil
}

// normalScope turns a key as the tools write it, such as https://index.docker.io/v1/, into HOST[:PORT][/PATH].
func normalScope(key string) string {
	scope := strings.ToLower(key)
	for _, scheme := range []string{"https://", "http://"} {
		scope = strings.TrimPrefix(scope, scheme)
	}
	scope = strings.Trim(scope, "/")
	for _, version := range []string{"/v1", "/v2"} {
		scope = strings.TrimSuffix(scope, version)
	}
	host, rest, _ := strings.Cut(scope, "/")
	if host = canonicalHost(host); rest == "" {
		return host
	}
	return host + "/" + rest
}

// canonicalHost gives the names of Docker Hub as one.
func canonicalHost(host string) string {
	switch host = strings.ToLower(host); host {
	case "index.docker.io", "registry-1.docker.io":
		return "docker.io"
	default:
		return host
	}
}

// forRepository returns the login for a repository, or an empty one.
func (c Credentials) forRepository(host, repository string) auth.Credential {
	full := canonicalHost(host) + "/" + repository + "/"
	for _, entry := range c.entries {
		if strings.HasPrefix(full, entry.scope+"/") {
			return entry.login
		}
	}
	return auth.EmptyCredential
}
