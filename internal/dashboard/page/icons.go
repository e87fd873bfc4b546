// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

// icons by their names: strokes in a square of 16. The frame has each of them once, and a page refers to them, so that many of them weigh little.
var icons = map[string]string{
	"ok":         `<circle cx="8" cy="8" r="6.2"/><path d="m5.3 8.2 1.9 1.9 3.6-4"/>`,
	"waiting":    `<circle cx="8" cy="8" r="6.2" stroke-dasharray="2.4 2.1"/><path d="M8 4.8V8l2 1.6"/>`,
	"blocked":    `<path d="M5.4 1.8h5.2l3.6 3.6v5.2l-3.6 3.6H5.4l-3.6-3.6V5.4z"/><path d="M5 8h6"/>`,
	"running":    `<path d="M13.6 5.8A6 6 0 0 0 2.3 6.4M2.4 10.2a6 6 0 0 0 11.3-.6"/><path d="M13.9 2.4v3.5h-3.5M2.1 13.6v-3.5h3.5"/>`,
	"failed":     `<path d="M8 1.9 14.7 13.6H1.3z"/><path d="M8 6.2v3.4M8 11.6v.1"/>`,
	"ended":      `<circle cx="8" cy="8" r="6.2"/><path d="m3.7 12.3 8.6-8.6"/>`,
	"hold":       `<circle cx="8" cy="8" r="6.2"/><path d="M6.2 5.6v4.8M9.8 5.6v4.8"/>`,
	"drift":      `<path d="M1.8 5.6c2-2.6 4.2-2.6 6.2 0s4.2 2.6 6.2 0M1.8 10.8c2-2.6 4.2-2.6 6.2 0s4.2 2.6 6.2 0"/>`,
	"override":   `<path d="M9.2 1.6 3.4 9h4l-.8 5.4L12.6 7h-4z"/>`,
	"clock":      `<circle cx="8" cy="8" r="6.2"/><path d="M8 4.4V8l2.4 1.5"/>`,
	"person":     `<circle cx="8" cy="5.2" r="2.9"/><path d="M2.6 14c.5-3 2.7-4.5 5.4-4.5s4.9 1.5 5.4 4.5"/>`,
	"rollback":   `<path d="M2.4 6.2h7.4a3.9 3.9 0 0 1 0 7.8H6.2"/><path d="M5.6 2.8 2.2 6.2l3.4 3.4"/>`,
	"release":    `<path d="M8 1.6 14 4.8v6.4l-6 3.2-6-3.2V4.8z"/><path d="M2.2 4.9 8 8l5.8-3.1M8 8v6.2"/>`,
	"lock":       `<rect x="3" y="7" width="10" height="7" rx="1.4"/><path d="M5.2 7V4.9a2.8 2.8 0 0 1 5.6 0V7"/>`,
	"search":     `<circle cx="7" cy="7" r="4.8"/><path d="m10.6 10.6 3.6 3.6"/>`,
	"menu":       `<path d="M2.2 4.2h11.6M2.2 8h11.6M2.2 11.8h11.6"/>`,
	"sun":        `<circle cx="8" cy="8" r="2.9"/><path d="M8 1.2v1.5M8 13.3v1.5M1.2 8h1.5M13.3 8h1.5M3.2 3.2l1 1M11.8 11.8l1 1M3.2 12.8l1-1M11.8 4.2l1-1"/>`,
	"approve":    `<path d="M4 1.8h5.5L13 5.3v8.9H4z"/><path d="m6.3 9.2 1.6 1.6 2.7-3"/>`,
	"queued":     `<path d="M2.2 4h7.6M2.2 8h7.6M2.2 12h7.6M13.4 4v8M11.6 10.2l1.8 1.8 1.8-1.8"/>`,
	"window":     `<rect x="2" y="3.2" width="12" height="11" rx="1.4"/><path d="M2 6.6h12M5.2 1.6v3M10.8 1.6v3M6 9l4 3.4M10 9l-4 3.4"/>`,
	"rejected":   `<circle cx="8" cy="8" r="6.2"/><path d="m5.7 5.7 4.6 4.6M10.3 5.7l-4.6 4.6"/>`,
	"expired":    `<path d="M4 1.8h8M4 14.2h8M4.8 1.8c0 4 6.4 4.2 6.4 6.2S4.8 10.2 4.8 14.2M11.2 1.8c0 4-6.4 4.2-6.4 6.2s6.4 2.2 6.4 6.2"/>`,
	"superseded": `<path d="m2.6 3.4 4.6 4.6-4.6 4.6M8.4 3.4 13 8l-4.6 4.6"/>`,
	"invalid":    `<rect x="2" y="2" width="12" height="12" rx="2"/><path d="M6.2 6.2c0-2.2 3.6-2.2 3.6 0 0 1.4-1.8 1.5-1.8 2.9M8 11.5v.1"/>`,
	"empty":      `<circle cx="8" cy="8" r="6.2" stroke-dasharray="1.2 2.4"/>`,
	"behind":     `<path d="M8 2.4v11M3.8 9.2 8 13.4l4.2-4.2"/>`,
	"verifying":  `<circle cx="7" cy="7" r="4.8"/><path d="m10.6 10.6 3.6 3.6M5 7.2l1.4 1.4 2.6-2.8"/>`,
	"forward":    `<path d="M2.2 8h11M9.2 3.8 13.4 8l-4.2 4.2"/>`,
	"create":     `<circle cx="8" cy="8" r="6.2"/><path d="M8 5v6M5 8h6"/>`,
	"update":     `<path d="m9.8 3.4 2.8 2.8L5.4 13.4l-3.2.4.4-3.2zM8.4 4.8l2.8 2.8"/>`,
	"delete":     `<circle cx="8" cy="8" r="6.2"/><path d="M5 8h6"/>`,
	"more":       `<path d="M3.2 8h.1M8 8h.1M12.7 8h.1" stroke-width="2.6"/>`,
}

// icon beside a text, for eyes alone: what it means stands in the text.
func icon(name string) (template.HTML, error) {
	if _, known := icons[name]; !known {
		return "", fmt.Errorf("there is no icon %q", name)
	}
	return iconOf(name), nil
}

// used are the icons as they stand in a page.
var used = func() map[string]template.HTML {
	made := make(map[string]template.HTML, len(icons))
	for name := range icons {
		made[name] = template.HTML(`<svg class="icon" aria-hidden="true"><use href="#i-` + name + `"/></svg>`) //nolint:gosec // it is one of the names above
	}
	return made
}()

// iconOf a name that is known.
func iconOf(name string) template.HTML { return used[name] }

// sprite holds all icons, for the frame.
func sprite() template.HTML {
	var made strings.Builder
	made.WriteString(`<svg class="sprite" width="0" height="0" aria-hidden="true" focusable="false">`)
	for _, name := range slices.Sorted(maps.Keys(icons)) {
		made.WriteString(`<symbol id="i-` + name + `" viewBox="0 0 16 16">` + icons[name] + `</symbol>`)
	}
	made.WriteString(`</svg>`)
	return template.HTML(made.String()) //nolint:gosec // it is the text above
}
