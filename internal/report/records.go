// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// RecordLines writes audit records as lines of JSON, as `kubectl assent audit export` does and `kubectl assent audit verify --filename` reads.
type RecordLines struct{ lines *json.Encoder }

// NewRecordLines writes to w.
func NewRecordLines(w io.Writer) RecordLines {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	return RecordLines{lines}
}

// Head of a history: how far it had come. Without it, nobody sees later that the end is missing. It comes before the records.
func (r RecordLines) Head(environment *v1alpha1.Environment) error {
	if environment.Status.Audit.Sequence == 0 {
		return nil
	}
	return r.lines.Encode(HeadOf(environment))
}

// Record as the API server has it.
func (r RecordLines) Record(record *v1alpha1.AuditRecord) error {
	whole := *record
	whole.APIVersion, whole.Kind, whole.ManagedFields = v1alpha1.SchemeGroupVersion.String(), "AuditRecord", nil
	return r.lines.Encode(&whole)
}

// RecordTable writes audit records as comma-separated values (RFC 4180), lists with spaces in between. A cell that a spreadsheet would take for a formula begins
// with an apostrophe.
type RecordTable struct{ out *csv.Writer }

// NewRecordTable writes the headings to w.
func NewRecordTable(w io.Writer) (RecordTable, error) {
	out := csv.NewWriter(w)
	return RecordTable{out}, out.Write([]string{
		"time", "project", "environment", "sequence", "type", "promotion", "promotionType", "release", "version", "requestedBy", "decidedBy", "by", "gates", "reason",
		"planDigest", "hash", "previous",
	})
}

// Record is a row.
func (r RecordTable) Record(record *v1alpha1.AuditRecord) error {
	spec := record.Spec
	people := make([]string, 0, len(spec.Decisions))
	for _, decision := range spec.Decisions {
		people = append(people, decision.User)
	}
	gates := make([]string, 0, len(spec.Gates))
	for _, gate := range spec.Gates {
		gates = append(gates, string(gate))
	}
	row := []string{
		spec.Time.UTC().Format(time.RFC3339), record.Namespace, spec.Environment, strconv.FormatInt(spec.Sequence, 10), string(spec.Type), spec.Promotion.Name,
		string(spec.PromotionType), spec.Release.Name, spec.Release.Version, spec.RequestedBy.Username, strings.Join(people, " "), spec.By.Username,
		strings.Join(gates, " "), spec.Reason, string(spec.PlanDigest), string(spec.Hash), string(spec.Previous),
	}
	for i := range row {
		row[i] = harmless(row[i])
	}
	return r.out.Write(row)
}

// Flush writes what has not been written yet.
func (r RecordTable) Flush() error {
	r.out.Flush()
	return r.out.Error()
}
