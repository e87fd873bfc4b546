// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

// Limits of what is asked of a remote cluster.
const (
	// connectTimeout is for the connection, and again for TLS.
	connectTimeout = 5 * time.Second
	// checkTimeout is for one look at whether the cluster answers. It is more than connectTimeout, so that the message says which step took too long.
	checkTimeout = 7 * time.Second
	// discoveryTimeout is for one request that asks what the cluster is.
	discoveryTimeout = 10 * time.Second
	// requestTimeout is for every other request, its answer included; for a watch, until it begins.
	requestTimeout = 30 * time.Second
	// retryAfterLimit is for how long the cluster may ask us to wait before a request is made again, in seconds.
	retryAfterLimit = 5
	// maxDiscoveryBytes of an answer about what the cluster is. With hundreds of custom resources it is about one megabyte.
	maxDiscoveryBytes = 8 << 20
	// maxAnswerBytes of every other answer but that to a watch, whose events the client bounds one by one.
	maxAnswerBytes = 64 << 20
	// maxHeaderBytes of an answer.
	maxHeaderBytes = 1 << 20
)

// boundary is what every request to a remote cluster goes through, whoever makes it.
type boundary struct {
	next   *http.Transport
	server *url.URL
	memory *memory
}

// newBoundary makes the connections of one Cluster: its own, so that they can be closed when nobody uses it any more.
func newBoundary(config *rest.Config, passing clock.PassiveClock) (*boundary, error) {
	server, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	security, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	return &boundary{server: server, memory: &memory{clock: passing}, next: utilnet.SetTransportDefaults(&http.Transport{
		TLSClientConfig:        security,
		DialContext:            (&net.Dialer{Timeout: connectTimeout, KeepAlive: requestTimeout}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		ResponseHeaderTimeout:  requestTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConnsPerHost:    25,
		IdleConnTimeout:        90 * time.Second,
	})}, nil
}

// RoundTrip makes one request within the limits. It is the innermost step: what it is given carries the credentials already.
func (b *boundary) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != b.server.Scheme || request.URL.Host != b.server.Host {
		closeBody(request)
		return nil, &Error{Reason: InvalidAnswer, Message: "the target cluster redirects to another server, and is not followed: " +
			"name that server in the kubeconfig if it is the right one"}
	}
	trial, err := b.memory.enter()
	if err != nil {
		closeBody(request)
		return nil, err
	}
	limits := b.limitsOf(request)
	ctx, cancel := limits.context(request.Context())
	response, err := b.next.RoundTrip(request.WithContext(ctx)) //nolint:bodyclose // the caller closes it
	if err != nil {
		cancel()
		return nil, b.explain(request, err, trial, limits)
	}
	b.memory.leave(trial, answered, nil)
	limits.shortenWait(response.Header)
	if !limits.watch {
		response.Body = &boundedBody{ReadCloser: response.Body, left: limits.bytes, cancel: cancel}
		return response, nil
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: -1, cancel: cancel}
	return response, nil
}

// explain takes note of an error and says what it means for the cluster.
func (b *boundary) explain(request *http.Request, err error, trial bool, limits limits) error {
	if request.Context().Err() != nil {
		b.memory.leave(trial, unknown, nil)
		return err
	}
	problem, connecting := classify(err)
	switch {
	case problem == nil:
		b.memory.leave(trial, unknown, nil)
		return err
	case connecting || trial || limits.discovery:
		b.memory.leave(trial, failed, problem)
	default:
		// One write that takes long says nothing about the cluster: its admission webhooks may be slow.
		b.memory.leave(trial, unknown, nil)
	}
	return problem
}

