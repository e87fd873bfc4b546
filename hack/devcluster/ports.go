// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// loopback is the only address that a cluster listens on.
const loopback = "127.0.0.1"

// errPortTaken says that a component could not listen, because somebody took its port after it was chosen.
var errPortTaken = errors.New("a chosen port was taken by another process")

// From lowestPort to below outgoingPort ports are chosen. From there on the system takes those of outgoing connections: while a component is restarted, one of those
// who try to connect to it would sooner or later be given the component's own port, and keep it.
const lowestPort, outgoingPort = 20000, 32768

// portTries is how often another port is tried where somebody listens already.
const portTries = 100

// freePorts returns n different TCP ports that nobody listens on. Nothing reserves them: until the component listens,
// another process may take one, which is why a start that fails with errPortTaken is tried again.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		listener, err := listenSomewhere()
		if err != nil {
			return nil, fmt.Errorf("choosing a free port: %w", err)
		}
		// Held until all are chosen, so that none is chosen twice.
		defer func() { _ = listener.Close() }()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func listenSomewhere() (listener net.Listener, err error) {
	for range portTries {
		port := lowestPort + rand.IntN(outgoingPort-lowestPort) //nolint:gosec // it need not be hard to guess
		if listener, err = net.Listen("tcp4", net.JoinHostPort(loopback, strconv.Itoa(port))); err == nil {
			return listener, nil
		}
	}
	return nil, err
}
