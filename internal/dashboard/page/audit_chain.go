// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assent-dev/assent/internal/report"
)

const (
	// mostProblems is how many of what is wrong with a history are shown.
	mostProblems = 8
	// mostHistories is how many are listed, those that are not sound before others.
	mostHistories = 60
	// verifiedAtOnce is how many records are verified without being asked to: so many take about a second.
	verifiedAtOnce = 5000
)

// auditChain says of the histories that were read whether they are what was written.
type auditChain struct {
	// Badge says it of all of them.
	Badge stateBadge
	Words string
	Items []auditHistory
	// More is how many are not listed; all of them are sound if MoreSound says so.
	More      int
	MoreSound bool
	// Verify is where all are verified, where that has not been done because it takes long.
	Verify string
}

// auditHistory is that of one Environment.
type auditHistory struct {
	Project, Environment, To string
	Badge                    stateBadge
	// Words say what was verified, and no more than that.
	Words    string
	Problems []string
	More     int
	// severity puts what is wrong first.
	severity int
}

func (c Context) auditChain(seen AuditSeen) ([]Part, error) {
	if len(seen.Records) > verifiedAtOnce && !seen.Filter.Verify {
		asked := seen.Filter
		asked.Verify = true
		return c.one("audit-chain-card", "audit-chain", auditChain{
			Badge: stateBadge{"quiet", "clock", "Not verified"}, Verify: withQuery(c.Path("audit"), asked.Query(asked.Page)),
			Words: fmt.Sprintf("To verify %s takes some seconds. Choose a project or an environment, or", counted(len(seen.Records), "record")),
		})
	}
	chain := seen.verified()
	for i := range chain.Items {
		chain.Items[i].To = c.Environment(chain.Items[i].Project, chain.Items[i].Environment)
	}
	return c.one("audit-chain-card", "audit-chain", chain)
}

// verified are the histories that were read, those that are not what was written first.
func (seen AuditSeen) verified() auditChain {
	whole, pasts := wholeHistories(seen.Records, seen.Cut), report.Pasts{}
	for _, environment := range seen.Environments {
		of := Place{environment.Namespace, environment.Name}
		if seen.Filter.reads(of) && whole(of) && environment.Status.Audit.Sequence > 0 {
			pasts.Expect(report.HeadOf(environment))
		}
	}
	unread := map[Place]bool{}
	for i := range seen.Records {
		record := &seen.Records[i]
		of := Place{record.Namespace, record.Spec.Environment}
		if whole(of) {
			pasts.Add(record)
			continue
		}
		unread[of] = true
	}
	chain := auditChain{Items: []auditHistory{}}
	for _, item := range pasts.Verify().Items {
		chain.Items = append(chain.Items, verifiedHistory(item))
	}
	for of := range unread {
		chain.Items = append(chain.Items, auditHistory{
			Project: of.Project, Environment: of.Environment, Badge: stateBadge{"quiet", "clock", "Not verified"}, severity: 1,
			Words: "Only a part of it was read, which says nothing of the whole. Choose the environment to verify all of it.",
		})
	}
	slices.SortStableFunc(chain.Items, func(a, b auditHistory) int {
		if a.severity != b.severity {
			return b.severity - a.severity
		}
		return strings.Compare(a.Project+"/"+a.Environment, b.Project+"/"+b.Environment)
	})
	chain.sum(seen.Cut)
	if len(chain.Items) > mostHistories {
		chain.More, chain.MoreSound = len(chain.Items)-mostHistories, chain.Items[mostHistories].severity == 0
		chain.Items = chain.Items[:mostHistories]
	}
	return chain
}

// reads says whether the records of an Environment are among those that were read.
func (f AuditFilter) reads(of Place) bool {
	return (f.Project == "" || f.Project == of.Project) && (f.Environment == "" || f.Environment == of.Environment)
}

// verifiedHistory in words.
func verifiedHistory(item report.VerifiedPast) auditHistory {
	shown := auditHistory{Project: item.Project, Environment: item.Environment}
	numbers := fmt.Sprintf("numbers %d to %d", item.FirstSequence, item.LastSequence)
	switch {
	case len(item.Problems) == 1 && item.FirstSequence > 1: // nothing but the beginning is missing
		shown.Badge, shown.severity = stateBadge{"wait", "waiting", "Beginning not here"}, 2
		shown.Words = fmt.Sprintf("Sound from number %d to %d. What comes before is archived or deleted, which nobody can tell from here: verify it together with the archive, by "+
			"kubectl assent audit verify --archive.", item.FirstSequence, item.LastSequence)
	case len(item.Problems) > 0:
		shown.Badge, shown.severity = stateBadge{"bad", "failed", "Not what was written"}, 3
		shown.Words = fmt.Sprintf("%s read. What is wrong:", counted(item.Records, "record"))
		shown.Problems = item.Problems[:min(len(item.Problems), mostProblems)]
		shown.More = len(item.Problems) - len(shown.Problems)
	case item.ExpectedSequence == 0:
		shown.Badge, shown.severity = stateBadge{"good", "ok", "Sound as far as it goes"}, 1
		shown.Words = fmt.Sprintf("All %s follow each other. How far the history should go no status says: its end could be missing without a trace.", numbers)
	default:
		shown.Badge = stateBadge{"good", "ok", "Sound"}
		shown.Words = fmt.Sprintf("All %s follow each other, and reach as far as the environment’s status says (number %d).", numbers, item.ExpectedSequence)
	}
	return shown
}

// sum says it of all histories.
func (a *auditChain) sum(cut bool) {
	byBadge := map[string]int{}
	for _, item := range a.Items {
		byBadge[item.Badge.Class]++
	}
	histories := func(number int) string {
		if number == 1 {
			return "1 history"
		}
		return fmt.Sprintf("%d histories", number)
	}
	switch {
	case byBadge["bad"] > 0:
		a.Badge = stateBadge{"bad", "failed", histories(byBadge["bad"]) + " not what was written"}
		a.Words = "Keep what is there by an export as JSON lines, compare it with the lines that were shipped from the operator’s standard output, and see in the API server’s audit log who " +
			"has written audit records. (A dashboard that is older than the operator finds edits everywhere.)"
	case byBadge["wait"] > 0:
		a.Badge = stateBadge{"wait", "waiting", histories(byBadge["wait"]) + " without a beginning"}
	case byBadge["quiet"] > 0 || cut:
		a.Badge = stateBadge{"quiet", "clock", "Verified in part"}
	case len(a.Items) == 0:
		a.Badge = stateBadge{"quiet", "clock", "Nothing to verify"}
	default:
		a.Badge = stateBadge{"good", "ok", histories(len(a.Items)) + " sound"}
	}
	if cut {
		a.Words = strings.TrimSpace(a.Words + " Histories that were not read are not listed.")
	}
}
