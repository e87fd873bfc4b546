// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// History is what has happened, the newest first: `kubectl assent history`.
type History struct {
	metav1.TypeMeta `json:",inline"`
	Items           []Happening `json:"items"`
}

// Happening is one Promotion that has started or ended, or one correction of what somebody else had changed, as the audit records tell it.
type Happening struct {
	Project     string                 `json:"project"`
	Environment string                 `json:"environment"`
	Promotion   string                 `json:"promotion"`
	Type        v1alpha1.PromotionType `json:"type"`
	Release     string                 `json:"release,omitempty"`
	Version     string                 `json:"version,omitempty"`
	// Result is the type of the last audit record of the Promotion; RollingOut while a rollout has no outcome.
	Result      string `json:"result"`
	RequestedBy string `json:"requestedBy,omitempty"`
	// DecidedBy are the people whose decisions counted.
	DecidedBy []string `json:"decidedBy"`
	// OverriddenBy is who has opened gates, and Gates are those.
	OverriddenBy string                     `json:"overriddenBy,omitempty"`
	Gates        []v1alpha1.OverridableGate `json:"gates,omitempty"`
	// AcknowledgedBy is who has taken note of that.
	AcknowledgedBy string `json:"acknowledgedBy,omitempty"`
	// Reason is what the requester gave, of rollouts that have started; Message is what was said of the end.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// StartTime is when the rollout started; absent where none has. Time is when the last record but an acknowledgement was written.
	StartTime metav1.Time `json:"startTime,omitempty,omitzero"`
	Time      metav1.Time `json:"time"`
	// Seconds from the start of the rollout to its end; absent where it has not started or not ended.
	Seconds *int64 `json:"seconds,omitempty"`
	// FirstSequence and LastSequence number the records in the history of the Environment.
	FirstSequence int64           `json:"firstSequence"`
	LastSequence  int64           `json:"lastSequence"`
	PlanDigest    v1alpha1.Digest `json:"planDigest,omitempty"`
}

// rollingOut is the result while a rollout has no outcome.
const rollingOut = v1alpha1.ReasonRollingOut

// subject is what records are told together for.
type subject struct{ project, environment, uid string }

// Tell makes a history of audit records, in whatever order they come.
func Tell(records []v1alpha1.AuditRecord) History {
	slices.SortFunc(records, func(a, b v1alpha1.AuditRecord) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Spec.Environment, b.Spec.Environment), cmp.Compare(a.Spec.Sequence, b.Spec.Sequence))
	})
	told := History{TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: "History"}, Items: []Happening{}}
	at := map[subject]int{}
	for i := range records {
		record := &records[i]
		of := subject{record.Namespace, record.Spec.Environment, record.Spec.Promotion.UID}
		if record.Spec.Type == v1alpha1.AuditCorrected { // a matter of its own, after the Promotion has ended
			corrected := begin(record)
			corrected.Message = record.Spec.Reason
			told.Items = append(told.Items, corrected)
			continue
		}
		known, ok := at[of]
		if !ok {
			known = len(told.Items)
			at[of] = known
			told.Items = append(told.Items, begin(record))
		}
		told.Items[known].add(record)
	}
	slices.SortStableFunc(told.Items, func(a, b Happening) int {
		return cmp.Or(b.Time.Compare(a.Time.Time), strings.Compare(a.Project, b.Project), strings.Compare(a.Environment, b.Environment), cmp.Compare(b.LastSequence, a.LastSequence))
	})
	return told
}

func begin(record *v1alpha1.AuditRecord) Happening {
	spec := record.Spec
	return Happening{
		Project: record.Namespace, Environment: spec.Environment, Promotion: spec.Promotion.Name, Type: cmp.Or(spec.PromotionType, v1alpha1.PromotionTypePromote),
		Release: spec.Release.Name, Version: spec.Release.Version, Result: string(spec.Type), RequestedBy: spec.RequestedBy.Username, DecidedBy: []string{},
		Time: spec.Time, FirstSequence: spec.Sequence, LastSequence: spec.Sequence, PlanDigest: spec.PlanDigest,
	}
}

