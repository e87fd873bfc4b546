// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"strconv"
	"testing"
)

func TestFreePortsAreDifferentAndCanBeListenedOn(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if seen[port] {
			t.Errorf("port %d was chosen twice", port)
		}
		seen[port] = true
		if port >= outgoingPort {
			t.Errorf("port %d may be given to an outgoing connection while its component is restarted", port)
		}
		listener, err := net.Listen("tcp4", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			t.Errorf("port %d is not free: %v", port, err)
			continue
		}
		defer func() { _ = listener.Close() }()
	}
	if len(seen) != 20 {
		t.Errorf("%d ports, want 20", len(seen))
	}
}
