// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	shippedguard "github.com/assent-dev/assent/config/guard"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/drift"
	"github.com/assent-dev/assent/internal/plan"
)

// guardObjects are the policies and bindings that are shipped.
func guardObjects(t *testing.T) []client.Object {
	t.Helper()
	var all []client.Object
	err := fs.WalkDir(shippedguard.Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := shippedguard.Files.ReadFile(path)
		if err != nil {
			return err
		}
		for _, document := range strings.Split(string(content), "\n---\n") {
			var kind metav1.TypeMeta
			if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
				return err
			}
			var object client.Object
			switch kind.Kind {
			case "ValidatingAdmissionPolicy":
				object = &admissionregistrationv1.ValidatingAdmissionPolicy{}
			case "ValidatingAdmissionPolicyBinding":
				object = &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
			default:
				continue
			}
			if err := yaml.Unmarshal([]byte(document), object); err != nil {
				return err
			}
			all = append(all, object)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// corrected is an Environment whose target has drifted, with everything in order for a correction.
type corrected struct {
	environment *v1alpha1.Environment
	promotion   *v1alpha1.Promotion
	shelf       *shelf
	wanted      *correction
	reconciler  *EnvironmentReconciler
	// deployer and writes are what the target's API server answers when it is asked for the deployer and to write.
	deployer, writes int
	// wrote counts the requests to write.
	wrote int
}

func newCorrected(t *testing.T) *corrected {
	t.Helper()
	s := history(t, [2]string{"Intent", "u1"}, [2]string{"Succeeded", "u1"})
	c := &corrected{shelf: s, deployer: http.StatusOK, writes: http.StatusOK}
	c.environment = &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "production", UID: "e1", Generation: 2}}
	c.environment.Spec.Target = v1alpha1.Target{Namespace: "shop-prod", ServiceAccountName: "deployer"}
	c.environment.Status.Audit = headAt(s, 2)
	c.promotion = &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "to-u1", UID: "u1"}}
	s.objects = append(append(s.objects, guardObjects(t)...), c.environment, c.promotion)
	guard, err := readGuard(t.Context(), s)
	if err != nil || len(guard.Problems) > 0 {
		t.Fatal(err, guard.Problems)
	}
	c.promotion.Status.Plan.Inputs.GuardDigest = guard.Digest
	c.reconciler = &EnvironmentReconciler{
		Live: s, Ledger: NewLedger(s, s, io.Discard), Clock: clocktesting.NewFakeClock(noon.Add(time.Hour)), Promotions: &PromotionReconciler{starting: newLocks()},
	}
	c.want(t)
	return c
}

// want a correction of one object that has drifted, beside one that has not.
func (c *corrected) want(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(server.Close)
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	factory := apply.NewFactory(&rest.Config{Host: server.URL}, mapper)
	target := c.environment.Spec.Target
	deployer, err := factory.As(target, apply.PromotionIdentity{})
	if err != nil {
		t.Fatal(err)
	}
	entry := entered(v1alpha1.AuditIntent, "u1")
	entry.Target = target
	c.wanted = &correction{approved: &entry, deployers: factory, deployer: deployer}
	for name, value := range map[string]string{"drifted": "one", "same": "zero"} {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": target.Namespace}, "data": map[string]any{"value": value},
		}}
		live := object.DeepCopy()
		live.Object["data"] = map[string]any{"value": "zero"}
		c.wanted.objects = append(c.wanted.objects, object)
		c.wanted.pairs = append(c.wanted.pairs, plan.Pair{Ref: plan.Reference(object), Live: live, Merged: object})
	}
	c.wanted.found = drift.Find(c.wanted.objects, c.wanted.pairs)
	if c.wanted.found.Total() != 1 {
		t.Fatalf("%d objects have drifted", c.wanted.found.Total())
	}
}

