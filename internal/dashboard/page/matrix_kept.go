// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"slices"
	"strings"
	"sync"
)

// mostRows are kept before all of them are forgotten.
const mostRows = 8192

// Rows keeps the rows of matrices with what they were made of: where a world has the same objects as the one before, so has a row the same HTML. It forgets a row once
// another of the same application and stages is made. It is safe for concurrent use.
type Rows struct {
	mu   sync.Mutex
	made map[rowKey]*keptRow
}

// NewRows keeps none yet.
func NewRows() *Rows { return &Rows{made: map[rowKey]*keptRow{}} }

// rowKey is what a row is kept under, beside the objects.
type rowKey struct{ base, project, application, stages string }

// keptRow is a row, and what it was made of. The objects are compared by where they are: a world is never changed, and while they are kept here, no others can come to be
// in their places.
type keptRow struct {
	of   []any
	row  *row
	part Part
}

// rowOf an application: the one that is kept, if it was made of the same objects.
func (x *index) rowOf(c Context, of application, stages []string) *keptRow {
	if c.Rows == nil {
		return &keptRow{row: x.row(c, of, stages)}
	}
	key, objects := rowKey{c.Base, of.project, of.name, strings.Join(stages, " ")}, x.objects(of)
	c.Rows.mu.Lock()
	last := c.Rows.made[key]
	c.Rows.mu.Unlock()
	if last != nil && slices.Equal(last.of, objects) {
		return last
	}
	return &keptRow{of: objects, row: x.row(c, of, stages)}
}

// objects that the row of an application is made of.
func (x *index) objects(of application) []any {
	objects := make([]any, 0, 4*len(x.of[of])+len(x.releases[of]))
	for _, environment := range x.of[of] {
		at := Place{of.project, environment.Name}
		objects = append(objects, environment, x.ended[at])
		for _, open := range x.open[at] {
			objects = append(objects, open)
		}
		for _, before := range x.before(environment) {
			objects = append(objects, before)
		}
	}
	for _, release := range x.releases[of] {
		objects = append(objects, release)
	}
	return objects
}

// partOf a row, made once.
func (c Context) partOf(kept *keptRow, stages []string) (Part, error) {
	if kept.part.ID != "" {
		return kept.part, nil
	}
	made, err := c.part("row/"+kept.row.Project+"/"+kept.row.Application, "matrix-row", kept.row)
	if err != nil || c.Rows == nil {
		return made, err
	}
	whole := &keptRow{kept.of, kept.row, made}
	c.Rows.mu.Lock()
	defer c.Rows.mu.Unlock()
	if len(c.Rows.made) >= mostRows {
		clear(c.Rows.made)
	}
	c.Rows.made[rowKey{c.Base, kept.row.Project, kept.row.Application, strings.Join(stages, " ")}] = whole
	return made, nil
}
