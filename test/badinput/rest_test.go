// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/badinput"
	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/lint"
	"github.com/assent-dev/assent/test/oracle"
)

const (
	// quietFor is how long the operator must write nothing to be at rest.
	quietFor = 3 * time.Second
	// mostWrites is how often the operator may write to one object, with what it says about it in events.
	mostWrites = 12
	// mostLooks is how many requests the operator may make while it is at rest, a second: faults are tried again, more and more seldom.
	mostLooks = 100
)

// objects of a project, as they are now.
type objects struct {
	releases     map[string]*v1alpha1.Release
	environments map[string]*v1alpha1.Environment
	promotions   map[string]*v1alpha1.Promotion
}

func (b *batch) objects(ctx context.Context) objects {
	GinkgoHelper()
	found := objects{map[string]*v1alpha1.Release{}, map[string]*v1alpha1.Environment{}, map[string]*v1alpha1.Promotion{}}
	releases, environments, promotions := &v1alpha1.ReleaseList{}, &v1alpha1.EnvironmentList{}, &v1alpha1.PromotionList{}
	for _, list := range []client.ObjectList{releases, environments, promotions} {
		Expect(scene.admin.List(ctx, list, client.InNamespace(b.project.Name))).To(Succeed())
	}
	for i := range releases.Items {
		found.releases[releases.Items[i].Name] = &releases.Items[i]
	}
	for i := range environments.Items {
		found.environments[environments.Items[i].Name] = &environments.Items[i]
	}
	for i := range promotions.Items {
		found.promotions[promotions.Items[i].Name] = &promotions.Items[i]
	}
	return found
}

// unsettled are the objects whose status does not speak of them as they are.
func (o objects) unsettled() []string {
	var found []string
	for name, release := range o.releases {
		if release.Status.ObservedGeneration != release.Generation || meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionReady) == nil {
			found = append(found, "Release "+name)
		}
	}
	for name, environment := range o.environments {
		if environment.Status.ObservedGeneration != environment.Generation || meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionReady) == nil {
			found = append(found, "Environment "+name)
		}
	}
	for name, promotion := range o.promotions {
		if promotion.Status.ObservedGeneration != promotion.Generation || meta.FindStatusCondition(promotion.Status.Conditions, v1alpha1.ConditionSucceeded) == nil {
			found = append(found, "Promotion "+name)
		}
	}
	return found
}

// awaitRest waits until every object has a status that speaks of it, and the operator writes no more. It judges what the operator wrote, and how often.
func (b *batch) awaitRest(ctx context.Context, log *cluster.RequestLog) {
	GinkgoHelper()
	deadline := time.Now().Add(patience + time.Duration(len(b.taken))*100*time.Millisecond)
	left := b.objects(ctx).unsettled()
	for len(left) > 0 && time.Now().Before(deadline) {
		pause(ctx, 5*interval)
		left = b.objects(ctx).unsettled()
	}
	for _, one := range left {
		b.problems = append(b.problems, one+": the operator has not said anything about it as it is now")
	}
	writes, since, looks := b.requests(log), time.Now(), 0
	all := len(writes.all)
	for time.Since(since) < quietFor && time.Now().Before(deadline) {
		pause(ctx, 5*interval)
		before := len(writes.changes)
		writes = b.requests(log)
		if len(writes.changes) > before {
			since, all = time.Now(), len(writes.all)
		}
		looks = len(writes.all) - all
	}
	if time.Since(since) < quietFor {
		b.problems = append(b.problems, fmt.Sprintf("the operator does not come to rest; it wrote last: %s", writes.changes[max(0, len(writes.changes)-5):]))
	}
	if float64(looks) > mostLooks*quietFor.Seconds() {
		b.problems = append(b.problems, fmt.Sprintf("the operator makes %d requests in %s of rest", looks, quietFor))
	}
	b.judgeWrites(writes.changes)
}

// traffic is what the operator asked of the API server about a batch.
type traffic struct {
	all, changes []cluster.Request
}

func (b *batch) requests(log *cluster.RequestLog) traffic {
	GinkgoHelper()
	ours := []string{b.project.Name, b.around.Target.Namespace}
	all, err := log.Answered(func(r cluster.Request) bool { return r.ByOperator() && slices.Contains(ours, r.ObjectRef.Namespace) })
	Expect(err).NotTo(HaveOccurred())
	found := traffic{all: all}
	for _, request := range all {
		// The inputs that are sent as the operator are dry runs.
		if request.Changes() {
			found.changes = append(found.changes, request)
		}
	}
	return found
}

// judgeWrites finds objects that are written to too often, and writes that the API server refuses: they would be tried for ever.
func (b *batch) judgeWrites(writes []cluster.Request) {
	times := map[string]int{}
	for _, write := range writes {
		ref := write.ObjectRef
		if code := write.ResponseStatus.Code; code >= http.StatusBadRequest && code != http.StatusConflict && code != http.StatusNotFound && ref.Namespace == b.project.Name {
			b.problems = append(b.problems, fmt.Sprintf("a write of the operator is refused: %s", write))
		}
		if ref.Name != "" && ref.Resource != "events" {
			times[ref.Resource+" "+ref.Namespace+"/"+ref.Name]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(times)) {
		shared := mostWrites + 2*len(b.taken) // every promotion to it may be seen there
		if name != "environments "+b.project.Name+"/"+b.around.Environment {
			shared = mostWrites
		}
		if times[name] > shared && len(b.taken) > 0 && !b.isTarget(name) {
			b.problems = append(b.problems, fmt.Sprintf("the operator wrote %d times to %s", times[name], name))
		}
	}
}

// isTarget tells an object that several environments roll out: each of them may write it once.
func (b *batch) isTarget(name string) bool {
	return name == "configmaps "+b.around.Target.Namespace+"/settings"
}

// pause without sleeping longer than the test may last.
func pause(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

// judgeStatuses finds statuses that people could not make sense of.
func (b *batch) judgeStatuses(ctx context.Context) {
	GinkgoHelper()
	now := b.objects(ctx)
	for i := range b.taken {
		one := &b.taken[i]
		if release := now.releases[one.name]; b.kind.Name == "Release" && release != nil {
			b.judgeConditions(one.input, release.Status.Conditions, release.Generation)
		}
		if environment := now.environments[one.name]; b.kind.Name == "Environment" && environment != nil {
			b.judgeConditions(one.input, environment.Status.Conditions, environment.Generation)
		}
		promotion := now.promotions[one.promotion]
		if promotion == nil {
			b.problem(one.input, "its promotion has gone")
			continue
		}
		b.judgeConditions(one.input, promotion.Status.Conditions, promotion.Generation)
		b.judgePromotion(one.input, promotion)
	}
}

func (b *batch) judgeConditions(input *badinput.Input, conditions []metav1.Condition, generation int64) {
	for _, condition := range conditions {
		if wrong := badinput.Unreadable(condition.Message); wrong != "" {
			b.problem(input, "the message of condition %s: %s: %q", condition.Type, wrong, head(condition.Message, 1000))
		}
		if condition.ObservedGeneration != generation {
			b.problem(input, "condition %s speaks of generation %d, and not of %d", condition.Type, condition.ObservedGeneration, generation)
		}
	}
}

// judgePromotion finds a promotion that says neither where it stands nor what it waits for, or that has been approved by nobody and runs.
func (b *batch) judgePromotion(input *badinput.Input, promotion *v1alpha1.Promotion) {
	succeeded := meta.FindStatusCondition(promotion.Status.Conditions, v1alpha1.ConditionSucceeded)
	if succeeded == nil {
		return // that it is not settled is a problem already
	}
	ended := !promotion.Status.CompletionTime.IsZero()
	if ended == (succeeded.Status == metav1.ConditionUnknown) {
		b.problem(input, "its promotion is %s, and completed at %q", succeeded.Reason, promotion.Status.CompletionTime)
	}
	if !ended && promotion.Status.StartTime.IsZero() && len(promotion.Status.Blockers) == 0 {
		b.problem(input, "its promotion is %s, and nothing is said to block it", succeeded.Reason)
	}
	for _, blocker := range promotion.Status.Blockers {
		if wrong := badinput.Unreadable(blocker.Message + " " + blocker.Clears); wrong != "" {
			b.problem(input, "the blocker %s: %s: %q", blocker.Gate, wrong, head(blocker.Message+" "+blocker.Clears, 1000))
		}
	}
	needed := promotion.Status.Approvals.Required
	if !promotion.Status.StartTime.IsZero() && (needed == nil || *needed > 0) {
		b.problem(input, "its promotion has started without an approval")
	}
}

// judgeAll by the two judges that every suite has: the oracle of the audit log, and the linter of statuses.
func (b *batch) judgeAll(ctx context.Context, log *cluster.RequestLog) {
	GinkgoHelper()
	left, err := lint.Collect(ctx, scene.admin, b.project.Name)
	Expect(err).NotTo(HaveOccurred())
	for _, finding := range left.Findings(time.Now()) {
		b.problems = append(b.problems, "lint: "+finding.String())
	}
	if now, err := scene.auditLog(); err != nil || !os.SameFile(now, b.audit) {
		fmt.Println("the API server has begun another audit log meanwhile: the oracle cannot judge this part")
		return
	}
	evidence, err := oracle.Collect(ctx, scene.admin, log, oracle.Scene{
		Project: b.project.Name, Targets: []string{b.around.Target.Namespace}, Rights: b.project.Rights(), AtRest: true,
	})
	Expect(err).NotTo(HaveOccurred())
	for _, violation := range evidence.Violations() {
		b.problems = append(b.problems, "oracle: "+violation.String())
	}
}

// auditLog is the file that the API server writes now.
func (w *world) auditLog() (os.FileInfo, error) {
	return os.Stat(filepath.Join(w.cluster.Dir(), "audit.log"))
}

// expectDeletable deletes everything, and expects it to go.
func (b *batch) expectDeletable(ctx context.Context) {
	GinkgoHelper()
	for _, object := range []client.Object{&v1alpha1.Promotion{}, &v1alpha1.Environment{}, &v1alpha1.Release{}} {
		Expect(scene.admin.DeleteAllOf(ctx, object, client.InNamespace(b.project.Name))).To(Succeed())
	}
	Eventually(func(g Gomega) {
		left := b.objects(ctx)
		g.Expect(slices.Concat(slices.Collect(maps.Keys(left.releases)), slices.Collect(maps.Keys(left.environments)), slices.Collect(maps.Keys(left.promotions)))).To(BeEmpty())
	}).WithContext(ctx).Should(Succeed(), "what was accepted can be deleted")
}