func (c *corrected) serve(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	status := c.writes
	if strings.Contains(request.URL.Path, "/serviceaccounts/") {
		status = c.deployer
	} else {
		c.wrote++
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		_, _ = w.Write([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"drifted","namespace":"shop-prod"}}`))
		return
	}
	answer := apierrors.NewGenericServerResponse(status, request.Method, schema.GroupResource{Resource: "configmaps"}, "drifted", "no", 0, true).Status()
	_ = json.NewEncoder(w).Encode(answer)
}

func (c *corrected) correct(t *testing.T) (string, error) {
	t.Helper()
	seen := c.environment.DeepCopy()
	return c.reconciler.correct(t.Context(), seen, c.wanted)
}

// corrections on record.
func (c *corrected) corrections() (count int) {
	for _, object := range c.shelf.objects {
		if record, is := object.(*v1alpha1.AuditRecord); is && record.Spec.Type == v1alpha1.AuditCorrected {
			count++
		}
	}
	return count
}

func (c *corrected) put(object client.Object) { c.shelf.objects = append(c.shelf.objects, object) }

// project with a hold or on its way out.
func (c *corrected) project(change func(*metav1.PartialObjectMetadata)) {
	project := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	change(project)
	c.put(project)
}

func TestWhatHasDriftedIsAppliedAgainAfterItIsOnRecordAndNothingElse(t *testing.T) {
	g := NewWithT(t)
	c := newCorrected(t)
	c.writes = http.StatusForbidden
	note, err := c.correct(t)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(note).To(ContainSubstring("drifted"), "what was tried to apply")
	g.Expect(c.corrections()).To(Equal(1))
	last, _ := c.reconciler.Ledger.Known(toProduction)
	g.Expect(last.Head.Sequence).To(BeEquivalentTo(3))
	record, err := find(t.Context(), c.shelf, &v1alpha1.AuditRecord{}, client.ObjectKey{Namespace: "shop", Name: audit.Name("production", 3)})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(record.Spec.Objects).To(ConsistOf(v1alpha1.ObjectReference{Kind: "ConfigMap", Namespace: "shop-prod", Name: "drifted"}))
	g.Expect(c.wrote).To(BeNumerically(">", 0))
}

func TestACorrectionThatTheTargetDoesNotTakeNowIsTriedAgain(t *testing.T) {
	g := NewWithT(t)
	c := newCorrected(t)
	c.writes = http.StatusInternalServerError
	note, err := c.correct(t)
	g.Expect(note).To(BeEmpty())
	g.Expect(err).To(HaveOccurred())
}

// These are all the reasons why nothing is applied, each alone.
func TestNothingIsCorrected(t *testing.T) {
	now := metav1.NewTime(noon)
	for name, c := range map[string]struct {
		change     func(*testing.T, *corrected)
		note, says string
	}{
		"while a rollout is on record": {change: func(t *testing.T, c *corrected) {
			t.Helper()
			c.put(sealed(t, c, entered(v1alpha1.AuditIntent, "u2")))
		}, note: "a rollout is running"},
		"while the environment does not know of an end": {change: func(_ *testing.T, c *corrected) {
			_, _ = c.reconciler.Ledger.State(t.Context(), toProduction, v1alpha1.AuditHead{})
			c.environment.Status.Audit = headAt(c.shelf, 1)
		}, note: "a rollout is running"},
		"where the environment is gone": {change: func(_ *testing.T, c *corrected) { c.shelf.objects = c.without(c.environment) }, note: "is being deleted"},
		"where another has its name": {change: func(_ *testing.T, c *corrected) {
			other := c.environment.DeepCopy()
			other.UID = "e2"
			c.shelf.objects = append(c.without(c.environment), other)
		}, note: "is being deleted"},
		"where the environment is being deleted": {change: func(_ *testing.T, c *corrected) { c.environment.DeletionTimestamp = &now }, note: "is being deleted"},
		"where the project is being deleted": {change: func(_ *testing.T, c *corrected) {
			c.project(func(p *metav1.PartialObjectMetadata) { p.DeletionTimestamp = &now })
		}, note: "is being deleted"},
		"where the rules have just changed": {change: func(_ *testing.T, c *corrected) {
			other := c.environment.DeepCopy()
			other.Generation++
			c.shelf.objects = append(c.without(c.environment), other)
		}, note: "has just changed"},
		"where the history has just gone on": {change: func(_ *testing.T, c *corrected) {
			other := c.environment.DeepCopy()
			other.Status.Audit.Sequence++
			c.shelf.objects = append(c.without(c.environment), other)
		}, note: "has just changed"},
		"where the target has changed since": {change: func(_ *testing.T, c *corrected) { c.wanted.approved.Target.Namespace = "other" }, note: "`spec.target` has changed"},
		"on hold":                            {change: func(_ *testing.T, c *corrected) { c.environment.Spec.Hold.Reason = "incident" }, note: "held: incident"},
		"while the project is on hold": {change: func(_ *testing.T, c *corrected) {
			c.project(func(p *metav1.PartialObjectMetadata) {
				p.Annotations = map[string]string{v1alpha1.AnnotationHold: "incident"}
			})
		}, note: "held: incident"},
		"without the guard": {change: func(t *testing.T, c *corrected) {
			t.Helper()
			c.shelf.objects = c.without(guardObjects(t)[0])
		}, note: "the guard is not in place"},
		"under another guard than the one of the approval": {change: func(_ *testing.T, c *corrected) { c.promotion.Status.Plan.Inputs.GuardDigest = "sha256:0" }, note: "the guard has changed"},
		"without a deployer": {change: func(_ *testing.T, c *corrected) { c.deployer = http.StatusNotFound }, note: "does not exist"},
		"for ever": {change: func(t *testing.T, c *corrected) {
			t.Helper()
			for range mostCorrections {
				c.put(sealed(t, c, entered(v1alpha1.AuditCorrected, "u1")))
				c.environment.Status.Audit.Sequence++
				c.environment.Status.Audit = headAt(c.shelf, c.environment.Status.Audit.Sequence)
			}
		}, note: "it was corrected 5 times within an hour"},
		"while the history cannot be read":     {change: breaks(audit.Name("production", 3)), says: errBroken.Error()},
		"while the environment cannot be read": {change: breaks("production"), says: errBroken.Error()},
		"while the project cannot be read":     {change: breaks("shop"), says: errBroken.Error()},
		"while the guard cannot be read":       {change: func(t *testing.T, c *corrected) { t.Helper(); breaks(guardObjects(t)[0].GetName())(t, c) }, says: "read the guard"},
		"while the promotion cannot be read":   {change: breaks("to-u1"), says: errBroken.Error()},
		"while the past cannot be listed":      {change: breaks("list"), says: errBroken.Error()},
		"while the deployer cannot be found":   {change: func(_ *testing.T, c *corrected) { c.deployer = http.StatusInternalServerError }, says: "look for the deployer"},
		"while nothing can be put on record": {change: func(_ *testing.T, c *corrected) {
			c.shelf.create = func(client.Object) error { return errBroken }
		}, says: errBroken.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			world := newCorrected(t)
			c.change(t, world)
			before := world.corrections()
			note, err := world.correct(t)
			g.Expect(err).To(saying(c.says))
			if c.note != "" || c.says != "" {
				g.Expect(note).To(ContainSubstring(c.note))
			}
			if c.note == "" {
				g.Expect(note).To(BeEmpty())
			}
			g.Expect(world.wrote).To(BeZero(), "something was written")
			g.Expect(world.corrections()).To(Equal(before), "a correction was put on record")
		})
	}
}

func TestNothingIsCorrectedBesideAnIntentThatWasWrittenMeanwhile(t *testing.T) {
	g := NewWithT(t)
	c := newCorrected(t)
	c.shelf.create = func(object client.Object) error {
		if object.(*v1alpha1.AuditRecord).Spec.Type == v1alpha1.AuditCorrected { //nolint:forcetypeassert // nothing else is created here
			c.shelf.create = nil
			c.put(sealed(t, c, entered(v1alpha1.AuditIntent, "u2")))
		}
		return nil
	}
	note, err := c.correct(t)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(note).To(Equal("a rollout has started"))
	g.Expect(c.wrote).To(BeZero())
}

func TestACorrectionNeedsNoPromotionAnyMoreButTheGuard(t *testing.T) {
	for name, change := range map[string]func(*corrected){
		"the promotion is gone":      func(c *corrected) { c.shelf.objects = c.without(c.promotion) },
		"another has its name":       func(c *corrected) { c.promotion.UID, c.promotion.Status.Plan.Inputs.GuardDigest = "u9", "sha256:0" },
		"its plan is of before that": func(c *corrected) { c.promotion.Status.Plan.Inputs.GuardDigest = "" },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCorrected(t)
			change(c)
			note, err := c.reconciler.guardStands(t.Context(), "shop", c.wanted.approved)
			NewWithT(t).Expect(note, err).To(BeEmpty())
		})
	}
}

func breaks(name string) func(*testing.T, *corrected) {
	return func(_ *testing.T, c *corrected) { c.shelf.broken = map[string]error{name: errBroken} }
}

// sealed is the record that comes next on the shelf.
func sealed(t *testing.T, c *corrected, entry v1alpha1.AuditRecordSpec) *v1alpha1.AuditRecord {
	t.Helper()
	number := int64(0)
	for headAt(c.shelf, number+1).Sequence > 0 {
		number++
	}
	record, err := audit.Seal("shop", headAt(c.shelf, number), entry)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// without an object of the shelf.
func (c *corrected) without(object client.Object) []client.Object {
	var left []client.Object
	for _, other := range c.shelf.objects {
		if other.GetName() != object.GetName() || other.GetUID() != object.GetUID() {
			left = append(left, other)
		}
	}
	return left
}

func TestWhatCannotBeReadIsSaidBeforeAnythingElseIsAsked(t *testing.T) {
	for _, name := range []string{audit.Name("production", 3), "production", "shop"} {
		c := newCorrected(t)
		breaks(name)(t, c)
		note, err := c.reconciler.mustNotCorrect(t.Context(), c.environment, c.wanted)
		g := NewWithT(t)
		g.Expect(err).To(MatchError(errBroken), name)
		g.Expect(note).To(BeEmpty())
	}
}

func TestOnlyWhatIsNamedIsAppliedAgain(t *testing.T) {
	g := NewWithT(t)
	c := newCorrected(t)
	refs := c.wanted.found.References()
	g.Expect(of(c.wanted.objects, refs)).To(ConsistOf(HaveField("GetName()", "drifted")))
	g.Expect(pairsOf(c.wanted.pairs, refs)).To(ConsistOf(HaveField("Ref.Name", "drifted")))
}
