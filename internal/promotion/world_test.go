// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
	"github.com/assent-dev/assent/internal/audit"
)

// monday is when the worlds of these tests begin.
var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// digestOf something, as a pretence.
func digestOf(something any) v1alpha1.Digest {
	raw, err := json.Marshal(something)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(raw)
	return v1alpha1.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// world is a project with one promotion, and the simplest operator that does what is decided. It writes down what happens.
type world struct {
	t   *testing.T
	log strings.Builder
	now time.Time

	promotion   *v1alpha1.Promotion
	release     *v1alpha1.Release
	environment *v1alpha1.Environment
	guard       Guard
	// lost are the people who no longer hold the verb approve.
	lost map[string]bool
	// newer is a newer promotion that has started.
	newer string
	// noDeployer says that the deployer's service account is not there; refused why the plan can never be carried out.
	noDeployer bool
	refused    string

	history audit.State
	records []v1alpha1.AuditRecord
	objects objects
	// applied is what the process remembers; it dies with it.
	applied bool
	failure string
	// diesBefore is the write that the process does not live to do: "status" or "record".
	diesBefore string
}

// objects are what a rollout applies, as the cluster has them.
type objects struct {
	applied, healthy, total int32
	failing                 []v1alpha1.FailingObject
	hopeless, prunes        bool
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, now: monday, lost: map[string]bool{},
		guard: Guard{Digest: digestOf("guard")},
		release: &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1.4.0", UID: "release-uid", Generation: 1},
			Spec:       v1alpha1.ReleaseSpec{Application: "shop", Version: "1.4.0"},
		},
		environment: &v1alpha1.Environment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "production", UID: "environment-uid", Generation: 1},
			Spec: v1alpha1.EnvironmentSpec{
				Application: "shop", Target: v1alpha1.Target{Namespace: "shop-prod", ServiceAccountName: "assent-deployer"},
				Rollout: v1alpha1.RolloutPolicy{TimeoutSeconds: 300},
			},
		},
		promotion: &v1alpha1.Promotion{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1.4.0-production", UID: "promotion-uid", Generation: 1},
			Spec: v1alpha1.PromotionSpec{
				Release: "shop-1.4.0", Environment: "production", Type: v1alpha1.PromotionTypePromote,
				RequestedBy: v1alpha1.Person{Username: "bob", Groups: []string{"developers"}},
			},
		},
		objects: objects{total: 3},
	}
	w.releaseIs(metav1.ConditionTrue, v1alpha1.ReasonResolved, "the content has been fetched")
	w.release.Status.Digest = digestOf("content")
	return w
}

// happens writes down what has happened to the world, and lets the operator work until there is nothing left to do.
func (w *world) happens(what string, change func()) {
	w.now = w.now.Add(time.Minute)
	if change != nil {
		change()
	}
	fmt.Fprintf(&w.log, "%s %s\n", w.now.Format("15:04"), what)
	for range 10 {
		if !w.reconcile() {
			return
		}
	}
	w.t.Fatalf("the operator does not come to rest:\n%s", w.log.String())
}

// reconcile once: observe, decide, act, record. It says whether there is more to do.
func (w *world) reconcile() bool {
	seen := w.observe(false)
	next := Decide(seen)
	var path []string
	for {
		path = append(path, strings.TrimPrefix(fmt.Sprintf("%T", next), "promotion."))
		if len(path) > 8 {
			w.t.Fatalf("the operator decides in circles: %v\n%s", path, w.log.String())
		}
		if plan, is := next.(MakePlan); is {
			seen.Planned = w.plan(plan.Inputs)
		} else if _, is := next.(Prove); is {
			seen = w.observe(true)
		} else {
			break
		}
		next = Decide(seen)
	}
	fmt.Fprintf(&w.log, "  %s%s\n", strings.Join(path, ", "), details(next))
	recorded := len(w.records)
	before := w.promotion.Status
	alive := w.carryOut(seen, next)
	w.write(before, w.records[recorded:])
	if !alive {
		fmt.Fprintf(&w.log, "    the process dies before writing the %s\n", w.diesBefore)
		w.diesBefore, w.applied = "", false
		return false
	}
	switch next.(type) {
	case Rest, Wait, Watch:
		return false
	default:
		return true
	}
}

