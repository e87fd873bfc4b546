// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
)

// issuer is an OIDC provider whose tokens the API server accepts, beside the certificates of its users. The zero value is none.
type issuer struct {
	url      string
	clientID string
	// authority is the file of the certificate authority of the issuer's own certificate.
	authority string
}

// flags of the command line that name it.
func (i *issuer) flags(flags *flag.FlagSet) {
	flags.StringVar(&i.url, "oidc-issuer", "", "with up and run: URL of an OIDC issuer that the API server trusts; people are named by `preferred_username` and `groups`")
	flags.StringVar(&i.clientID, "oidc-client-id", "", "with --oidc-issuer: the audience that its tokens must have")
	flags.StringVar(&i.authority, "oidc-ca", "", "with --oidc-issuer: file of the certificate authority of the issuer's certificate")
}

// check says whether an issuer is named whole, or not at all.
func (i *issuer) check() error {
	named := 0
	for _, part := range []string{i.url, i.clientID, i.authority} {
		if part != "" {
			named++
		}
	}
	if named != 0 && named != 3 {
		return errors.New("--oidc-issuer, --oidc-client-id and --oidc-ca go together")
	}
	return nil
}

// configure keeps the issuer's authority with everything else about the cluster.
func (i *issuer) configure(d directory) error {
	if i.url == "" {
		return nil
	}
	content, err := os.ReadFile(i.authority)
	if err != nil {
		return fmt.Errorf("reading the authority of the issuer: %w", err)
	}
	//nolint:gosec // the path is one of this program's own, below the directory that the user names
	return os.WriteFile(d.pki("issuer.crt"), content, 0o600)
}

// arguments for the API server. Names have no prefix, so that a person is the same as by certificate: RBAC for one is for the other.
func (i *issuer) arguments(d directory) []string {
	if i.url == "" {
		return nil
	}
	return []string{
		"--oidc-issuer-url=" + i.url,
		"--oidc-client-id=" + i.clientID,
		"--oidc-ca-file=" + d.pki("issuer.crt"),
		"--oidc-username-claim=preferred_username",
		"--oidc-username-prefix=-",
		"--oidc-groups-claim=groups",
		// What providers commonly sign tokens with.
		"--oidc-signing-algs=RS256,ES256",
	}
}

// trustedBy says whether the cluster of these processes trusts the issuer; of none it is true.
func (i *issuer) trustedBy(d directory, processes []process) bool {
	return !slices.ContainsFunc(i.arguments(d), func(argument string) bool {
		return !slices.ContainsFunc(processes, func(p process) bool { return slices.Contains(p.Arguments, argument) })
	})
}
