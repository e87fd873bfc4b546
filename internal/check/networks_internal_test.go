// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

func TestOnlyPublicAddressesAreAllowedByThemselves(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2a00:1450:4001:830::200e": true, "172.15.0.1": true, "100.63.0.1": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.255.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false,
		"255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "192.0.0.192": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false, "fec0::1": false,
		"::ffff:127.0.0.1": false, "::ffff:100.64.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "::127.0.0.1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false,
	} {
		if got := allowed(netip.MustParseAddr(address), nil); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

func TestANetworkThatTheAdministratorAllowsIsAllowedAndNoOther(t *testing.T) {
	networks := []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12"), netip.MustParsePrefix("fd00::/8")}
	for address, want := range map[string]bool{
		"10.96.0.1": true, "::ffff:10.96.0.1": true, "10.112.0.1": false, "10.0.0.1": false, "fd00::1": true, "fc00::1": false, "127.0.0.1": false, "8.8.8.8": true,
	} {
		if got := allowed(netip.MustParseAddr(address), networks); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

func TestWhatIsNoAddressIsNotConnectedTo(t *testing.T) {
	everywhere := dialer([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")})
	err := everywhere.ControlContext(t.Context(), "tcp", "localhost:80", nil)
	if err == nil || !strings.HasPrefix(err.Error(), "read the address \"localhost:80\"") {
		t.Errorf("got %v", err)
	}
}

func TestAServerIsNamedAsASecretListsIt(t *testing.T) {
	for to, want := range map[string]string{
		"https://Tickets.example.com/a":    "tickets.example.com",
		"https://tickets.example.com:443":  "tickets.example.com",
		"https://tickets.example.com:8443": "tickets.example.com:8443",
		"http://tickets.example.com/a":     "tickets.example.com:80",
		"http://tickets.example.com:443/a": "tickets.example.com:443",
		"https://[2a00::1]/":               "2a00::1",
		"https://[2a00::1]:8443/":          "[2a00::1]:8443",
	} {
		parsed, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		if got := hostOf(parsed); got != want || !listed(got, parsed) {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
}

// Whichever of the two notices first: the clock of the attempt, or the connection that has been given the same deadline.
func TestAServerThatTakesTooLongIsSaidToWhoeverNotices(t *testing.T) {
	over, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer stop()
	for name, test := range map[string]struct {
		ctx context.Context
		err error
	}{
		"the clock":      {over, errors.New("use of closed network connection")},
		"the connection": {t.Context(), &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}},
	} {
		finding := question{timeout: 5 * time.Second}.unreached(test.ctx, "tickets.example.com", test.err)
		if want := "tickets.example.com did not answer within `timeoutSeconds`, 5s"; finding.Message != want || !finding.Retry {
			t.Errorf("%s: %+v", name, finding)
		}
	}
}

func TestASecretNamesTheHostsThatItMayBeSentTo(t *testing.T) {
	for _, test := range []struct {
		hosts, to string
		want      bool
	}{
		{"tickets.example.com", "https://tickets.example.com/a", true},
		{"tickets.example.com", "https://tickets.example.com:443/a", true},
		{"a.example.com, Tickets.Example.com ,", "https://TICKETS.example.com", true},
		{"tickets.example.com:8443", "https://tickets.example.com:8443", true},
		{"tickets.example.com:80", "http://tickets.example.com", true},
		{"2a00::1", "https://[2a00::1]/", true},
		{"[2a00::1]:8443", "https://[2a00::1]:8443/", true},
		{"", "https://tickets.example.com", false},
		{",", "https://tickets.example.com", false},
		{"*", "https://tickets.example.com", false},
		{"example.com", "https://tickets.example.com", false},
		{"tickets.example.com", "https://tickets.example.com.evil.com", false},
		{"tickets.example.com", "https://tickets.example.com:8443", false},
		{"tickets.example.com:8443", "https://tickets.example.com", false},
		// In the clear only where it says so.
		{"tickets.example.com", "http://tickets.example.com", false},
		{"tickets.example.com", "http://tickets.example.com:443", false},
	} {
		to, err := url.Parse(test.to)
		if err != nil {
			t.Fatal(err)
		}
		if got := listed(test.hosts, to); got != test.want {
			t.Errorf("%q for %s: %v, want %v", test.hosts, test.to, got, test.want)
		}
	}
}

func TestASecretIsHiddenInWhateverFormItComesBack(t *testing.T) {
	over := veil{}.with(`Basic Ym9iOmh1bnRlcjIh`).with("pass\"word<1>").with("x y").with("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl").with("")
	for text, want := range map[string]string{
		"Authorization: Basic Ym9iOmh1bnRlcjIh": "Authorization: [hidden]",
		"you sent Ym9iOmh1bnRlcjIh":             "you sent [hidden]",
		"bob:hunter2! is wrong":                 "[hidden] is wrong",
		"hunter2! is wrong":                     "[hidden] is wrong",
		`{"p": "pass\"word\u003c1\u003e"}`:      `{"p": "[hidden]"}`,
		`pass"word<1>`:                          "[hidden]",
		"?p=pass%22word%3C1%3E":                 "?p=[hidden]",
		"x y and x and y":                       "[hidden] and x and y",
		"Basic auth":                            "Basic auth",
		// What only begins as base64 does is no secret of its own.
		`{"alg":"HS256"} is not supported`: `{"alg":"HS256"} is not supported`,
	} {
		if got := over.hide(text); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}