// details of a decision that the status does not show.
func details(next Decision) string {
	switch next := next.(type) {
	case Wait:
		if next.Again > 0 {
			return fmt.Sprintf(" (look again in %s)", next.Again)
		}
	case Watch:
		return fmt.Sprintf(" (at most %s)", next.Deadline)
	case Finish:
		return fmt.Sprintf(" (%s)", next.Type)
	case Conclude:
		return fmt.Sprintf(" (%s)", next.Outcome.Spec.Type)
	case Rest, MakePlan, Prove, Start, Apply, Prune, End, Acknowledge:
	}
	return ""
}

// carryOut a decision in the simplest way. It returns false if the process has died.
func (w *world) carryOut(seen Observation, next Decision) bool {
	status := func() bool { return w.act("status", func() { w.setStatus(Status(seen, next)) }) }
	record := func(kind v1alpha1.AuditType, reason string) bool {
		return kind == "" || w.act("record", func() { w.append(w.promotion.Name, kind, reason) })
	}
	switch next := next.(type) {
	case Start: // closed for decisions first, so that what was decided on is what is recorded
		return status() && record(v1alpha1.AuditIntent, "")
	case Apply:
		w.applied, w.objects.applied = true, w.objects.total
	case Prune:
		w.objects.prunes = false
	case Finish:
		return record(next.Type, next.Message) && status()
	case End:
		return record(next.Type, next.Message) && status()
	case Rest, MakePlan, Prove, Wait, Watch, Conclude, Acknowledge:
	}
	return status()
}

// act does one write, unless the process dies before it.
func (w *world) act(what string, write func()) bool {
	if w.diesBefore == what {
		return false
	}
	write()
	return true
}

// setStatus keeps the status as the API server would: times have whole seconds, what is empty is not there.
func (w *world) setStatus(status v1alpha1.PromotionStatus) {
	checkBounds(w.t, status)
	raw, err := json.Marshal(status)
	if err != nil {
		w.t.Fatal(err)
	}
	w.promotion.Status = v1alpha1.PromotionStatus{}
	if err := json.Unmarshal(raw, &w.promotion.Status); err != nil {
		w.t.Fatal(err)
	}
}

