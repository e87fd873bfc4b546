// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"net"
	"net/http"
	"sync/atomic"
)

// counter counts what happens at the same time.
type counter struct {
	count atomic.Int64
}

func (c *counter) add(n int64) { c.count.Add(n) }

func (c *counter) value() int { return int(c.count.Load()) }

// follow counts the connections that are open.
func (c *counter) follow(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.add(1)
	case http.StateClosed, http.StateHijacked:
		c.add(-1)
	case http.StateActive, http.StateIdle:
	}
}

// around counts requests.
func (c *counter) around(next http.RoundTripper) http.RoundTripper {
	return &countingTransport{next: next, requests: c}
}

type countingTransport struct {
	next     http.RoundTripper
	requests *counter
}

func (t *countingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	t.requests.add(1)
	return t.next.RoundTrip(request)
}
