// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/report"
)

// kept is anything that a history may be kept as: an export, a list of kubectl, or lines that the operator has printed.
type kept struct {
	Kind    string            `json:"kind"`
	Items   []json.RawMessage `json:"items"`
	Project string            `json:"project"`
	Audit   json.RawMessage   `json:"audit"`
}

// readHistory reads JSON values, on lines of their own or not, and counts those that are no part of a history.
func readHistory(from io.Reader, into report.Pasts) (others int, err error) {
	counted := &lineCounter{from: from}
	values := json.NewDecoder(counted)
	for {
		var value json.RawMessage
		switch err := values.Decode(&value); {
		case errors.Is(err, io.EOF):
			return others, nil
		case err != nil:
			return others, fmt.Errorf("line %d or later is not JSON as `kubectl assent audit export` writes it: %w", counted.lineAt(values.InputOffset()+1), err)
		}
		more, err := take(value, into)
		if err != nil {
			return others, fmt.Errorf("line %d: %w", counted.lineAt(values.InputOffset()-1), err)
		}
		others += more
	}
}

// take one value, or each of a list.
func take(value json.RawMessage, into report.Pasts) (others int, err error) {
	var found kept
	if json.Unmarshal(value, &found) != nil {
		return 1, nil
	}
	switch {
	case found.Kind == "AuditRecord":
		var record v1alpha1.AuditRecord
		if err := strictly(value, &record); err != nil {
			return 0, fmt.Errorf("record %q: %w", record.Name, err)
		}
		into.Add(&record)
	case found.Kind == report.KindAuditHead:
		var head report.AuditHead
		if err := strictly(value, &head); err != nil {
			return 0, err
		}
		into.Expect(head)
	case len(found.Items) > 0:
		for _, item := range found.Items {
			more, err := take(item, into)
			if err != nil {
				return others, err
			}
			others += more
		}
	case found.Project != "" && len(found.Audit) > 0:
		var record v1alpha1.AuditRecord
		if err := strictly(found.Audit, &record.Spec); err != nil {
			return 0, err
		}
		record.Namespace, record.Name = found.Project, audit.Name(record.Spec.Environment, record.Spec.Sequence)
		into.Add(&record)
	default:
		return 1, nil
	}
	return others, nil
}

// strictly refuses fields that are not known: without them the hash of the record would be another.
func strictly(value json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w (a field that is unknown may be of a newer version: see `kubectl assent --version`)", err)
	}
	return nil
}

// lineCounter knows in which line a byte was.
type lineCounter struct {
	from   io.Reader
	read   int64
	breaks []int64
}

func (l *lineCounter) Read(into []byte) (int, error) {
	n, err := l.from.Read(into)
	for i, b := range into[:n] {
		if b == '\n' {
			l.breaks = append(l.breaks, l.read+int64(i))
		}
	}
	l.read += int64(n)
	return n, err
}

func (l *lineCounter) lineAt(offset int64) int {
	line := 1
	for _, at := range l.breaks {
		if at < offset {
			line++
		}
	}
	return line
}