// append to the environment's history.
func (w *world) append(promotion string, kind v1alpha1.AuditType, reason string) {
	record, err := audit.Seal("shop", w.history.Head, v1alpha1.AuditRecordSpec{
		Environment: "production", Type: kind, Time: metav1.NewTime(w.now), Reason: reason,
		Promotion: v1alpha1.ObjectIdentity{Name: promotion, UID: promotion + "-uid"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.records = append(w.records, *record)
	w.history = w.history.Follow(record)
	if w.environment != nil {
		w.environment.Status.Audit = w.history.Head
	}
}

// observe the world, from caches or live.
func (w *world) observe(live bool) Observation {
	seen := Observation{
		Now: w.now, Live: live, Promotion: w.promotion.DeepCopy(), Release: w.release.DeepCopy(), Environment: w.environment.DeepCopy(),
		Guard: w.guard, Newer: w.newer,
	}
	if w.environment != nil {
		seen.EnvironmentDigest = digestOf(w.environment.Spec)
	}
	if w.history.Open != nil && w.history.Open.Spec.Promotion.Name != w.promotion.Name {
		seen.Running = w.history.Open.Spec.Promotion.Name
	}
	if live {
		seen.Authority = map[string]approval.Authority{}
		for _, entry := range w.promotion.Spec.Approvals {
			seen.Authority[entry.User] = approval.AuthorityHeld
			if w.lost[entry.User] {
				seen.Authority[entry.User] = approval.AuthorityLost
			}
		}
	}
	intent, outcome := w.recorded()
	if !w.promotion.Status.StartTime.IsZero() {
		seen.Rollout = w.rollout(intent, outcome)
	} else if live && outcome != nil {
		seen.Rollout = &Rollout{Outcome: outcome}
	}
	return seen
}

// recorded is what the history says of the promotion.
func (w *world) recorded() (intent, outcome *v1alpha1.AuditRecord) {
	for i := range w.records {
		switch record := &w.records[i]; {
		case record.Spec.Promotion.Name != w.promotion.Name:
		case record.Spec.Type == v1alpha1.AuditIntent:
			intent = record
		default:
			outcome = record
		}
	}
	return intent, outcome
}

func (w *world) rollout(intent, outcome *v1alpha1.AuditRecord) *Rollout {
	rollout := &Rollout{
		Intent: intent, Outcome: outcome, Applied: w.applied, Failure: w.failure, Hopeless: w.objects.hopeless, Prunes: w.objects.prunes,
		Healthy: w.applied && w.objects.healthy == w.objects.total,
	}
	if w.applied {
		rollout.Progress = v1alpha1.RolloutProgress{
			Applied: ptr.To(w.objects.applied), Healthy: ptr.To(w.objects.healthy), Total: ptr.To(w.objects.total), Failing: w.objects.failing,
		}
	}
	return rollout
}

// plan pretends to render: the digest is that of the inputs.
func (w *world) plan(inputs v1alpha1.PlanInputs) *Planned {
	switch {
	case w.refused != "":
		return &Planned{Refused: w.refused}
	case w.noDeployer:
		return &Planned{
			Unable: fmt.Sprintf(`service account %q does not exist in namespace "shop-prod"`, w.environment.Spec.Target.ServiceAccountName),
			Remedy: "whoever administers namespace \"shop-prod\", by `kubectl -n shop-prod create serviceaccount " + w.environment.Spec.Target.ServiceAccountName + "`",
		}
	}
	decisive := inputs
	decisive.Deployed = ""
	return &Planned{Plan: v1alpha1.Plan{
		Digest: digestOf(decisive), RenderedDigest: digestOf(inputs.ReleaseDigest), Objects: ptr.To(w.objects.total), Inputs: inputs,
		Diff: "+ image: shop:1.4.0", PlannedTime: metav1.NewTime(w.now),
	}}
}

// write down the status that came out, and what was recorded.
func (w *world) write(before v1alpha1.PromotionStatus, records []v1alpha1.AuditRecord) {
	after := w.promotion.Status
	if equality.Semantic.DeepEqual(before, after) {
		fmt.Fprintln(&w.log, "    nothing changes")
	} else {
		w.writeStatus(before, after)
	}
	for _, record := range records {
		fmt.Fprintf(&w.log, "    on record: %d %s\n", record.Spec.Sequence, record.Spec.Type)
	}
}

func (w *world) writeStatus(before, after v1alpha1.PromotionStatus) {
	line := func(what, text string) { fmt.Fprintf(&w.log, "    %s: %s\n", what, text) }
	for _, condition := range after.Conditions {
		earlier := meta.FindStatusCondition(before.Conditions, condition.Type)
		if earlier == nil || !equality.Semantic.DeepEqual(*earlier, condition) {
			line(condition.Type, fmt.Sprintf("%s, %s: %s", condition.Status, condition.Reason, condition.Message))
		}
	}
	for _, condition := range before.Conditions {
		if meta.FindStatusCondition(after.Conditions, condition.Type) == nil {
			line(condition.Type, "gone")
		}
	}
	if after.Plan.Digest != before.Plan.Digest {
		line("plan", approval.Short(after.Plan.Digest))
	} else if !equality.Semantic.DeepEqual(before.Plan, after.Plan) && after.CompletionTime.IsZero() {
		line("plan", "made anew, the same digest")
	}
	if !equality.Semantic.DeepEqual(before.Approvals, after.Approvals) {
		line("approvals", summary(after.Approvals))
	}
	if !equality.Semantic.DeepEqual(before.Blockers, after.Blockers) {
		for _, blocker := range after.Blockers {
			line("blocked by "+string(blocker.Gate), blocker.Message)
			line("  cleared by", blocker.Clears)
		}
		if len(after.Blockers) == 0 {
			line("blocked by", "nothing")
		}
	}
}

func summary(approvals v1alpha1.ApprovalStatus) string {
	parts := []string{approvals.Summary}
	for _, rule := range approvals.Rules {
		if len(rule.ApprovedBy) > 0 {
			parts = append(parts, fmt.Sprintf("rule %s by %s", rule.Name, strings.Join(rule.ApprovedBy, " and ")))
		}
	}
	for _, counted := range approvals.Counted {
		parts = append(parts, fmt.Sprintf("%s counts since %s", counted.User, counted.Time.UTC().Format("15:04")))
	}
	for _, ignored := range approvals.Ignored {
		parts = append(parts, ignored.User+" does not count")
	}
	return strings.Join(parts, ", ")
}
