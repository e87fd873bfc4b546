// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"net/url"
	"strings"
)

// mostReturn is how long a path to come back to may be, in bytes.
const mostReturn = 2000

// local returns the path and query that somebody comes back to after signing in, or the dashboard's first page: an address that others can write must never lead
// to another host, and not back to signing in or out.
func local(base, back string) string {
	home := base + "/"
	if len(back) > mostReturn || strings.ContainsFunc(back, misread) {
		return home
	}
	parsed, err := url.Parse(back)
	if err != nil || parsed.IsAbs() || parsed.Host != "" || parsed.User != nil || parsed.Opaque != "" {
		return home
	}
	below, found := strings.CutPrefix(parsed.Path, home)
	if !found || strings.Contains(parsed.Path, "//") || strings.HasPrefix(below, "sign-in") || strings.HasPrefix(below, "sign-out") {
		return home
	}
	for segment := range strings.SplitSeq(parsed.Path, "/") {
		if segment == "." || segment == ".." {
			return home
		}
	}
	return (&url.URL{Path: parsed.Path, RawPath: parsed.RawPath, RawQuery: parsed.RawQuery}).String()
}

// misread says which characters browsers leave out of addresses, or take for a slash.
func misread(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }
