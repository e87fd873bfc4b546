// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/test/badinput"
	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/oracle"
)

// walks of each kind, by default and where all is asked for.
var walks = map[string][2]int{"Environment": {14, 240}, "Promotion": {6, 80}, "Release": {4, 60}}

var _ = Describe("an object that is changed, and changed back,", func() {
	It("has the status that it had; an approval counts for its own plan and no other", NodeTimeout(longRun), func(ctx context.Context) {
		r := rand.New(rand.NewPCG(scene.seed, 2))
		var all []*walk
		for _, kind := range []string{"Environment", "Promotion", "Release"} {
			for _, change := range chosen(kind, badinput.Changes(kindOf(kind)), r) {
				all = append(all, &walk{number: len(all), kind: kindOf(kind), change: change, way: ways[r.IntN(len(ways))]})
			}
		}
		counts, problems := map[string]int{}, []string(nil)
		for part := range slices.Chunk(all, mostWalks) {
			problems = append(problems, goAll(ctx, part)...)
			for _, one := range part {
				counts[one.ending]++
			}
			fmt.Printf("%d walks: %v, %d problems\n", len(all), counts, len(problems))
		}
		Expect(problems).To(BeEmpty(), "BADINPUT_SEED=%d: %d problems:\n%s", scene.seed, len(problems), strings.Join(problems, "\n"))
		Expect(scene.only != "" || counts["back"] > 0).To(BeTrue(), "some walks come back")
	})
})

// mostWalks is how many walks there are in one project.
const mostWalks = 40

// chosen are the changes to walk along: those that are asked for by name, or some. Three of four of these make sense: most others are refused, and
// lead nowhere.
func chosen(kind string, changes []badinput.Change, r *rand.Rand) []badinput.Change {
	count := walks[kind][0]
	switch scene.only {
	case "":
	case allOfThem:
		count = walks[kind][1]
	default:
		return slices.DeleteFunc(changes, func(change badinput.Change) bool { return !strings.Contains(change.Name, scene.only) })
	}
	var found []badinput.Change
	for len(found) < count {
		if change := changes[r.IntN(len(changes))]; change.Good() == (len(found)%4 > 0) {
			found = append(found, change)
		}
	}
	return found
}

// goAll walks in a project of their own, some at a time, and returns what was wrong.
func goAll(ctx context.Context, all []*walk) []string {
	GinkgoHelper()
	b := newBatch(ctx, kindOf("Environment"))
	log, err := scene.cluster.Requests()
	Expect(err).NotTo(HaveOccurred())
	var group sync.WaitGroup
	next := make(chan *walk)
	for range senders {
		group.Go(func() {
			for one := range next {
				one.batch = b
				if err := one.walk(ctx); err != nil {
					b.problem(one.change.Input(), "walk by %s: %v", one.way, err)
				}
			}
		})
	}
	for _, one := range all {
		next <- one
	}
	close(next)
	group.Wait()
	b.awaitRest(ctx, log)
	b.judgeAll(ctx, log)
	return b.problems
}

// walk changes one object of an environment with a release and a promotion of its own, and changes it back.
type walk struct {
	batch  *batch
	number int
	kind   *badinput.Kind
	change badinput.Change
	way    way
	ending string
	// here is what the object that is changed was written as.
	here map[string]any
}

func (w *walk) name() string { return fmt.Sprintf("walk-%03d", w.number) }

// place is where a walk stands: what people see of its promotion and its environment.
type place struct {
	promotion   *v1alpha1.Promotion
	environment *v1alpha1.Environment
	release     *v1alpha1.Release
}

func (w *walk) walk(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return fmt.Errorf("before the walk: %w", err)
	}
	first, err := w.settled(ctx, place{})
	if err != nil {
		return err
	}
	away := w.change.Apply(w.here)
	if refused, err := w.write(ctx, w.here, away); err != nil || refused {
		w.ending = "refused"
		return err
	}
	second, err := w.settled(ctx, first)
	if err != nil {
		return fmt.Errorf("after the change: %w", err)
	}
	if err := expectRightCounts(second); err != nil {
		return fmt.Errorf("after the change: %w", err)
	}
	if refused, err := w.write(ctx, away, w.here); err != nil || refused {
		w.ending = "no way back"
		return err
	}
	return w.comeBack(ctx, first, second)
}

// comeBack expects the first status again; of a promotion that has ended on the way, the status that it ended with.
func (w *walk) comeBack(ctx context.Context, first, second place) error {
	w.ending = "back"
	want := shownOf(first)
	if !second.promotion.Status.CompletionTime.IsZero() {
		w.ending = "ended on the way"
		first.promotion = second.promotion
		want = shownOf(place{promotion: second.promotion})
	}
	var have map[string]any
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pause(ctx, interval) {
		now, err := w.look(ctx)
		if err != nil {
			return err
		}
		if w.ending == "ended on the way" {
			now = place{promotion: now.promotion}
		}
		if have = shownOf(now); equality.Semantic.DeepEqual(have, want) {
			return nil
		}
	}
	return fmt.Errorf("after the way back, the status is not what it was:\n%s", oracle.Difference(want, have))
}

