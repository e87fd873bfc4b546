// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// hidden stands for the value of a secret in a message.
const hidden = "[hidden]"

// shortest part of a secret's value that is looked for by itself: shorter ones, such as "Basic", are words.
const shortest = 6

// veil hides the values of secrets, in whatever form they may come back.
type veil []string

// with also hides a value: as it is, as JSON writes it, each of its words, and what a word holds in base64.
func (v veil) with(value string) veil {
	forms := append([]string{value}, strings.Fields(value)...)
	for _, word := range strings.Fields(value) {
		decoded, err := base64.StdEncoding.DecodeString(word)
		if err != nil {
			continue
		}
		_, password, _ := strings.Cut(string(decoded), ":")
		forms = append(forms, string(decoded), password)
	}
	for i, form := range forms {
		if i > 0 && len(form) < shortest || form == "" {
			continue
		}
		escaped, _ := json.Marshal(form) // a text can always be written
		v = append(v, form, strings.Trim(string(escaped), `"`), url.QueryEscape(form), url.PathEscape(form))
	}
	// The longest first: a part of it must not leave the rest behind.
	slices.SortFunc(v, func(a, b string) int { return len(b) - len(a) })
	return v
}

// hide replaces every such value in a text.
func (v veil) hide(text string) string {
	for _, value := range v {
		text = strings.ReplaceAll(text, value, hidden)
	}
	return text
}

// headers of a request, with the values of the Secrets that they name, and a veil over those. A Finding says why they cannot be had.
func (h *HTTP) headers(ctx context.Context, asked question, project string) (http.Header, veil, *Finding) {
	made, over := http.Header{"User-Agent": {"assent"}}, veil{}
	if asked.content != "" {
		made.Set("Content-Type", asked.content)
	}
	for _, header := range asked.headers {
		value := header.Value
		if header.SecretRef.Name != "" {
			var problem *Finding
			if value, problem = h.secret(ctx, header.SecretRef, project, asked.to); problem != nil {
				return nil, nil, problem
			}
			over = over.with(value)
		}
		made.Set(header.Name, value)
	}
	return made, over, nil
}

// secret reads one value, if the Secret may be sent to that server.
func (h *HTTP) secret(ctx context.Context, ref v1alpha1.SecretKeyReference, project string, to *url.URL) (string, *Finding) {
	no := func(finding Finding) (string, *Finding) { return "", &finding }
	var secret corev1.Secret
	err := h.Secrets.Get(ctx, types.NamespacedName{Namespace: project, Name: ref.Name}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		return no(misconfigured("secret %q does not exist in project %q: create it with the key %q", ref.Name, project, ref.Key))
	case apierrors.IsForbidden(err):
		return no(misconfigured("the operator must not read secret %q: in project %q create a Role that allows `get` on secrets with resourceNames [%q], "+
			"and bind it to service account assent-system/assent-controller", ref.Name, project, ref.Name))
	case err != nil:
		return no(failed("secret %q could not be read: %v", ref.Name, err))
	case !listed(secret.Annotations[v1alpha1.AnnotationCheckHosts], to):
		return no(misconfigured("secret %q must not be sent to %q: add that host to the Secret's annotation %s, which lists hosts separated by commas",
			ref.Name, hostOf(to), v1alpha1.AnnotationCheckHosts))
	}
	value := strings.TrimRight(string(secret.Data[ref.Key]), "\r\n")
	switch {
	case value == "":
		return no(misconfigured("secret %q has no key %q, or nothing in it", ref.Name, ref.Key))
	case strings.ContainsFunc(value, breaksLine):
		return no(misconfigured("key %q of secret %q must be one line to be sent as a header", ref.Key, ref.Name))
	}
	return value, nil
}

// listed tells whether a list of hosts holds the server. A host without a port means https on port 443; what is sent in the clear has to be said.
func listed(hosts string, to *url.URL) bool {
	wanted := net.JoinHostPort(strings.ToLower(to.Hostname()), port(to))
	for _, host := range strings.Split(hosts, ",") {
		host = strings.ToLower(strings.TrimSpace(host))
		if host == wanted {
			return true
		}
		if to.Scheme == "https" && net.JoinHostPort(strings.Trim(host, "[]"), "443") == wanted {
			return true
		}
	}
	return false
}

// hostOf is a server as the annotation lists it.
func hostOf(to *url.URL) string {
	if to.Scheme == "https" && port(to) == "443" {
		return strings.ToLower(to.Hostname())
	}
	return net.JoinHostPort(strings.ToLower(to.Hostname()), port(to))
}

func port(to *url.URL) string {
	switch {
	case to.Port() != "":
		return to.Port()
	case to.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}
