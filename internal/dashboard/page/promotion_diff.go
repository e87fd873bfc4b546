// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

const (
	// openObject is how many rows an object may have to be shown unfolded, and openDiff how many all of them.
	openObject = 120
	openDiff   = 400
)

// diffSummary is what a plan changes, in short.
type diffSummary struct {
	// Planned says that there is a plan.
	Planned bool
	// Message says why there is none.
	Message string
	Counts  string
	Digest  v1alpha1.Digest
	Short   string
	At      time.Time
	// Dropped says that the diff of a Promotion that has ended is not kept, Cut that it was too long, and Listed that more changes than are listed.
	Dropped bool
	Cut     []string
	// Fallback is what a failed rollout goes back to.
	Fallback string
}

// diffShown is what a plan does to one object.
type diffShown struct {
	Kind, Name string
	Badge      stateBadge
	Added      int
	Removed    int
	Open       bool
	Blocks     []diffBlock
	// Whole says that all of the object comes, or goes: there is nothing to put at the other side.
	Whole bool
	// Missing says why there is no diff.
	Missing string
	// Masked says that values are not shown.
	Masked bool
}

var actionBadges = map[v1alpha1.ChangeAction]stateBadge{
	v1alpha1.ChangeCreate:   {"good", "create", "Created"},
	v1alpha1.ChangeUpdate:   {"run", "update", "Updated"},
	v1alpha1.ChangeRecreate: {"wait", "rollback", "Deleted and created again"},
	v1alpha1.ChangePrune:    {"bad", "delete", "Deleted"},
}

// diff is a part in short, and then one for each object.
func (p *promotionPage) diff() ([]Part, error) {
	difference := report.Differ(p.seen.Promotion)
	parsed := parseDiff(difference.Diff)
	status := p.seen.Promotion.Status.Plan
	summary := diffSummary{
		Planned: status.Digest != "", Message: p.told.Message, Counts: difference.Counts(), Digest: status.Digest, Short: shortDigest(status.Digest),
		At: status.PlannedTime.Time, Dropped: difference.Ended && difference.Diff == "" && len(difference.Changes) > 0, Cut: parsed.rest,
	}
	if p.environment.Spec.Rollout.OnFailure == v1alpha1.OnFailureRollback && !p.told.Ended {
		summary.Fallback = status.Fallback.Release.Name
	}
	part, err := p.part("diff-summary", "promotion-diff-summary", summary)
	if err != nil {
		return nil, err
	}
	parts := []Part{part}
	for _, object := range diffsShown(difference, parsed, p.environment.Spec.Target.Namespace) {
		part, err := p.part(object.id, "promotion-diff-object", object.diffShown)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// identified is what is shown of an object, and the ID of its part.
type identified struct {
	id string
	diffShown
}

// diffsShown are those of all objects that the plan changes: in the order of the diff, and then those of which there is none. Names stand without the namespace that
// nearly all of them are in.
func diffsShown(difference report.Difference, parsed diffText, namespace string) []identified {
	var shown []identified
	rows := 0
	for i, object := range parsed.objects {
		action := object.action()
		if change, listed := changeOf(difference.Changes, object.path); listed {
			action = change.Action
		}
		one := diffShown{Badge: actionBadges[action], Blocks: object.blocks(), Whole: object.created || object.pruned}
		one.Kind, one.Name = object.names()
		one.Name = strings.TrimPrefix(one.Name, namespace+"/")
		one.Added, one.Removed = object.count()
		one.Masked = one.Kind == "Secret"
		if len(one.Blocks) == 0 {
			one.Missing = "Nothing in it changes; it is deleted and created again as it was."
			if len(parsed.rest) > 0 && i == len(parsed.objects)-1 {
				one.Missing = "The diff is cut before it."
			}
		}
		length := rowsOf(one.Blocks)
		one.Open = length <= openObject && rows+length <= openDiff
		if rows += length; !one.Open {
			rows -= length
		}
		shown = append(shown, identified{diffID(object.path), one})
	}
	for _, change := range difference.Changes {
		path := pathOf(change.ObjectReference)
		if slices.ContainsFunc(parsed.objects, func(o diffObject) bool { return o.path == path }) {
			continue
		}
		one := diffShown{Kind: change.Kind, Name: change.Name, Badge: actionBadges[change.Action]}
		if change.Namespace != "" && change.Namespace != namespace {
			one.Name = change.Namespace + "/" + change.Name
		}
		if difference.Diff != "" {
			one.Missing = "The diff is cut before it."
		}
		shown = append(shown, identified{diffID(path), one})
	}
	return distinct(shown)
}

func rowsOf(blocks []diffBlock) int {
	rows := 0
	for _, block := range blocks {
		rows += len(block.Rows)
	}
	return rows
}

// diffID is the same for an object for as long as its name is.
func diffID(path string) string {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(path))
	return fmt.Sprintf("diff-%016x", hash.Sum64())
}

// distinct leaves out none, and gives those that share an ID another one: two parts of one ID would take each other's place.
func distinct(shown []identified) []identified {
	seen := map[string]int{}
	for i := range shown {
		id := shown[i].id
		if seen[id]++; seen[id] > 1 {
			shown[i].id = fmt.Sprintf("%s-%d", id, seen[id])
		}
	}
	return shown
}
