// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"time"

	"github.com/assent-dev/assent/internal/plan"
)

//go:embed templates/*.html
var files embed.FS

// functions of templates, beside those of Context.
var functions = template.FuncMap{
	"machine": func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
	"utc":     func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") },
	"icon":    icon,
	"sprite":  sprite,
}

var templates = template.Must(template.New("").Funcs(functions).ParseFS(files, "templates/*.html"))

// given is what a template is executed with.
type given struct {
	Context
	// ID of the part that is made, if it is one.
	ID   string
	Data any
}

// part of a page, by the template of that name. The template's outermost element has the ID {{.ID}}.
func (c Context) part(id, name string, data any) (Part, error) {
	html, err := c.execute(name, id, data)
	return Part{ID: id, HTML: html}, err
}

func (c Context) execute(name, id string, data any) (template.HTML, error) {
	var made bytes.Buffer
	if err := templates.ExecuteTemplate(&made, name, given{c, id, data}); err != nil {
		return "", fmt.Errorf("make %q: %w", name, err)
	}
	// What reorders or hides text is spelled out, by letters and digits alone.
	return template.HTML(plan.Visible(made.String())), nil //nolint:gosec // html/template has escaped it
}

// Slot is what stands in the element of that ID; for templates of bodies.
func (v View) Slot(id string) (template.HTML, error) {
	for _, slot := range v.Slots {
		if slot.ID != id {
			continue
		}
		var made bytes.Buffer
		for _, part := range slot.Parts {
			made.WriteString(string(part.HTML))
		}
		return template.HTML(made.String()), nil //nolint:gosec // each part is escaped
	}
	return "", fmt.Errorf("there is no slot %q in the page %q", id, v.Title)
}

// Document is the whole page.
func (c Context) Document(v View, here, assets string) ([]byte, error) {
	body, err := c.execute(v.Template, "", v)
	if err != nil {
		return nil, err
	}
	v.Title = plan.Visible(v.Title)
	var made bytes.Buffer
	if err := templates.ExecuteTemplate(&made, "frame", framed{c, v, body, assets, here}); err != nil {
		return nil, fmt.Errorf("make the page %q: %w", v.Title, err)
	}
	return made.Bytes(), nil
}