// add what a further record says.
func (h *Happening) add(record *v1alpha1.AuditRecord) {
	spec := record.Spec
	h.LastSequence = spec.Sequence
	for _, decision := range spec.Decisions {
		if !slices.Contains(h.DecidedBy, decision.User) {
			h.DecidedBy = append(h.DecidedBy, decision.User)
		}
	}
	h.PlanDigest = cmp.Or(h.PlanDigest, spec.PlanDigest)
	h.RequestedBy = cmp.Or(h.RequestedBy, spec.RequestedBy.Username)
	switch spec.Type {
	case v1alpha1.AuditOverridden:
		h.OverriddenBy, h.Gates = spec.By.Username, spec.Gates
	case v1alpha1.AuditAcknowledged:
		h.AcknowledgedBy = spec.By.Username
	case v1alpha1.AuditIntent:
		h.StartTime, h.Time, h.Result, h.Reason = spec.Time, spec.Time, rollingOut, spec.Reason
	case v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditRolledBack, v1alpha1.AuditCorrected, v1alpha1.AuditRejected,
		v1alpha1.AuditExpired, v1alpha1.AuditSuperseded, v1alpha1.AuditCancelled:
		h.Time, h.Result, h.Message = spec.Time, string(spec.Type), spec.Reason
		if !h.StartTime.IsZero() {
			seconds := int64(spec.Time.Sub(h.StartTime.Time) / time.Second)
			h.Seconds = &seconds
		}
	}
}

// Names are those of the Promotions.
func (h History) Names() []string {
	named := []string{}
	for _, item := range h.Items {
		if name := "promotion." + v1alpha1.GroupName + "/" + item.Promotion; !slices.Contains(named, name) {
			named = append(named, name)
		}
	}
	return named
}

// Table for people.
func (h History) Table(wide bool) *Table {
	headings := []string{"TIME", "ENVIRONMENT", "RELEASE", "RESULT", "TOOK", "ASKED BY", "DECIDED BY", "WHY"}
	if wide {
		headings = append([]string{"PROJECT", "PROMOTION"}, append(headings, "OVERRIDDEN BY", "RECORDS")...)
	}
	table := NewTable(headings...)
	for _, item := range h.Items {
		took := ""
		if item.Seconds != nil {
			took = duration.HumanDuration(time.Duration(*item.Seconds) * time.Second)
		}
		cells := []string{
			item.Time.UTC().Format("2006-01-02 15:04:05"), item.Environment, item.Release, item.result(), took,
			item.RequestedBy, strings.Join(item.DecidedBy, ","), item.why(),
		}
		if wide {
			cells = append([]string{item.Project, item.Promotion}, append(cells, item.OverriddenBy, item.records())...)
		}
		table.Add(cells...)
	}
	return table
}

func (h Happening) result() string {
	if h.Type == v1alpha1.PromotionTypeRollback {
		return h.Result + " (rollback)"
	}
	return h.Result
}

// why it was asked for, or, where it did not end well, why that is.
func (h Happening) why() string {
	if h.Result == string(v1alpha1.AuditSucceeded) || h.Message == "" {
		return h.Reason
	}
	return h.Message
}

func (h Happening) records() string {
	if h.FirstSequence == h.LastSequence {
		return strconv.FormatInt(h.FirstSequence, 10)
	}
	return strconv.FormatInt(h.FirstSequence, 10) + "-" + strconv.FormatInt(h.LastSequence, 10)
}

// CSV writes the fields of the JSON as comma-separated values (RFC 4180), lists with spaces in between. A cell that a spreadsheet would take for a formula
// begins with an apostrophe: what people write must not be carried out there.
func (h History) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{
		"time", "startTime", "seconds", "project", "environment", "promotion", "type", "release", "version", "result", "requestedBy", "decidedBy",
		"overriddenBy", "gates", "acknowledgedBy", "reason", "message", "planDigest",
	}); err != nil {
		return err
	}
	for _, item := range h.Items {
		seconds, started := "", ""
		if item.Seconds != nil {
			seconds = strconv.FormatInt(*item.Seconds, 10)
		}
		if !item.StartTime.IsZero() {
			started = item.StartTime.UTC().Format(time.RFC3339)
		}
		gates := make([]string, 0, len(item.Gates))
		for _, gate := range item.Gates {
			gates = append(gates, string(gate))
		}
		row := []string{
			item.Time.UTC().Format(time.RFC3339), started, seconds, item.Project, item.Environment, item.Promotion, string(item.Type), item.Release, item.Version,
			item.Result, item.RequestedBy, strings.Join(item.DecidedBy, " "), item.OverriddenBy, strings.Join(gates, " "), item.AcknowledgedBy, item.Reason,
			item.Message, string(item.PlanDigest),
		}
		for i := range row {
			row[i] = harmless(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func harmless(text string) string {
	text = shown(text)
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
