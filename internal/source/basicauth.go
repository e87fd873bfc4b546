// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// The types of Secrets with credentials.
const (
	secretTypeRegistry  = "kubernetes.io/dockerconfigjson" //nolint:gosec // the name of a type
	secretTypeBasicAuth = "kubernetes.io/basic-auth"       //nolint:gosec // the name of a type
)

// The keys of a Secret of type kubernetes.io/basic-auth.
const (
	basicAuthUsername = "username"
	basicAuthPassword = "password"
)

// maxSourceHosts that one Secret may be sent to.
const maxSourceHosts = 32

// login is a username and a password, or a token in the password's place.
type login struct{ username, password string }

// boundLogin is a login with the places that it may be sent to.
type boundLogin struct {
	login
	// origins are SCHEME://HOST:PORT.
	origins map[string]struct{}
}

// ParseBasicAuth reads a Secret of type kubernetes.io/basic-auth: its keys `username` and `password`, where an access token is a password and
// needs no username with most servers. The value of the Secret's annotation assent.dev/source-hosts lists where it may be sent, separated by
// commas: HOST or HOST:PORT over TLS, http://HOST[:PORT] over plain HTTP. So whoever may create Releases, and may not read Secrets, cannot
// have it sent to a server of their own, nor over the network in the clear. The error never holds a part of the Secret's value.
func ParseBasicAuth(secretData map[string][]byte, hosts string) (Credentials, error) {
	bound := &boundLogin{
		login:   login{username: string(secretData[basicAuthUsername]), password: string(secretData[basicAuthPassword])},
		origins: map[string]struct{}{},
	}
	if bound.password == "" {
		return Credentials{}, errors.New("the Secret must have the key \"password\", with the password or an access token: " +
			"make it with `kubectl create secret generic --type=kubernetes.io/basic-auth`")
	}
	if strings.Contains(bound.username, ":") {
		return Credentials{}, errors.New("the Secret's key \"username\" must not hold a colon, which separates it from the password")
	}
	listed := strings.Split(hosts, ",")
	if len(listed) > maxSourceHosts {
		return Credentials{}, fmt.Errorf("the Secret's annotation %q has %d hosts, at most %d are allowed", v1alpha1.AnnotationSourceHosts, len(listed), maxSourceHosts)
	}
	for _, entry := range listed {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		origin, err := parseOrigin(entry)
		if err != nil {
			return Credentials{}, err
		}
		bound.origins[originOf(origin)] = struct{}{}
	}
	return Credentials{bound: bound}, nil
}

// originPattern has no patterns of hosts: "*" would send a login to whoever asks.
var originPattern = regexp.MustCompile(`^(https?://)?[a-zA-Z0-9.\-]+(:[0-9]{1,5})?/?$`)

func parseOrigin(entry string) (*url.URL, error) {
	if !originPattern.MatchString(entry) {
		return nil, fmt.Errorf("the Secret's annotation %q has %q, which is no host: write HOST or HOST:PORT, or http://HOST[:PORT] where it may be sent over plain HTTP",
			v1alpha1.AnnotationSourceHosts, foreign(entry))
	}
	if !strings.Contains(entry, "://") {
		entry = "https://" + entry
	}
	return url.Parse(entry)
}

func originText(u *url.URL) string { return strings.ToLower(u.Scheme + "://" + u.Host) }

func originOf(u *url.URL) string { return u.Scheme + "://" + hostAndPort(u) }

// forServer returns the login for a server that is no registry, or an empty one where there are no credentials. The field is the one that
// names the Secret.
func (c Credentials) forServer(field string, server *url.URL) (login, error) {
	switch {
	case len(c.entries) > 0:
		return login{}, secretFault(field, "names a Secret of type \"kubernetes.io/dockerconfigjson\", whose credentials are for registries: "+
			"name one of type \"kubernetes.io/basic-auth\"; it is tried again")
	case c.bound == nil:
		return login{}, nil
	}
	if _, allowed := c.bound.origins[originOf(server)]; allowed {
		return c.bound.login, nil
	}
	wanted, remark := server.Host, ""
	if server.Scheme == "http" {
		wanted, remark = originText(server), ", if it may be sent over plain HTTP"
	}
	return login{}, secretFault(field, fmt.Sprintf("the Secret does not say that it may be sent to %q: whoever owns it adds %q to its annotation %q%s; it is tried again",
		originText(server), wanted, v1alpha1.AnnotationSourceHosts, remark))
}

// forRegistries refuses credentials that are not for registries, which would otherwise be left out without a word.
func (c Credentials) forRegistries(field string) error {
	if c.bound == nil {
		return nil
	}
	return secretFault(field, "names a Secret of type \"kubernetes.io/basic-auth\": registries need one of type \"kubernetes.io/dockerconfigjson\"; it is tried again")
}

// secretFault can be mended without a new Release, so it is tried again.
func secretFault(field, message string) *Error {
	return &Error{Reason: v1alpha1.ReasonFetchFailed, Field: field, Message: message}
}
