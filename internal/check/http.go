// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/expression"
)

const (
	// maxBody is how much of an answer is read, after decompression, in bytes.
	maxBody = 1 << 20
	// maxHeaders is how long the headers of an answer may be, in bytes.
	maxHeaders = 64 << 10
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

// Ask makes one attempt of a check with `http`.
func (h *HTTP) Ask(ctx context.Context, check v1alpha1.Check, about Subject) Finding {
	if problems := httpProblems(check); len(problems) > 0 {
		return misconfigured("`%s` %s", problems[0].Field, problems[0].Message)
	}
	to, err := url.Parse(check.HTTP.URL)
	if err != nil {
		return misconfigured("`http.url` is no URL")
	}
	when, err := expression.CompileAnswer(condition(check))
	if err != nil {
		return misconfigured("`http.when` %v", err)
	}
	limited, cancel := context.WithTimeout(ctx, timeout(check))
	defer cancel()
	headers, over, problem := h.headers(limited, check, about.Promotion.Namespace, to)
	if problem != nil {
		return *problem
	}
	request, err := newRequest(limited, check, about, headers)
	if err != nil {
		return misconfigured("%v", err)
	}
	finding := h.send(request, check, when, over)
	finding.Message = printable(over.hide(finding.Message), maxMessage)
	return finding
}

func condition(check v1alpha1.Check) string {
	if check.HTTP.When == "" {
		return expression.DefaultAnswer
	}
	return check.HTTP.When
}

// description is what a POST tells the server.
type description struct {
	Project     string                 `json:"project"`
	Promotion   string                 `json:"promotion"`
	UID         string                 `json:"uid"`
	Type        v1alpha1.PromotionType `json:"type"`
	Release     string                 `json:"release"`
	Version     string                 `json:"version"`
	Application string                 `json:"application"`
	Environment string                 `json:"environment"`
	PlanDigest  v1alpha1.Digest        `json:"planDigest"`
	RequestedBy string                 `json:"requestedBy"`
	Reason      string                 `json:"reason"`
}

func newRequest(ctx context.Context, check v1alpha1.Check, about Subject, headers http.Header) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if check.HTTP.Method == v1alpha1.HTTPMethodPost {
		content, err := json.Marshal(description{
			Project: about.Promotion.Namespace, Promotion: about.Promotion.Name, UID: string(about.Promotion.UID), Type: promotionType(about.Promotion),
			Release: about.Release.Name, Version: about.Release.Spec.Version, Application: about.Release.Spec.Application,
			Environment: about.Environment.Name, PlanDigest: about.PlanDigest,
			RequestedBy: about.Promotion.Spec.RequestedBy.Username, Reason: about.Promotion.Spec.Reason,
		})
		if err != nil {
			return nil, fmt.Errorf("describe the promotion as JSON: %w", err)
		}
		method, body = http.MethodPost, bytes.NewReader(content)
	}
	request, err := http.NewRequestWithContext(ctx, method, check.HTTP.URL, body)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	request.Header = headers
	return request, nil
}

func promotionType(promotion *v1alpha1.Promotion) v1alpha1.PromotionType {
	if promotion.Spec.Type == "" {
		return v1alpha1.PromotionTypePromote
	}
	return promotion.Spec.Type
}

// send asks the server and judges its answer.
func (h *HTTP) send(request *http.Request, check v1alpha1.Check, when *expression.Answer, over veil) Finding {
	// A transport for one attempt alone: no connection is shared between projects, and no proxy of the operator's surroundings is used.
	transport := &http.Transport{
		Proxy: nil, DialContext: dialer(h.Networks).DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeaders,
	}
	defer transport.CloseIdleConnections()
	server := hostOf(request.URL)
	response, err := (&http.Client{Transport: transport, CheckRedirect: sameServer}).Do(request)
	if err != nil {
		return unreached(request.Context(), server, check, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case err != nil:
		return unreached(request.Context(), server, check, fmt.Errorf("its answer broke off: %w", err))
	case len(body) > maxBody:
		return failed("%s answered %d with more than 1 MiB, which is not read: let it answer with less", server, response.StatusCode)
	}
	return judge(server, response, string(body), when, over)
}

// judge evaluates `when` over an answer.
func judge(server string, response *http.Response, body string, when *expression.Answer, over veil) Finding {
	text := strings.ToValidUTF8(body, "�")
	passes, err := when.Passes(response.StatusCode, lowerHeaders(response.Header), parseJSON(body), text)
	answered := fmt.Sprintf("%s answered %d", server, response.StatusCode)
	if excerpt := printable(over.hide(text), maxExcerpt); excerpt != "" {
		answered += ": " + excerpt
	}
	switch {
	case err != nil:
		return failed("`when` could not be evaluated (%v): %s", err, answered)
	case !passes:
		return failed("`when` is not met: %s", answered)
	default:
		return passed("%s answered %d", server, response.StatusCode)
	}
}

// otherServer says that a redirect leads away from the server that was named.
type otherServer struct{ to string }

// Error says what to do.
func (e *otherServer) Error() string {
	return fmt.Sprintf("it redirects to %q, and a check follows redirects to the same scheme, host and port alone: set `http.url` to where it leads", e.to)
}

var errTooOften = fmt.Errorf("it redirects more than %d times", maxRedirects)

// sameServer follows redirects that stay where the request was sent: what is behind another address was not named by the Environment, and the
// headers are not for it.
func sameServer(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	same := next.URL.Scheme == first.Scheme && strings.EqualFold(next.URL.Hostname(), first.Hostname()) && port(next.URL) == port(first)
	switch {
	case !same || next.URL.User != nil:
		return &otherServer{to: next.URL.Scheme + "://" + next.URL.Host}
	case len(before) > maxRedirects:
		return errTooOften
	default:
		return nil
	}
}

// unreached tells why there is no whole answer.
func unreached(ctx context.Context, server string, check v1alpha1.Check, err error) Finding {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err // its text repeats the URL
	}
	var (
		private *refusedAddress
		other   *otherServer
		network net.Error
	)
	switch {
	case errors.As(err, &private):
		return misconfigured("%s must not be asked: %v", server, private)
	case errors.As(err, &other):
		return misconfigured("%s must not be followed: %v", server, other)
	case errors.Is(ctx.Err(), context.Canceled):
		return failed("asking %s was stopped", server)
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return failed("%s did not answer within `timeoutSeconds`, %s", server, timeout(check))
	default:
		return failed("%s could not be asked: %v", server, err)
	}
}