// classify tells what an error of the network means; nil if the connection just broke, which the client mends by itself. Connecting says that there was none yet.
func classify(err error) (problem *Error, connecting bool) {
	var (
		name        *net.DNSError
		operation   *net.OpError
		certificate *tls.CertificateVerificationError
		plain       tls.RecordHeaderError
		timeout     net.Error
	)
	unreachable := func(how string) *Error {
		return &Error{Reason: Unreachable, Err: err, Message: "the target cluster cannot be reached: " + how +
			": check that it runs, and that the operator's network reaches `clusters[0].cluster.server` of the kubeconfig"}
	}
	isOperation := errors.As(err, &operation)
	isDial := isOperation && (operation.Op == "dial" || operation.Op == "proxyconnect")
	switch {
	case errors.As(err, &certificate):
		return &Error{Reason: Untrusted, Err: err, Message: "the server does not prove to be the target cluster: its certificate is not valid for " +
			"`clusters[0].cluster.server`, or not signed by the authority in `certificate-authority-data`: correct the kubeconfig"}, true
	case errors.As(err, &plain):
		return &Error{Reason: Untrusted, Err: err, Message: "the server does not speak TLS: correct `clusters[0].cluster.server` of the kubeconfig"}, true
	case isOperation && operation.Op == "remote error":
		return unauthorised(err), true // an alert of TLS
	case errors.As(err, &name):
		return unreachable("the name of its server is not known"), true
	case isDial && operation.Timeout():
		return unreachable("it does not accept connections in time"), true
	case isDial:
		return unreachable("it does not accept connections"), true
	case errors.As(err, &timeout) && timeout.Timeout() && strings.Contains(err.Error(), "TLS handshake"):
		return unreachable("it accepts connections, but does not answer"), true
	case errors.As(err, &timeout) && timeout.Timeout():
		return unreachable("it does not answer in time"), false
	}
	return nil, false
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close() // it is the caller's, and was not read
	}
}

// limits of one request.
type limits struct {
	discovery, watch bool
	timeout          time.Duration
	bytes            int64
}

func (b *boundary) limitsOf(request *http.Request) limits {
	path := strings.TrimPrefix(request.URL.Path, b.server.Path)
	switch {
	case path == "/version":
		return limits{discovery: true, timeout: checkTimeout, bytes: maxDiscoveryBytes}
	case isDiscovery(path):
		return limits{discovery: true, timeout: discoveryTimeout, bytes: maxDiscoveryBytes}
	case isWatch(request.URL.Query().Get("watch")):
		return limits{watch: true}
	}
	return limits{timeout: requestTimeout, bytes: maxAnswerBytes}
}

// isWatch reads the parameter as the API server does.
func isWatch(parameter string) bool {
	return parameter != "" && parameter != "0" && parameter != "false"
}

// isDiscovery knows /api, /apis, /api/VERSION and /apis/GROUP/VERSION.
func isDiscovery(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch parts[0] {
	case "api":
		return len(parts) <= 2
	case "apis":
		return len(parts) <= 3
	}
	return false
}

// context ends the request in time; a watch lasts until its reader ends it.
func (l limits) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.watch {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, l.timeout)
}

// shortenWait keeps the server from holding a worker by asking for a long pause: the client would obey, many times over. Discovery asks again later anyway.
func (l limits) shortenWait(header http.Header) {
	const name = "Retry-After"
	if header.Get(name) == "" {
		return
	}
	seconds, err := strconv.Atoi(header.Get(name))
	if l.discovery || err != nil || seconds < 0 {
		header.Del(name)
		return
	}
	header.Set(name, strconv.Itoa(min(seconds, retryAfterLimit)))
}

// boundedBody ends an answer that is too long, and its request when it has been read.
type boundedBody struct {
	io.ReadCloser
	// left is how much may still be read; negative: any.
	left   int64
	cancel context.CancelFunc
}

// Read reads within the bound.
func (b *boundedBody) Read(into []byte) (int, error) {
	if b.left < 0 {
		return b.ReadCloser.Read(into)
	}
	// One byte more than is allowed tells an answer that just fits from one that does not.
	n, err := b.ReadCloser.Read(into[:min(int64(len(into)), b.left+1)])
	if int64(n) > b.left {
		b.left = 0
		return 0, &Error{Reason: InvalidAnswer, Message: "the target cluster's answer is too long: check that the server is a Kubernetes API server"}
	}
	b.left -= int64(n)
	return n, err
}

// Close ends the request.
func (b *boundedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
