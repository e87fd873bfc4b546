// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"net/url"
	"strings"
)

// Path is one below the dashboard's own, of segments that are escaped.
func (c Context) Path(segments ...string) string {
	escaped := make([]string, 0, len(segments)+1)
	escaped = append(escaped, c.Base)
	for _, segment := range segments {
		escaped = append(escaped, url.PathEscape(segment))
	}
	return strings.Join(escaped, "/")
}

// Promotion is the address of its page. Its decisions are posted below it.
func (c Context) Promotion(project, name string) string {
	return c.Path("projects", project, "promotions", name)
}

// Environment is the address of its page.
func (c Context) Environment(project, name string) string {
	return c.Path("projects", project, "environments", name)
}

// Release is the address of its page.
func (c Context) Release(project, name string) string {
	return c.Path("projects", project, "releases", name)
}
