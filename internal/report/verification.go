// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
)

// Verification is whether histories are what was written: `kubectl assent audit verify`.
type Verification struct {
	metav1.TypeMeta `json:",inline"`
	// Sound says that nothing is wrong with any of them.
	Sound bool           `json:"sound"`
	Items []VerifiedPast `json:"items"`
}

// VerifiedPast is the history of one Environment.
type VerifiedPast struct {
	Project     string `json:"project"`
	Environment string `json:"environment"`
	// Records is how many there are; FirstSequence and LastSequence are the numbers of the first and the last, 0 where there is none.
	Records       int   `json:"records"`
	FirstSequence int64 `json:"firstSequence"`
	LastSequence  int64 `json:"lastSequence"`
	// Head is the hash of the last record.
	Head v1alpha1.Digest `json:"head,omitempty"`
	// ExpectedSequence is the number that the Environment's status names: the history must reach as far. 0 where no status is known, and the end of the history
	// could be missing without a trace.
	ExpectedSequence int64 `json:"expectedSequence"`
	// Problems are what is wrong, each with the record's name and what was expected.
	Problems []string `json:"problems"`
}

// AuditHead is how far the history of an Environment had come, as its status says: a line of `kubectl assent audit export`.
type AuditHead struct {
	metav1.TypeMeta `json:",inline"`
	Project         string          `json:"project"`
	Environment     string          `json:"environment"`
	Sequence        int64           `json:"sequence"`
	Head            v1alpha1.Digest `json:"head"`
}

// KindAuditHead tells such a line from an AuditRecord.
const KindAuditHead = "AuditHead"

// HeadOf an Environment.
func HeadOf(environment *v1alpha1.Environment) AuditHead {
	status := environment.Status.Audit
	return AuditHead{
		TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: KindAuditHead},
		Project:  environment.Namespace, Environment: environment.Name, Sequence: status.Sequence, Head: status.Head,
	}
}

// Pasts are records and heads by Environment.
type Pasts map[PlaceOfPast]*past

// PlaceOfPast is an Environment, which may be gone.
type PlaceOfPast struct{ Project, Environment string }

type past struct {
	records []v1alpha1.AuditRecord
	heads   []v1alpha1.AuditHead
}

func (p Pasts) at(place PlaceOfPast) *past {
	if p[place] == nil {
		p[place] = &past{}
	}
	return p[place]
}

// Add a record, once if it comes twice: what is archived and what is left may overlap.
func (p Pasts) Add(record *v1alpha1.AuditRecord) {
	of := p.at(PlaceOfPast{record.Namespace, record.Spec.Environment})
	of.records = append(of.records, *record)
}

// Expect that a history reaches as far.
func (p Pasts) Expect(head AuditHead) {
	of := p.at(PlaceOfPast{head.Project, head.Environment})
	if wanted := (v1alpha1.AuditHead{Sequence: head.Sequence, Head: head.Head}); wanted.Sequence > 0 && !slices.Contains(of.heads, wanted) {
		of.heads = append(of.heads, wanted)
	}
}

// Have says whether anything is known of an Environment of that name.
func (p Pasts) Have(environment string) bool {
	for place := range p {
		if place.Environment == environment {
			return true
		}
	}
	return false
}

// Only those of one project are kept.
func (p Pasts) Only(project string) {
	maps.DeleteFunc(p, func(place PlaceOfPast, _ *past) bool { return place.Project != project })
}

// Of these Environments alone.
func (p Pasts) Of(environments []string) {
	maps.DeleteFunc(p, func(place PlaceOfPast, _ *past) bool { return !slices.Contains(environments, place.Environment) })
}

// Verify all of them.
func (p Pasts) Verify() Verification {
	verified := Verification{TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: "Verification"}, Sound: true, Items: []VerifiedPast{}}
	for place, of := range p {
		item := of.verify(place)
		verified.Sound = verified.Sound && len(item.Problems) == 0
		verified.Items = append(verified.Items, item)
	}
	slices.SortFunc(verified.Items, func(a, b VerifiedPast) int {
		return cmp.Or(strings.Compare(a.Project, b.Project), strings.Compare(a.Environment, b.Environment))
	})
	return verified
}

func (p *past) verify(place PlaceOfPast) VerifiedPast {
	slices.SortStableFunc(p.records, func(a, b v1alpha1.AuditRecord) int { return cmp.Compare(a.Spec.Sequence, b.Spec.Sequence) })
	records := slices.CompactFunc(p.records, func(a, b v1alpha1.AuditRecord) bool {
		return a.Name == b.Name && a.Spec.Sequence == b.Spec.Sequence && a.Spec.Hash == b.Spec.Hash && reflect.DeepEqual(a.Spec, b.Spec)
	})
	item := VerifiedPast{Project: place.Project, Environment: place.Environment, Records: len(records), Problems: []string{}}
	if len(records) > 0 {
		last := records[len(records)-1].Spec
		item.FirstSequence, item.LastSequence, item.Head = records[0].Spec.Sequence, last.Sequence, last.Hash
	}
	heads := p.heads
	if len(heads) == 0 {
		heads = []v1alpha1.AuditHead{{}}
	}
	for _, head := range heads {
		item.ExpectedSequence = max(item.ExpectedSequence, head.Sequence)
		for _, problem := range audit.Verify(records, head) {
			if !slices.Contains(item.Problems, problem) {
				item.Problems = append(item.Problems, problem)
			}
		}
	}
	return item
}

// Unsound are the Environments whose history is not what was written.
func (v Verification) Unsound() []VerifiedPast {
	return slices.DeleteFunc(slices.Clone(v.Items), func(item VerifiedPast) bool { return len(item.Problems) == 0 })
}

// Archived says whether there is a history of which nothing but the beginning is missing, as an archiver leaves it.
func (v Verification) Archived() bool {
	return slices.ContainsFunc(v.Items, func(item VerifiedPast) bool { return item.FirstSequence > 1 && len(item.Problems) == 1 })
}

// Names are those of the Environments.
func (v Verification) Names() []string {
	named := make([]string, 0, len(v.Items))
	for _, item := range v.Items {
		named = append(named, "environment."+v1alpha1.GroupName+"/"+item.Environment)
	}
	return named
}

// Text is a table, and what is wrong under it.
func (v Verification) Text(style Style) string {
	table := NewTable("PROJECT", "ENVIRONMENT", "RECORDS", "STATUS NAMES", "HEAD", "RESULT")
	for _, item := range v.Items {
		result, named := "sound", ""
		if len(item.Problems) > 0 {
			result = counted(len(item.Problems), "problem")
		}
		if item.ExpectedSequence > 0 {
			named = strconv.FormatInt(item.ExpectedSequence, 10)
		}
		table.Add(item.Project, item.Environment, strconv.Itoa(item.Records), named, string(item.Head), result)
	}
	var out strings.Builder
	out.WriteString(table.Text(style))
	for _, item := range v.Unsound() {
		fmt.Fprintf(&out, "\n%s of project %s:\n", style.Bold(item.Environment), item.Project)
		for _, problem := range item.Problems {
			fmt.Fprintf(&out, "  %s\n", style.Bad(oneLine(problem)))
		}
	}
	return out.String()
}
