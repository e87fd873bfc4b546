// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"html/template"
	"time"
)

// aged and atMoment are times as templates write them, made without a template: a matrix has thousands.
func aged(at time.Time) template.HTML { return timeElement(at, "data-age") }

func atMoment(at time.Time) template.HTML { return timeElement(at, "data-moment") }

func timeElement(at time.Time, kind string) template.HTML {
	if at.IsZero() {
		return ""
	}
	at = at.UTC()
	made := make([]byte, 0, 96)
	made = at.AppendFormat(append(made, `<time datetime="`...), time.RFC3339)
	made = append(append(append(made, `" `...), kind...), '>')
	made = at.AppendFormat(made, "2006-01-02 15:04 UTC")
	return template.HTML(append(made, "</time>"...)) //nolint:gosec // nothing is in it but digits and the names of attributes
}

// to is a link to a path, made without a template for the same reason.
func to(path string) template.HTMLAttr {
	return template.HTMLAttr(`href="` + template.HTMLEscapeString(path) + `"`) //nolint:gosec // links.go has escaped its segments, and this the rest
}
