// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"flag"
	"fmt"
	"net/netip"
	"strings"
)

// Options of the operator, as its flags set them.
type Options struct {
	// LeaderElect lets one of several replicas work at a time.
	LeaderElect bool
	// LeaderElectionNamespace holds the lease.
	LeaderElectionNamespace string
	// MetricsAddress serves /metrics; "0" switches it off.
	MetricsAddress string
	// ProbeAddress serves /healthz and /readyz; "0" switches it off.
	ProbeAddress string
	// CacheDir holds fetched artifacts. It may be emptied at any time.
	CacheDir string
	// Concurrency is how many promotions are worked on at a time.
	Concurrency int
	// CheckNetworks are the private networks that checks may reach, as CIDR prefixes separated by commas.
	CheckNetworks string
	// PlainHTTPRegistries are the registries of images that are spoken to without TLS, as HOST:PORT separated by commas.
	PlainHTTPRegistries string
	// LogFormat is json or text.
	LogFormat string
	// LogLevel is debug, info, warn or error.
	LogLevel string
	// checkNetworks is CheckNetworks, once it was validated.
	checkNetworks []netip.Prefix
}

// BindFlags binds the options to flags, with their defaults.
func (o *Options) BindFlags(flags *flag.FlagSet) {
	flags.BoolVar(&o.LeaderElect, "leader-elect", false, "let one of several replicas work at a time")
	flags.StringVar(&o.LeaderElectionNamespace, "leader-election-namespace", "assent-system", "namespace of the leader election's lease")
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", ":8080", "address that serves /metrics; 0 switches it off")
	flags.StringVar(&o.ProbeAddress, "health-probe-bind-address", ":8081", "address that serves /healthz and /readyz; 0 switches it off")
	flags.StringVar(&o.CacheDir, "cache-dir", "", "folder for fetched artifacts; it may be emptied at any time (default: a folder in the system's temporary folder)")
	flags.IntVar(&o.Concurrency, "concurrency", 16, "how many promotions are worked on at a time")
	flags.StringVar(&o.CheckNetworks, "check-networks", "", "private networks that HTTP checks may reach, as CIDR prefixes separated by commas, such as 10.20.0.0/16 (default: none)")
	flags.StringVar(&o.PlainHTTPRegistries, "plain-http-registries", "",
		"registries of images that are spoken to without TLS where signatures are verified, as HOST:PORT separated by commas (default: none)")
	flags.StringVar(&o.LogFormat, "log-format", "json", "json or text")
	flags.StringVar(&o.LogLevel, "log-level", "info", "debug, info, warn or error")
}

// Validate says which flag is wrong, and what it may be.
func (o *Options) Validate() error {
	switch {
	case o.Concurrency < 1:
		return fmt.Errorf("--concurrency must be at least 1, not %d", o.Concurrency)
	case o.LogFormat != "json" && o.LogFormat != "text":
		return fmt.Errorf("--log-format must be json or text, not %q", o.LogFormat)
	case o.LeaderElect && o.LeaderElectionNamespace == "":
		return fmt.Errorf("--leader-election-namespace must be set with --leader-elect")
	}
	return o.parseNetworks()
}

func (o *Options) plainHTTPRegistries() []string {
	return strings.FieldsFunc(o.PlainHTTPRegistries, func(r rune) bool { return r == ',' || r == ' ' })
}

func (o *Options) parseNetworks() error {
	o.checkNetworks = nil
	for _, text := range strings.FieldsFunc(o.CheckNetworks, func(r rune) bool { return r == ',' || r == ' ' }) {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("--check-networks: %q must be a network such as 10.20.0.0/16: %w", text, err)
		}
		o.checkNetworks = append(o.checkNetworks, prefix)
	}
	return nil
}
