// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
)

// loopback is the only address that a cluster listens on.
const loopback = "127.0.0.1"

// errPortTaken says that a component could not listen, because somebody took its port after it was chosen.
var errPortTaken = errors.New("a chosen port was taken by another process")

// freePorts returns n different TCP ports that nobody listens on. Nothing reserves them: until the component listens,
// another process may take one, which is why a start that fails with errPortTaken is tried again.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		listener, err := net.Listen("tcp4", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, fmt.Errorf("choosing a free port: %w", err)
		}
		// Held until all are chosen, so that none is chosen twice.
		defer func() { _ = listener.Close() }()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
