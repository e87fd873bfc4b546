// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

// AuditSeen is what was read for the page of the audit, as the viewer.
type AuditSeen struct {
	Filter AuditFilter
	// Environments were read before the records, and so do not know of more: a history may be ahead of them, and never behind.
	Environments []*v1alpha1.Environment
	Projects     []string
	// Records of the project and the Environment that the filter names, of all where it names none, in the order of the API server. Nothing else may be left out of them:
	// they are verified, too.
	Records []v1alpha1.AuditRecord
	// Cut says that there are more than were read.
	Cut bool
}

// auditPageSize is how many records are shown at once.
const auditPageSize = 100

// auditForm is what stands around the records. It is made once, so that nobody loses what they type.
type auditForm struct {
	Filter                     AuditFilter
	Projects                   []string
	Types                      []v1alpha1.AuditType
	Environments, Apps, People []string
	CSV, Lines                 string
	Narrows, Cut               bool
}

// Audit is the page of what has happened: who has asked, who has decided and what became of it, and whether it is what was written.
func Audit(c Context, seen AuditSeen) (View, error) {
	var found []*v1alpha1.AuditRecord
	_ = seen.asked(func(record *v1alpha1.AuditRecord) error { // which never fails
		found = append(found, record)
		return nil
	})
	slices.SortStableFunc(found, newestRecords)
	view := View{Title: "Audit", Template: "audit", Data: auditAround(c, seen)}
	for _, slot := range []struct {
		id    string
		parts func() ([]Part, error)
	}{
		{"audit-chain", func() ([]Part, error) { return c.auditChain(seen) }},
		{"audit-summary", func() ([]Part, error) { return c.auditSummary(seen, len(found)) }},
		{"audit-rows", func() ([]Part, error) { return c.auditRows(seen, found) }},
		{"audit-pages", func() ([]Part, error) { return c.auditPages(seen, len(found)) }},
	} {
		parts, err := slot.parts()
		if err != nil {
			return View{}, err
		}
		view.Slots = append(view.Slots, Slot{ID: slot.id, Parts: parts})
	}
	return view, nil
}

func auditAround(c Context, seen AuditSeen) auditForm {
	form := auditForm{
		Filter: seen.Filter, Projects: legible(seen.Projects), Types: auditTypes, Narrows: seen.Filter.Narrows(), Cut: seen.Cut,
		CSV: withQuery(c.Path("audit", "export.csv"), seen.Filter.Query(1)), Lines: withQuery(c.Path("audit", "export.jsonl"), seen.Filter.Query(1)),
	}
	names, apps, people := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, environment := range seen.Environments {
		names[environment.Name], apps[environment.Spec.Application] = true, true
	}
	for i := range seen.Records {
		names[seen.Records[i].Spec.Environment] = true
		for _, who := range auditPeople(&seen.Records[i]) {
			people[who] = who != ""
		}
	}
	form.Environments, form.Apps, form.People = offered(names), offered(apps), offered(people)
	return form
}

// mostOffered is how many names a field offers.
const mostOffered = 200

// offered names, in their order.
func offered(names map[string]bool) []string {
	found := make([]string, 0, len(names))
	for name, is := range names {
		if is {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	found = legible(found)
	return found[:min(len(found), mostOffered)]
}

// legible are the names that read as they are. Others are not offered: a form has to send what it shows.
func legible(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return plan.Visible(name) != name })
}

func withQuery(path string, query url.Values) string {
	if encoded := query.Encode(); encoded != "" {
		return path + "?" + encoded
	}
	return path
}

// auditSummary says how many there are, and of how many.
func (c Context) auditSummary(seen AuditSeen, found int) ([]Part, error) {
	text := counted(found, "record") + "."
	if found < len(seen.Records) {
		text = fmt.Sprintf("%d of %s.", found, counted(len(seen.Records), "record"))
	}
	if seen.Cut {
		text += fmt.Sprintf(" Only the first %d were read, in the order of projects and environments, and there are more: choose a project or an environment to see all of its own.", len(seen.Records))
	}
	return c.one("audit-count", "audit-summary", text)
}

// auditRow is one record.
type auditRow struct {
	Record                                *v1alpha1.AuditRecord
	Application                           string
	At                                    time.Time
	Badge                                 stateBadge
	Rollback, Overridden                  bool
	ToEnvironment, ToPromotion, ToRelease string
	Gates, By, Checks, Target             string
	Decisions                             []auditDecision
	Objects                               int
}

