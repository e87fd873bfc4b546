// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// maxBody is how much of an answer is read, after decompression, in bytes.
	maxBody = 1 << 20
	// maxAnswerHeaders is how long the headers of an answer may be, in bytes.
	maxAnswerHeaders = 64 << 10
	// maxRedirects is how often one attempt is sent on.
	maxRedirects = 5
	// maxExcerpt is how much of an answer a message shows, in characters.
	maxExcerpt = 200
)

// HTTP asks servers. It is safe for concurrent use.
type HTTP struct {
	// Secrets reads the Secrets that headers name. It must be live: they are never cached.
	Secrets client.Reader
	// Networks are the private networks that the administrator allows.
	Networks []netip.Prefix
}

// question is one request to a server, and how its answer is judged.
type question struct {
	// field of the check that it is written in: http or prometheus.
	field string
	// method, to, content and body of the request; content is the media type of the body.
	method  string
	to      *url.URL
	content string
	body    []byte
	// headers that the check sends along.
	headers []v1alpha1.HTTPHeader
	// timeout of the whole exchange.
	timeout time.Duration
	// smaller is how to get an answer that is not too large.
	smaller string
	// repeats says that a redirect must not turn the request into another one.
	repeats bool
	// judge an answer that was read to its end.
	judge func(answer) Finding
}

// answer of a server.
type answer struct {
	// server as messages name it.
	server  string
	status  int
	headers http.Header
	// text is valid UTF-8.
	text string
	// over the values of secrets.
	over veil
}

// shows the beginning of an answer.
func (a answer) shows() string {
	shown := fmt.Sprintf("%s answered %d", a.server, a.status)
	if excerpt := printable(a.over.hide(a.text), maxExcerpt); excerpt != "" {
		shown += ": " + excerpt
	}
	return shown
}

// Ask makes one attempt of a check with `http` or `prometheus`.
func (h *HTTP) Ask(ctx context.Context, check v1alpha1.Check, about Subject) Finding {
	ask := askHTTP
	if check.Prometheus.URL != "" {
		ask = askPrometheus
	}
	asked, problem := ask(check, about)
	if problem != nil {
		return *problem
	}
	limited, cancel := context.WithTimeout(ctx, asked.timeout)
	defer cancel()
	headers, over, problem := h.headers(limited, asked, about.Promotion.Namespace)
	if problem != nil {
		return *problem
	}
	request, err := http.NewRequestWithContext(limited, asked.method, asked.to.String(), bytes.NewReader(asked.body))
	if err != nil {
		return misconfigured("make a request: %v", err)
	}
	request.Header = headers
	finding := h.send(request, asked, over)
	finding.Message = printable(over.hide(finding.Message), maxMessage)
	return finding
}

// send asks the server and judges its answer.
func (h *HTTP) send(request *http.Request, asked question, over veil) Finding {
	// A transport for one attempt alone: no connection is shared between projects, and no proxy of the operator's surroundings is used.
	transport := &http.Transport{
		Proxy: nil, DialContext: dialer(h.Networks).DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxAnswerHeaders,
	}
	defer transport.CloseIdleConnections()
	server := hostOf(request.URL)
	response, err := (&http.Client{Transport: transport, CheckRedirect: asked.follows}).Do(request)
	if err != nil {
		return asked.unreached(request.Context(), server, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case err != nil:
		return asked.unreached(request.Context(), server, fmt.Errorf("its answer broke off: %w", err))
	case len(body) > maxBody:
		return failed("%s answered %d with more than 1 MiB, which is not read: %s", server, response.StatusCode, asked.smaller)
	}
	return asked.judge(answer{
		server: server, status: response.StatusCode, headers: response.Header, text: strings.ToValidUTF8(string(body), "�"), over: over,
	})
}

// otherServer says that a redirect leads away from the server that was named.
type otherServer struct{ to string }

// Error says what it does.
func (e *otherServer) Error() string {
	return fmt.Sprintf("it redirects to %q, and a check follows redirects to the same scheme, host and port alone", e.to)
}

// otherQuestion says that a redirect would leave out what is asked.
type otherQuestion struct{ to string }

// Error says what it does.
func (e *otherQuestion) Error() string {
	return fmt.Sprintf("it redirects to %q in a way that loses the query", e.to)
}

var errTooOften = fmt.Errorf("it redirects more than %d times", maxRedirects)

// follows redirects that stay where the request was sent: what is behind another address was not named by the Environment, and the
// headers are not for it.
func (q question) follows(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	same := next.URL.Scheme == first.Scheme && strings.EqualFold(next.URL.Hostname(), first.Hostname()) && port(next.URL) == port(first)
	switch {
	case !same || next.URL.User != nil:
		return &otherServer{to: next.URL.Scheme + "://" + next.URL.Host}
	case len(before) > maxRedirects:
		return errTooOften
	case q.repeats && next.Method != q.method:
		return &otherQuestion{to: next.URL.Path}
	default:
		return nil
	}
}

// unreached tells why there is no whole answer.
func (q question) unreached(ctx context.Context, server string, err error) Finding {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err // its text repeats the URL
	}
	var (
		private *refusedAddress
		other   *otherServer
		lost    *otherQuestion
		network net.Error
	)
	switch {
	case errors.As(err, &private):
		return misconfigured("%s must not be asked: %v", server, private)
	case errors.As(err, &other), errors.As(err, &lost):
		return misconfigured("%s must not be followed: %v: set `%s.url` to where it leads", server, err, q.field)
	case errors.Is(ctx.Err(), context.Canceled):
		return failed("asking %s was stopped", server)
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return failed("%s did not answer within `timeoutSeconds`, %s", server, q.timeout)
	default:
		return failed("%s could not be asked: %v", server, err)
	}
}
