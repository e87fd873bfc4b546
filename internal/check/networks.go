// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// NetworksFlag is the operator's flag that allows private networks.
const NetworksFlag = "--check-networks"

// special are the networks of no public server that netip does not tell by itself (the special-purpose address registries of IANA,
// RFC 6890), and those that carry an IPv4 address inside of an IPv6 one.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT, and many a cluster's pods
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), // IPv4-compatible
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4
	netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("5f00::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// refusedAddress says that a name leads to an address that must not be connected to.
type refusedAddress struct{ address netip.Addr }

// Error names the flag that allows it.
func (e *refusedAddress) Error() string {
	return fmt.Sprintf("its address %s is private: the administrator must allow that network with the operator's flag %s", e.address, NetworksFlag)
}

// allowed tells whether an address may be connected to.
func allowed(address netip.Addr, networks []netip.Prefix) bool {
	address = address.Unmap().WithZone("")
	in := func(network netip.Prefix) bool { return network.Contains(address) }
	if slices.ContainsFunc(networks, in) {
		return true
	}
	return address.IsGlobalUnicast() && !address.IsPrivate() && !slices.ContainsFunc(special, in)
}

// dialer connects to public addresses and to those networks. It looks at the address of each connection itself, after every name was
// resolved: a name that leads elsewhere the next time changes nothing.
func dialer(networks []netip.Prefix) *net.Dialer {
	return &net.Dialer{ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("read the address %q: %w", address, err)
		}
		if !allowed(to.Addr(), networks) {
			return &refusedAddress{address: to.Addr().Unmap()}
		}
		return nil
	}}
}