// auditDecision is what somebody has decided.
type auditDecision struct {
	User, Comment, Rules string
	Badge                stateBadge
	At                   time.Time
}

func (c Context) auditRows(seen AuditSeen, found []*v1alpha1.AuditRecord) ([]Part, error) {
	known := applications(seen.Environments)
	overridden := map[string]bool{}
	for i := range seen.Records {
		if seen.Records[i].Spec.Type == v1alpha1.AuditOverridden {
			overridden[seen.Records[i].Spec.Promotion.UID] = true
		}
	}
	first := min((seen.Filter.Page-1)*auditPageSize, len(found))
	if seen.Filter.Page < 1 {
		first = 0
	}
	var parts []Part
	for _, record := range found[first:min(first+auditPageSize, len(found))] {
		row := c.auditRow(record, overridden[record.Spec.Promotion.UID])
		row.Application = known[Place{record.Namespace, record.Spec.Environment}]
		part, err := c.part("record-"+record.Namespace+"."+record.Name, "audit-row", row)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func (c Context) auditRow(record *v1alpha1.AuditRecord, overridden bool) auditRow {
	spec := &record.Spec
	row := auditRow{
		Record: record, At: spec.Time.Time, Badge: auditBadge(spec.Type), Rollback: spec.PromotionType == v1alpha1.PromotionTypeRollback, Overridden: overridden,
		ToEnvironment: c.Environment(record.Namespace, spec.Environment), ToPromotion: c.Promotion(record.Namespace, spec.Promotion.Name),
		Gates: gatesText(spec.Gates), By: spec.By.Username, Objects: len(spec.Objects),
	}
	if spec.Release.Name != "" {
		row.ToRelease = c.Release(record.Namespace, spec.Release.Name)
	}
	if spec.Target.Namespace != "" {
		row.Target = spec.Target.Namespace + ", as " + spec.Target.ServiceAccountName
	}
	var checks []string
	for _, check := range spec.Checks {
		checks = append(checks, check.Name+": "+string(check.Result)+", "+check.Message)
	}
	row.Checks = strings.Join(checks, "; ")
	for _, decision := range spec.Decisions {
		shown := auditDecision{User: decision.User, Comment: decision.Comment, Rules: enumerated(decision.Rules, "and"), At: decision.Time.Time, Badge: stateBadge{"good", "ok", "Approved"}}
		if decision.Decision == v1alpha1.DecisionRejected {
			shown.Badge = stateBadge{"stop", "ended", "Rejected"}
		}
		row.Decisions = append(row.Decisions, shown)
	}
	return row
}

// auditBadge of a type of record.
func auditBadge(kind v1alpha1.AuditType) stateBadge {
	switch kind {
	case v1alpha1.AuditIntent:
		return stateBadge{"run", "forward", "Intent"}
	case v1alpha1.AuditOverridden:
		return stateBadge{"stop", "override", "Overridden"}
	case v1alpha1.AuditAcknowledged:
		return stateBadge{"quiet", "ok", "Acknowledged"}
	case v1alpha1.AuditCorrected:
		return stateBadge{"wait", "drift", "Corrected"}
	case v1alpha1.AuditSucceeded, v1alpha1.AuditFailed, v1alpha1.AuditRolledBack, v1alpha1.AuditRejected, v1alpha1.AuditExpired, v1alpha1.AuditSuperseded,
		v1alpha1.AuditCancelled:
	}
	return badgeOf(string(kind))
}

// auditPaging leads to older and newer records.
type auditPaging struct {
	Number, Of   int
	Newer, Older string
}

func (c Context) auditPages(seen AuditSeen, found int) ([]Part, error) {
	paging := auditPaging{Number: max(1, seen.Filter.Page), Of: (found + auditPageSize - 1) / auditPageSize}
	if paging.Of <= 1 && paging.Number == 1 {
		return nil, nil
	}
	if paging.Number > 1 {
		paging.Newer = withQuery(c.Path("audit"), seen.Filter.Query(min(paging.Number-1, max(1, paging.Of))))
	}
	if paging.Number < paging.Of {
		paging.Older = withQuery(c.Path("audit"), seen.Filter.Query(paging.Number+1))
	}
	return c.one("audit-paging", "audit-pages", paging)
}
