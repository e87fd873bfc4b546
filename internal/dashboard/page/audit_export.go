// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"io"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// asked are the records that the filter leaves, in the order in which they were read.
func (seen AuditSeen) asked(visit func(*v1alpha1.AuditRecord) error) error {
	known := applications(seen.Environments)
	for i := range seen.Records {
		record := &seen.Records[i]
		if !seen.Filter.Matches(record, known[Place{record.Namespace, record.Spec.Environment}]) {
			continue
		}
		if err := visit(record); err != nil {
			return err
		}
	}
	return nil
}

// CSV writes all records that the filter leaves, for spreadsheets.
func (seen AuditSeen) CSV(w io.Writer) error {
	table, err := report.NewRecordTable(w)
	if err != nil {
		return err
	}
	if err := seen.asked(table.Record); err != nil {
		return err
	}
	return table.Flush()
}

// Lines writes all records that the filter leaves as lines of JSON, to be verified elsewhere. How far a history had come stands before them where all of it is written:
// of others it would say that something is missing.
func (seen AuditSeen) Lines(w io.Writer) error {
	lines, whole := report.NewRecordLines(w), wholeHistories(seen.Records, seen.Cut)
	for _, environment := range seen.Environments {
		of := Place{environment.Namespace, environment.Name}
		if seen.Filter.Narrows() || !seen.Filter.reads(of) || !whole(of) {
			continue
		}
		if err := lines.Head(environment); err != nil {
			return err
		}
	}
	return seen.asked(lines.Record)
}
