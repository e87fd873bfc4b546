// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// maxRetries of one request. With the caller's own backoff on top, more would be a storm when a registry is down.
const maxRetries = 2

// newHTTPClient makes the one HTTP client. It reads no proxy from the environment: the operator talks to the registry that the Release
// names, and to nobody in between.
func newHTTPClient(roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           16,
		IdleConnTimeout:        time.Minute,
		ForceAttemptHTTP2:      true,
	}
	policy := &retry.GenericPolicy{
		Retryable: retry.DefaultPredicate,
		Backoff:   retry.DefaultBackoff,
		MinWait:   100 * time.Millisecond,
		MaxWait:   3 * time.Second,
		MaxRetry:  maxRetries,
	}
	return &http.Client{Transport: &retry.Transport{Base: transport, Policy: func() retry.Policy { return policy }}}
}

// newRegistryClient authenticates to one registry. Its tokens are forgotten with it, so that one project's never serve another.
func newRegistryClient(client *http.Client, reference registry.Reference, credentials Credentials) *auth.Client {
	login := credentials.forRepository(reference.Registry, reference.Repository)
	return &auth.Client{
		Client:     client,
		Header:     http.Header{"User-Agent": {"assent"}},
		Credential: auth.StaticCredential(reference.Host(), login),
		Cache:      auth.NewSingleContextCache(),
	}
}

// explain turns what went wrong between here and the registry into what to do about it.
func (a *artifact) explain(err error, field, what string) *Error {
	return server{
		noun: "registry", host: a.repository.Reference.Registry, url: a.url, field: a.field,
		secret: secretTypeRegistry, plain: schemePlain,
	}.explain(err, field, what)
}

// server is what was asked, in the words of messages about it.
type server struct {
	noun, host, url string
	// field of the Release that the source is in.
	field string
	// secret is the type of Secret that holds credentials for it.
	secret string
	// plain is what a URL begins with that asks for plain HTTP.
	plain string
}

func (s server) explain(err error, field, what string) *Error {
	failed := func(field, message string) *Error {
		return &Error{Reason: v1alpha1.ReasonFetchFailed, Field: field, Message: message, Err: err}
	}
	named := s.noun + " \"" + s.host + "\""
	switch {
	case errors.Is(err, errdef.ErrNotFound), statusOf(err) == http.StatusNotFound:
		return failed(field, what+" does not exist in \""+s.url+"\": push it, or create a new Release with what exists; it is tried again")
	case isDenied(err):
		return failed(s.field+".secretRef", named+" refused to let "+what+" be read ("+reason(err)+"): name a Secret of type \""+s.secret+"\" with credentials that may pull; it is tried again")
	case errors.Is(err, context.DeadlineExceeded):
		return failed(field, named+" did not answer in time for "+what+"; it is tried again")
	case errors.Is(err, context.Canceled):
		return failed(field, "fetching "+what+" was interrupted; it is tried again")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return failed(field, named+" broke off in the middle of "+what+"; it is tried again")
	case isTLSError(err):
		return failed(s.field+".url", named+" could not be trusted or does not speak TLS ("+reason(err)+
			"): give it a certificate the operator trusts; for a "+s.noun+" on plain HTTP begin the URL with \""+s.plain+"\"")
	}
	return failed(s.field+".url", named+" could not deliver "+what+" ("+reason(err)+"): check that it is up and reachable; it is tried again")
}

func isDenied(err error) bool {
	if status := statusOf(err); status != 0 {
		return status == http.StatusUnauthorized || status == http.StatusForbidden
	}
	return errors.Is(err, auth.ErrBasicCredentialNotFound)
}

// statusOf is the HTTP status that an error tells of, or zero.
func statusOf(err error) int {
	var response *errcode.ErrorResponse
	if errors.As(err, &response) {
		return response.StatusCode
	}
	var status *statusError
	if errors.As(err, &status) {
		return status.code
	}
	return 0
}

func isTLSError(err error) bool {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &record) ||
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// reason is the cause in short. It leaves out URLs: after a redirect they may be signed.
func reason(err error) string {
	if status := statusOf(err); status != 0 {
		return strings.TrimSpace("status " + strconv.Itoa(status) + " " + http.StatusText(status))
	}
	if errors.Is(err, auth.ErrBasicCredentialNotFound) {
		return "it asks for a username and a password"
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return foreign(failed.Err.Error())
	}
	return foreign(err.Error())
}