// begin with an environment that asks for two approvals, and with one of them given.
func (w *walk) begin(ctx context.Context) error {
	b, name := w.batch, w.name()
	environment := cluster.NewEnvironment(b.project.Name, name, b.around.Target)
	environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{{Name: "owners", Required: ptr.To(int32(2))}}
	release := cluster.NewRelease(b.project.Name, name, "1.0."+fmt.Sprint(w.number), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+"}\n")
	promotion := cluster.NewPromotion(b.project.Name, name, name, name)
	for _, one := range []struct {
		kind   string
		object client.Object
		spec   any
	}{{"Environment", environment, environment.Spec}, {"Release", release, release.Spec}, {"Promotion", promotion, promotion.Spec}} {
		spec := plain(one.spec)
		if one.kind == w.kind.Name {
			w.here = spec
		}
		given, err := w.sender(one.kind).create(ctx, b.project.Name, kindOf(one.kind).Plural, w.manifest(one.kind, spec))
		if err != nil || !given.accepted() {
			return fmt.Errorf("creating the %s: %w %s", one.kind, err, given.status.Message)
		}
	}
	return w.approve(ctx)
}

// approve as alice, as soon as there is a plan.
func (w *walk) approve(ctx context.Context) error {
	var now place
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pause(ctx, interval) {
		var err error
		if now, err = w.look(ctx); err != nil {
			return err
		}
		if now.promotion.Status.Plan.Digest == "" {
			continue
		}
		body := []byte(`{"spec":{"approvals":[{"user":"alice","decision":"Approved"}]}}`)
		given, err := scene.people[cluster.Alice].send(ctx, "PATCH", w.path("Promotion"), "application/merge-patch+json", body)
		if err == nil && !given.accepted() {
			err = fmt.Errorf("approving: %s", given.status.Message)
		}
		return err
	}
	return fmt.Errorf("there is no plan: %v", now.promotion.Status.Conditions)
}

// look at the three objects.
func (w *walk) look(ctx context.Context) (place, error) {
	now := place{&v1alpha1.Promotion{}, &v1alpha1.Environment{}, &v1alpha1.Release{}}
	for _, object := range []client.Object{now.promotion, now.environment, now.release} {
		if err := scene.admin.Get(ctx, client.ObjectKey{Namespace: w.batch.project.Name, Name: w.name()}, object); err != nil {
			return now, fmt.Errorf("looking: %w", err)
		}
	}
	return now, nil
}

// settled waits until the operator has said what it has to say about everything as it is, and has said no more for a while.
func (w *walk) settled(ctx context.Context, before place) (place, error) {
	const while = 1500 * time.Millisecond
	var last place
	since := time.Now()
	for deadline := since.Add(patience); time.Now().Before(deadline); pause(ctx, interval) {
		now, err := w.look(ctx)
		if err != nil {
			return now, err
		}
		if last.promotion == nil || now.versions() != last.versions() {
			last, since = now, time.Now()
		}
		answered := before.promotion != nil || len(now.promotion.Status.Approvals.Counted)+len(now.promotion.Status.Approvals.Ignored) > 0
		if answered && now.upToDate() && time.Since(since) > while {
			return now, nil
		}
	}
	return last, fmt.Errorf("it does not settle: %v", last.promotion.Status.Conditions)
}

func (p place) versions() string {
	return p.promotion.ResourceVersion + " " + p.environment.ResourceVersion + " " + p.release.ResourceVersion
}

// upToDate says whether what is told of the three objects is told of them as they are.
func (p place) upToDate() bool {
	all := objects{
		map[string]*v1alpha1.Release{"": p.release}, map[string]*v1alpha1.Environment{"": p.environment}, map[string]*v1alpha1.Promotion{"": p.promotion},
	}
	if len(all.unsettled()) > 0 {
		return false
	}
	status := p.promotion.Status
	if !status.StartTime.IsZero() || !status.CompletionTime.IsZero() {
		return !status.CompletionTime.IsZero() && ptr.Deref(p.environment.Status.WaitingCount, 0) == 0
	}
	rules, err := plan.EnvironmentDigest(p.environment.Spec)
	// While the operator cannot find out what goes into a plan, the last one stays, and gate Target is closed.
	waits := slices.ContainsFunc(status.Blockers, func(blocker v1alpha1.Blocker) bool { return blocker.Gate == v1alpha1.GateTarget })
	planned := waits || status.Plan.Digest == "" || err == nil && status.Plan.Inputs.EnvironmentDigest == rules
	return planned && ptr.Deref(p.environment.Status.WaitingCount, 0) == 1
}

// expectRightCounts expects an approval to count for its own plan alone, and one that does not count to be listed with the reason.
func expectRightCounts(now place) error {
	status := now.promotion.Status
	if !status.CompletionTime.IsZero() {
		return nil
	}
	told := map[string]bool{}
	for _, counted := range status.Approvals.Counted {
		told[counted.User] = true
		if counted.PlanDigest != status.Plan.Digest {
			return fmt.Errorf("an approval of plan %s counts for plan %s", counted.PlanDigest, status.Plan.Digest)
		}
	}
	for _, ignored := range status.Approvals.Ignored {
		told[ignored.User] = ignored.Reason != ""
	}
	for _, given := range now.promotion.Spec.Approvals {
		if !told[given.User] && status.Plan.Digest != "" && meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionApproved) != nil {
			return fmt.Errorf("the approval of %q neither counts nor is said why it does not: %+v", given.User, status.Approvals)
		}
	}
	return nil
}
