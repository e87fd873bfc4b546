// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package promotion

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
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
	// upstream are the other Environments of the project by name; projectHold is why the whole project is on hold.
	upstream    map[string]*v1alpha1.Environment
	projectHold string
	// values is the digest of what the Environment takes values from.
	values v1alpha1.Digest
	// changes that the plan makes.
	changes []v1alpha1.Change
	// lost are the people who no longer hold the verb approve.
	lost map[string]bool
	// powerless are the people who no longer hold the verb override.
	powerless map[string]bool
	// newer is a newer promotion that has started.
	newer string
	// noDeployer says that the deployer's service account is not there; refused why the plan can never be carried out.
	noDeployer bool
	refused    string

	history audit.State
	records []v1alpha1.AuditRecord
	// elsewhere are the histories of the other Environments, one after the other.
	elsewhere []v1alpha1.AuditRecord
	objects   objects
	// waves of the release, of which the process remembers how many it has applied, and back, whether on the way back. That and checks die with it.
	waves, wave int
	back        bool
	checks      map[string]CheckProgress
	failure     string
	// wakeTime is when the operator looks again by itself; zero if it does not.
	wakeTime time.Time
	// diesBefore is the write that the process does not live to do: "status", "override", "mark" or "record".
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
		t: t, now: monday, lost: map[string]bool{}, powerless: map[string]bool{}, upstream: map[string]*v1alpha1.Environment{},
		checks: map[string]CheckProgress{}, guard: Guard{Digest: digestOf("guard")},
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
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1.4.0-production", UID: "promotion-uid", Generation: 1, CreationTimestamp: metav1.NewTime(monday)},
			Spec: v1alpha1.PromotionSpec{
				Release: "shop-1.4.0", Environment: "production", Type: v1alpha1.PromotionTypePromote,
				RequestedBy: v1alpha1.Person{Username: "bob", Groups: []string{"developers"}},
			},
		},
		objects: objects{total: 3}, waves: 1,
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
	w.wakes(what)
}

// waits lets time pass until the operator looks again by itself. A second before, it would not have found anything new.
func (w *world) waits(what string) {
	if !w.wakeTime.After(w.now) {
		w.t.Fatalf("%s: the operator does not look again by itself:\n%s", what, w.log.String())
	}
	w.now = w.wakeTime.Add(-time.Second)
	seen, next, _ := w.look()
	if _, waits := next.(Wait); !waits {
		w.t.Errorf("%s: a second before the operator looks again, it would have decided %T", what, next)
	}
	checkStands(w.t, w.promotion.Status, asStored(w.t, Status(seen, next)))
	w.now = w.wakeTime
	w.wakes(what)
}

func (w *world) wakes(what string) {
	layout := "15:04"
	if w.now.Sub(monday) > 12*time.Hour {
		layout = "2006-01-02 15:04"
	}
	fmt.Fprintf(&w.log, "%s %s\n", w.now.Format(layout), what)
	for range 10 {
		if !w.reconcile() {
			return
		}
	}
	w.t.Fatalf("the operator does not come to rest:\n%s", w.log.String())
}

// reconcile once: observe, decide, act, record. It says whether there is more to do.
func (w *world) reconcile() bool {
	seen, next, path := w.look()
	fmt.Fprintf(&w.log, "  %s%s\n", strings.Join(path, ", "), details(next))
	recorded, before := len(w.records), w.promotion.Status
	marks := w.marks()
	alive := w.carryOut(seen, next)
	w.write(before, w.records[recorded:])
	if !slices.Equal(marks, w.marks()) {
		fmt.Fprintf(&w.log, "    marked in the environment: %s\n", cmp.Or(strings.Join(w.marks(), ", "), "nothing"))
	}
	w.wakeTime = time.Time{}
	if wait, waits := next.(Wait); waits && wait.Again > 0 {
		w.wakeTime = w.now.Add(wait.Again)
	}
	if !alive {
		fmt.Fprintf(&w.log, "    the process dies before writing the %s\n", w.diesBefore)
		w.diesBefore = ""
		w.dies()
		return false
	}
	switch next.(type) {
	case Rest, Wait, Watch, Verify:
		return false
	default:
		return true
	}
}

// dies forgets what only the process knew.
func (w *world) dies() { w.wave, w.checks = 0, map[string]CheckProgress{} }

// look as an operator does: with a plan and live reads when the decision asks for them. It writes nothing, and tells what it decided on the way.
func (w *world) look() (seen Observation, next Decision, path []string) {
	seen, next = followed(w.t, w.observe(false), w.plan, func(Observation) Observation { return w.observe(true) }, func(_ Observation, next Decision) {
		path = append(path, strings.TrimPrefix(fmt.Sprintf("%T", next), "promotion."))
	})
	return seen, next, path
}

// details of a decision that the status does not show.
func details(next Decision) string {
	switch next := next.(type) {
	case Wait:
		var more string
		if next.Again > 0 {
			more = fmt.Sprintf(" (look again in %s)", next.Again)
		}
		if len(next.Run) > 0 {
			more += fmt.Sprintf(" (run %s)", strings.Join(next.Run, ", "))
		}
		return more
	case Watch:
		return fmt.Sprintf(" (at most %s)", next.Deadline)
	case Finish:
		return fmt.Sprintf(" (%s)", next.Type)
	case Conclude:
		return fmt.Sprintf(" (%s)", next.Outcome.Spec.Type)
	case Verify:
		return fmt.Sprintf(" (at most %s) (run %s)", next.Deadline, cmp.Or(strings.Join(next.Run, ", "), "nothing"))
	case Rest, MakePlan, Prove, Start, Apply, Prune, RollBack, End, Acknowledge:
	}
	return ""
}
