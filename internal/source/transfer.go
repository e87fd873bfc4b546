// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// transfer speaks to one server over HTTP during one resolve or fetch. It is where the bounds hold, whatever library sits on top:
//
//   - no request leaves for another scheme, host or port than the source's own, redirects included, unless foreign hosts are allowed;
//   - all answers together have no more bytes than the limit, counted after decompression;
//   - the credentials are added here, so that they go nowhere else.
//
// The first failure is kept, since libraries put it into words and drop it.
type transfer struct {
	base   http.RoundTripper
	origin *url.URL
	login  login
	client *http.Client
	// foreign says what is done about requests that lead to another server.
	foreign foreignHosts

	mu        sync.Mutex
	maxBytes  int64
	remaining int64
	failure   error
}

// foreignHosts says what is done about requests that lead to another server than the source's own.
type foreignHosts string

const (
	// foreignRefused is for all that may carry credentials, or that no digest is known of.
	foreignRefused foreignHosts = ""
	// foreignTLS lets https:// be followed, without credentials.
	foreignTLS foreignHosts = "TLS"
)

// statusError is an answer that is no success.
type statusError struct{ code int }

func (e *statusError) Error() string { return fmt.Sprintf("status %d", e.code) }

// elsewhereError is a request, after a redirect or in an answer, to another server than the source's own.
type elsewhereError struct{ host string }

func (e *elsewhereError) Error() string {
	return fmt.Sprintf("it sends on to %q, and only %s is spoken to", e.host, "the host in the URL with its scheme and port")
}

// tooManyBytesError is a server that sends more than the limit.
type tooManyBytesError struct{ max int64 }

func (e *tooManyBytesError) Error() string { return fmt.Sprintf("it sends more than %d bytes", e.max) }

func newTransfer(client *http.Client, origin *url.URL, login login, maxBytes int64) *transfer {
	t := &transfer{base: client.Transport, origin: origin, login: login, maxBytes: maxBytes, remaining: maxBytes}
	t.client = &http.Client{Transport: t}
	return t
}

// sameOrigin compares scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && hostAndPort(a) == hostAndPort(b)
}

// hostAndPort is HOST:PORT in lower case, with the port that the scheme stands for.
func hostAndPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		if port = "443"; u.Scheme == "http" {
			port = "80"
		}
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// RoundTrip sends one request, if it may be sent at all, and returns its answer if that is a success or a redirect.
func (t *transfer) RoundTrip(request *http.Request) (*http.Response, error) {
	own := sameOrigin(request.URL, t.origin)
	if !own && (t.foreign == foreignRefused || request.URL.Scheme != "https") {
		return nil, t.fail(&elsewhereError{host: foreign(request.URL.Scheme + "://" + request.URL.Host)})
	}
	request = request.Clone(request.Context())
	request.URL.User = nil
	request.Header.Set("User-Agent", "assent")
	if own && t.login.password != "" && request.Header.Get("Authorization") == "" {
		request.SetBasicAuth(t.login.username, t.login.password)
	}
	response, err := t.base.RoundTrip(request)
	if err != nil {
		return nil, t.fail(err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		_ = response.Body.Close()
		return nil, t.fail(&statusError{code: response.StatusCode})
	}
	response.Body = &metered{from: response.Body, transfer: t}
	return response, nil
}

// fail keeps the first failure. No error is none.
func (t *transfer) fail(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure == nil {
		t.failure = err
	}
	return err
}

// failed is the first failure of this transfer, or nil where it was not the transfer that failed.
func (t *transfer) failed() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failure
}

// cause is the failure below an error of a library, or the error itself.
func (t *transfer) cause(err error) error {
	if failure := t.failed(); failure != nil {
		return failure
	}
	return err
}

// metered is the body of an answer, cut off where the transfer's bytes end.
type metered struct {
	from     io.ReadCloser
	transfer *transfer
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	if !m.transfer.take(int64(n)) {
		return 0, m.transfer.fail(&tooManyBytesError{max: m.transfer.maxBytes})
	}
	if errors.Is(err, io.EOF) {
		return n, err
	}
	return n, m.transfer.fail(err)
}

func (m *metered) Close() error { return m.from.Close() }

func (t *transfer) take(n int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remaining -= n
	return t.remaining >= 0
}

// get returns the whole answer to a GET.
func (t *transfer) get(ctx context.Context, from string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	return t.do(request)
}

func (t *transfer) do(request *http.Request) ([]byte, error) {
	response, err := t.client.Do(request)
	if err != nil {
		return nil, t.cause(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, t.cause(err)
	}
	return content, nil
}
