// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// AuditFilter is what of the history is asked for. It stands in the address of the page.
type AuditFilter struct {
	// Text that something of the record has; Person who has asked, decided, opened gates or acknowledged that. Both are looked for in part, in any case of letters.
	Text, Person string
	// Project, Environment, Application and Type; empty for all of them.
	Project, Environment, Application string
	Type                              v1alpha1.AuditType
	// From and To are days in UTC, both of them included; zero for no end.
	From, To time.Time
	// Page of the result, from 1.
	Page int
	// Verify says that histories are to be verified however long that takes.
	Verify bool
	// Problems are what of the address could not be understood, and was left out.
	Problems []string
}

const (
	// auditDay is how a day is written.
	auditDay = "2006-01-02"
	// auditVerify is how it is asked for that long histories are verified.
	auditVerify = "all"
)

// auditTypes in the order in which they are offered.
var auditTypes = []v1alpha1.AuditType{
	v1alpha1.AuditIntent, v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditRolledBack, v1alpha1.AuditRejected, v1alpha1.AuditExpired,
	v1alpha1.AuditSuperseded, v1alpha1.AuditCancelled, v1alpha1.AuditOverridden, v1alpha1.AuditAcknowledged, v1alpha1.AuditCorrected,
}

// AuditFilterOf the query of an address.
func AuditFilterOf(query url.Values) AuditFilter {
	value := func(name string) string { return strings.TrimSpace(query.Get(name)) }
	found := AuditFilter{
		Text: value("q"), Person: value("person"), Project: value("project"), Environment: value("environment"), Application: value("application"), Page: 1,
	}
	if asked := v1alpha1.AuditType(value("type")); slices.Contains(auditTypes, asked) {
		found.Type = asked
	} else if asked != "" {
		found.Problems = append(found.Problems, fmt.Sprintf("There is no type %q.", asked))
	}
	for _, end := range []struct {
		name string
		into *time.Time
	}{{"from", &found.From}, {"to", &found.To}} {
		if text := value(end.name); text != "" {
			day, err := time.Parse(auditDay, text)
			if err != nil {
				found.Problems = append(found.Problems, fmt.Sprintf("%q is no day such as 2031-03-07.", text))
				continue
			}
			*end.into = day
		}
	}
	found.Verify = value("verify") == auditVerify
	if number, err := strconv.Atoi(value("page")); err == nil && number > 1 {
		found.Page = number
	}
	return found
}

// Query of the address of a page of this filter.
func (f AuditFilter) Query(number int) url.Values {
	query := url.Values{}
	for name, value := range map[string]string{
		"q": f.Text, "person": f.Person, "project": f.Project, "environment": f.Environment, "application": f.Application, "type": string(f.Type),
		"from": f.Day(f.From), "to": f.Day(f.To),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if f.Verify {
		query.Set("verify", auditVerify)
	}
	if number > 1 {
		query.Set("page", strconv.Itoa(number))
	}
	return query
}

// Day as the address and the form have it; empty for none.
func (f AuditFilter) Day(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(auditDay)
}

// Narrows says whether anything is left out of the histories that are read: then nobody can verify what is exported.
func (f AuditFilter) Narrows() bool {
	return f.Text != "" || f.Person != "" || f.Application != "" || f.Type != "" || !f.From.IsZero() || !f.To.IsZero()
}

// Matches says whether a record is asked for. Application is that of its Environment; empty where nobody knows.
func (f AuditFilter) Matches(record *v1alpha1.AuditRecord, application string) bool {
	spec := &record.Spec
	switch {
	case f.Project != "" && f.Project != record.Namespace, f.Environment != "" && f.Environment != spec.Environment,
		f.Application != "" && f.Application != application, f.Type != "" && f.Type != spec.Type,
		!f.From.IsZero() && spec.Time.Time.Before(f.From), !f.To.IsZero() && !spec.Time.Time.Before(f.To.AddDate(0, 0, 1)):
		return false
	}
	return (f.Person == "" || slices.ContainsFunc(auditPeople(record), contains(f.Person))) && (f.Text == "" || slices.ContainsFunc(auditTexts(record), contains(f.Text)))
}

// contains a text, in any case of letters.
func contains(text string) func(string) bool {
	wanted := strings.ToLower(text)
	return func(in string) bool { return strings.Contains(strings.ToLower(in), wanted) }
}

// auditPeople of a record.
func auditPeople(record *v1alpha1.AuditRecord) []string {
	people := []string{record.Spec.RequestedBy.Username, record.Spec.By.Username}
	for _, decision := range record.Spec.Decisions {
		people = append(people, decision.User)
	}
	return people
}

// auditTexts are what is searched.
func auditTexts(record *v1alpha1.AuditRecord) []string {
	spec := &record.Spec
	texts := append(auditPeople(record), record.Name, spec.Promotion.Name, spec.Release.Name, spec.Release.Version, spec.Reason, string(spec.PlanDigest), string(spec.Hash))
	for _, decision := range spec.Decisions {
		texts = append(texts, decision.Comment)
	}
	return texts
}

// applications of Environments that are there.
func applications(environments []*v1alpha1.Environment) map[Place]string {
	found := make(map[Place]string, len(environments))
	for _, environment := range environments {
		found[Place{environment.Namespace, environment.Name}] = environment.Spec.Application
	}
	return found
}

// wholeHistories says of which Environments all records were read. The API server lists by project and name; where the reading was cut, what comes after is missing.
func wholeHistories(records []v1alpha1.AuditRecord, cut bool) func(Place) bool {
	if !cut {
		return func(Place) bool { return true }
	}
	last := ""
	for i := range records {
		last = max(last, records[i].Namespace+"/"+records[i].Name)
	}
	return func(of Place) bool {
		const greatest = "-9999999999"
		return of.Project+"/"+of.Environment+greatest < last
	}
}

// newestRecords first.
func newestRecords(a, b *v1alpha1.AuditRecord) int {
	return cmp.Or(b.Spec.Time.Compare(a.Spec.Time.Time), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Spec.Environment, b.Spec.Environment),
		cmp.Compare(b.Spec.Sequence, a.Spec.Sequence))
}
