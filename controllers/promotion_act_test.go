// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cluster"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/source"
)

func rendered(t *testing.T, value string) ([]*unstructured.Unstructured, v1alpha1.Digest) {
	t.Helper()
	objects := []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "shop"}, "data": map[string]any{"value": value},
	}}}
	digest, err := plan.RenderedDigest(objects)
	if err != nil {
		t.Fatal(err)
	}
	return objects, digest
}

func TestNothingIsAppliedButWhatTheIntentOnRecordSpeaksOf(t *testing.T) {
	objects, digest := rendered(t, "one")
	_, before := rendered(t, "zero")
	const unhashable = 1 << 60 // beyond what canonical JSON keeps apart
	for name, c := range map[string]struct {
		rendered, fallback v1alpha1.Digest
		back               bool
		value              any
		says               string
	}{
		"the objects of the rollout":            {rendered: digest, fallback: before},
		"others":                                {rendered: before, fallback: digest, says: "nothing else is applied"},
		"the objects of the way back":           {rendered: before, fallback: digest, back: true},
		"those of the rollout, on the way back": {rendered: digest, fallback: before, back: true, says: "nothing else is applied"},
		"objects that have no digest":           {rendered: digest, value: int64(unhashable), says: "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			known := &rollout{back: c.back, intent: &v1alpha1.AuditRecord{}}
			known.intent.Spec.RenderedDigest, known.intent.Spec.Fallback.RenderedDigest = c.rendered, c.fallback
			known.objects = objects
			if c.value != nil {
				odd := objects[0].DeepCopy()
				odd.Object["spec"] = map[string]any{"number": c.value}
				known.objects = []*unstructured.Unstructured{odd}
			}
			NewWithT(t).Expect(asApproved(known)).To(saying(c.says))
		})
	}
}

func TestAReleaseThatIsGoneIsNotRenderedAgain(t *testing.T) {
	g := NewWithT(t)
	r := &PromotionReconciler{}
	err := r.takeOver(t.Context(), &view{rollout: &rollout{intent: &v1alpha1.AuditRecord{}}})
	g.Expect(err).To(MatchError(ContainSubstring("the release was deleted during its rollout")))
	g.Expect(unrunnable(err)).To(BeTrue())
}

func fallbackRelease(uid string, blocked string, bundle ...string) *v1alpha1.Release {
	release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1", UID: types.UID(uid)}}
	release.Spec.Blocked.Reason = blocked
	for _, name := range bundle {
		release.Spec.Source.Bundle = append(release.Spec.Source.Bundle, v1alpha1.BundledRelease{Name: name})
	}
	return release
}

func TestARolloutGoesBackToTheVeryReleaseThatRanAndToNoBlockedOne(t *testing.T) {
	part := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "part"}}
	badPart := part.DeepCopy()
	badPart.Name, badPart.Spec.Blocked.Reason = "bad-part", "loses orders"
	for name, c := range map[string]struct {
		there  *v1alpha1.Release
		broken string
		says   string
		theirs bool
	}{
		"it is there":             {there: fallbackRelease("r1", "")},
		"a bundle in order":       {there: fallbackRelease("r1", "", "part")},
		"it is gone":              {says: `release "shop-1", which ran before, was deleted`, theirs: true},
		"another has its name":    {there: fallbackRelease("r2", ""), says: `release "shop-1", which ran before, was deleted`, theirs: true},
		"it is blocked":           {there: fallbackRelease("r1", "loses orders"), says: `release "shop-1" was blocked during the rollout`, theirs: true},
		"a part of it is blocked": {there: fallbackRelease("r1", "", "bad-part"), says: `release "bad-part" was blocked during the rollout`, theirs: true},
		"it cannot be read":       {broken: "shop-1", says: errBroken.Error()},
		"a part cannot be read":   {there: fallbackRelease("r1", "", "part"), broken: "part", says: errBroken.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := &shelf{objects: []client.Object{part, badPart}, broken: map[string]error{c.broken: errBroken}}
			if c.there != nil {
				s.objects = append(s.objects, c.there)
			}
			p := &Planner{Contents: &Contents{Live: s}}
			release, err := p.fallbackRelease(t.Context(), "shop", v1alpha1.ObjectIdentity{Name: "shop-1", UID: "r1"})
			g.Expect(err).To(saying(c.says))
			g.Expect(release != nil).To(Equal(c.says == ""))
			g.Expect(unrunnable(err)).To(Equal(c.theirs), "people have to mend it, or it passes")

			known := &rollout{back: true, intent: &v1alpha1.AuditRecord{}}
			known.intent.Spec.Fallback.Release = v1alpha1.ObjectIdentity{Name: "shop-1", UID: "r1"}
			asked := &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
			if c.says != "" {
				err = (&PromotionReconciler{Planner: p}).takeOver(t.Context(), &view{Observation: promotion.Observation{Promotion: asked, Release: part}, rollout: known})
				g.Expect(err).To(saying(c.says), "nothing else is rendered instead")
			}
		})
	}
}

func TestWhatWouldBeGoneBackToIsApprovedWithThePlan(t *testing.T) {
	ready := func(release *v1alpha1.Release) *v1alpha1.Release {
		release.Status.Digest = "sha256:1"
		release.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
		return release
	}
	usual := func() *v1alpha1.Environment {
		environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "production"}}
		environment.Spec.Rollout.OnFailure = v1alpha1.OnFailureRollback
		environment.Status.Current.Release = "shop-1"
		environment.Status.Releases = []v1alpha1.SucceededRelease{{Name: "shop-1", UID: "r1"}}
		return environment
	}
	type setting struct {
		environment *v1alpha1.Environment
		asked       *v1alpha1.Promotion
		shelf       *shelf
	}
	for name, c := range map[string]struct {
		change func(*setting)
		says   string
	}{
		"nothing, where the environment halts":       {change: func(s *setting) { s.environment.Spec.Rollout.OnFailure = v1alpha1.OnFailureHalt }},
		"nothing, where nothing runs":                {change: func(s *setting) { s.environment.Status.Current.Release = "" }},
		"nothing, where it is a rollback itself":     {change: func(s *setting) { s.asked.Spec.Type = v1alpha1.PromotionTypeRollback }},
		"nothing, where the release is gone":         {change: func(s *setting) { s.shelf.objects = nil }},
		"nothing, where the release is not in order": {change: func(s *setting) { s.shelf.objects = []client.Object{fallbackRelease("r1", "")} }},
		"nothing, where another has its name":        {change: func(s *setting) { s.shelf.objects = []client.Object{ready(fallbackRelease("r2", ""))} }},
		"nothing, where it is blocked":               {change: func(s *setting) { s.shelf.objects = []client.Object{ready(fallbackRelease("r1", "bad"))} }},
		"no guess, where it cannot be read":          {change: func(s *setting) { s.shelf.broken = map[string]error{"shop-1": errBroken} }, says: errBroken.Error()},
		"no guess, where a part of it cannot be read": {change: func(s *setting) {
			s.shelf.objects = []client.Object{ready(fallbackRelease("r1", "", "part"))}
			s.shelf.broken = map[string]error{"part": errBroken}
		}, says: errBroken.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := &setting{environment: usual(), asked: &v1alpha1.Promotion{}, shelf: &shelf{objects: []client.Object{ready(fallbackRelease("r1", ""))}}}
			c.change(s)
			p := &Planner{Contents: &Contents{Live: s.shelf}}
			found, err := p.fallback(t.Context(), promotion.Observation{Environment: s.environment, Promotion: s.asked}, nil, "")
			g.Expect(err).To(saying(c.says))
			g.Expect(found).To(BeZero())
		})
	}
}

// planner renders inline text for this cluster, in which there are ConfigMaps and nothing else. It reads from the shelf, and no API server answers it.
func planner(t *testing.T, live *shelf) *Planner {
	t.Helper()
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Version: "v1"}})
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	passing := clocktesting.NewFakeClock(noon)
	clusters, err := cluster.New(cluster.Local{Config: &rest.Config{Host: "https://127.0.0.1:1"}, HTTPClient: &http.Client{}, Mapper: mapper}, live, passing)
	if err != nil {
		t.Fatal(err)
	}
	where, err := newPlaces(clusters, passing, func(types.NamespacedName) {})
	if err != nil {
		t.Fatal(err)
	}
	sources, err := source.New(t.TempDir(), source.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return &Planner{Contents: &Contents{Live: live, Sources: sources}, Values: live, Clock: passing, places: where}
}

// inline is a Release of this text, in order.
func inline(name, uid, text string) *v1alpha1.Release {
	release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(uid)}}
	release.Spec.Source.Inline, release.Spec.Version = text, "1.0.0"
	release.Status.Digest = v1alpha1.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))))
	release.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
	return release
}

const (
	settingsText = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: hello}\n"
	unknownText  = "apiVersion: v1\nkind: Widget\nmetadata: {name: settings}\n"
)

// shopOf is the Environment where shop-1 runs, and a failed rollout goes back to it.
func shopOf(uid string) *v1alpha1.Environment {
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "production"}}
	environment.Spec.Target = v1alpha1.Target{Namespace: "shop-production", ServiceAccountName: "deployer"}
	environment.Spec.Rollout.OnFailure = v1alpha1.OnFailureRollback
	environment.Status.Current.Release = "shop-1"
	environment.Status.Releases = []v1alpha1.SucceededRelease{{Name: "shop-1", UID: uid}}
	return environment
}

func TestAPlanNamesTheReleaseThatARolloutGoesBackToIfThatChangesAnything(t *testing.T) {
	g := NewWithT(t)
	runs := inline("shop-1", "r1", settingsText)
	p := planner(t, &shelf{objects: []client.Object{runs}})
	seen := promotion.Observation{Environment: shopOf("r1"), Promotion: &v1alpha1.Promotion{}}
	found, err := p.fallback(t.Context(), seen, p.places.here, "sha256:another")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found.Release).To(Equal(v1alpha1.ObjectIdentity{Name: "shop-1", UID: "r1"}))
	g.Expect(found.ReleaseDigest).To(Equal(runs.Status.Digest))

	same, err := p.fallback(t.Context(), seen, p.places.here, found.RenderedDigest)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(same).To(BeZero(), "what is rolled out is what would be gone back to")
}

func TestAReleaseThatCannotBeAppliedAnyMoreIsNotGoneBackTo(t *testing.T) {
	g := NewWithT(t)
	p := planner(t, &shelf{objects: []client.Object{inline("shop-1", "r1", "kind: [")}})
	seen := promotion.Observation{Environment: shopOf("r1"), Promotion: &v1alpha1.Promotion{}}
	found, err := p.fallback(t.Context(), seen, p.places.here, "sha256:another")
	g.Expect(err).NotTo(HaveOccurred(), "it would be as impossible later")
	g.Expect(found).To(BeZero())
}

func TestAPlanIsNotMadeWhileWhatWouldBeGoneBackToCannotBeRendered(t *testing.T) {
	g := NewWithT(t)
	s := &shelf{objects: []client.Object{inline("shop-1", "r1", settingsText)}, broken: map[string]error{"values": errBroken}}
	p := planner(t, s)
	environment := shopOf("r1")
	environment.Spec.Overlay.ValuesFrom = []v1alpha1.ValuesReference{{Kind: "ConfigMap", Name: "values"}}
	_, err := p.fallback(t.Context(), promotion.Observation{Environment: environment, Promotion: &v1alpha1.Promotion{}}, p.places.here, "sha256:another")
	g.Expect(err).To(MatchError(ContainSubstring(`render release "shop-1", which the rollout would go back to`)))
}

// takingOver is a rollout that another process has started.
func takingOver(release *v1alpha1.Release) *view {
	intent := &v1alpha1.AuditRecord{}
	intent.Spec.Environment, intent.Spec.Target = "production", v1alpha1.Target{Namespace: "shop-production", ServiceAccountName: "deployer"}
	if release != nil {
		intent.Spec.Release = v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: release.Name, UID: string(release.UID)}, Digest: release.Status.Digest}
	}
	asked := &v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "to-one", UID: "one"}}
	return &view{Observation: promotion.Observation{Promotion: asked, Release: release, Environment: shopOf("r1")}, rollout: &rollout{intent: intent}}
}

func TestARolloutThatIsTakenOverIsRenderedAgain(t *testing.T) {
	g := NewWithT(t)
	r := &PromotionReconciler{Planner: planner(t, &shelf{})}
	seen := takingOver(inline("shop-2", "r2", settingsText))
	seen.Environment.Status.Inventory = []v1alpha1.ObjectReference{{Kind: "ConfigMap", Namespace: "shop-production", Name: "prices"}}
	g.Expect(r.takeOver(t.Context(), seen)).To(Succeed())
	g.Expect(seen.rollout.refs).To(Equal([]v1alpha1.ObjectReference{{Kind: "ConfigMap", Namespace: "shop-production", Name: "settings"}}))
	g.Expect(seen.rollout.objects).To(HaveLen(1))
	g.Expect(seen.rollout.prunes).To(Equal(seen.Environment.Status.Inventory))

	wrong := takingOver(inline("shop-2", "r2", unknownText))
	g.Expect(r.takeOver(t.Context(), wrong)).NotTo(Succeed(), "what cannot be rendered is not nothing")
	g.Expect(wrong.rollout.refs).To(BeEmpty())
}

func TestTheWayBackThatIsTakenOverIsThatOfTheReleaseThatRanBefore(t *testing.T) {
	g := NewWithT(t)
	before := inline("shop-1", "r1", settingsText)
	r := &PromotionReconciler{Planner: planner(t, &shelf{objects: []client.Object{before}})}
	seen := takingOver(inline("shop-2", "r2", strings.Replace(settingsText, "settings", "prices", 1)))
	seen.rollout.back = true
	seen.rollout.intent.Spec.Fallback = v1alpha1.Fallback{Release: v1alpha1.ObjectIdentity{Name: "shop-1", UID: "r1"}, ReleaseDigest: before.Status.Digest}
	g.Expect(r.takeOver(t.Context(), seen)).To(Succeed())
	g.Expect(seen.rollout.refs).To(ConsistOf(HaveField("Name", "settings")))
}

func TestNothingIsAppliedInAnotherClusterThanTheOneThatWasApproved(t *testing.T) {
	g := NewWithT(t)
	r := &PromotionReconciler{Planner: planner(t, &shelf{})}
	r.places = r.Planner.places
	seen := takingOver(nil)
	_, err := r.deployer(t.Context(), seen)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.rollout.where).To(BeIdenticalTo(r.places.here))

	seen = takingOver(nil)
	seen.Promotion.Status.Plan.Inputs.ClusterDigest = "sha256:another"
	_, err = r.deployer(t.Context(), seen)
	g.Expect(err).To(MatchError(ContainSubstring("another cluster than the one that was approved")))
	g.Expect(seen.rollout.where).To(BeNil())

	seen = takingOver(nil)
	seen.rollout.intent.Spec.Target.Cluster.Kubeconfig = v1alpha1.SecretKeyReference{Name: "gone", Key: "kubeconfig"}
	_, err = r.deployer(t.Context(), seen)
	g.Expect(err).To(MatchError(ContainSubstring(`secret "gone" does not exist`)))
}

func TestTheWatchesOfAConnectionThatIsNotUsedAnyMoreEnd(t *testing.T) {
	g := NewWithT(t)
	r := &PromotionReconciler{Planner: planner(t, &shelf{})}
	r.places = r.Planner.places
	tracked := func(where *place, seen *view) bool {
		_, found := where.health.Report(keyOf(seen.Promotion))
		return found
	}
	track := func(where *place) *view {
		seen := takingOver(nil)
		seen.rollout.where = where
		g.Expect(where.health.Track(keyOf(seen.Promotion), nil, where.Dynamic)).To(Succeed())
		g.Expect(tracked(where, seen)).To(BeTrue())
		return seen
	}
	former, err := r.places.open(r.places.clusters.Local())
	g.Expect(err).NotTo(HaveOccurred())
	seen := track(former)
	_, err = r.deployer(t.Context(), seen)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(tracked(former, seen)).To(BeFalse())

	seen = track(r.places.here)
	_, err = r.deployer(t.Context(), seen)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(tracked(r.places.here, seen)).To(BeTrue(), "those of the one that is used go on")
}

func TestAReleaseIsTheOneThatRunsByItsNameAndItsUID(t *testing.T) {
	for name, c := range map[string]struct {
		releases []v1alpha1.SucceededRelease
		want     bool
	}{
		"nothing has run":         {},
		"it ran last":             {releases: []v1alpha1.SucceededRelease{{Name: "shop-1", UID: "r1"}, {Name: "shop-0", UID: "r0"}}, want: true},
		"it ran before another":   {releases: []v1alpha1.SucceededRelease{{Name: "shop-2", UID: "r2"}, {Name: "shop-1", UID: "r1"}}},
		"one of its name ran":     {releases: []v1alpha1.SucceededRelease{{Name: "shop-1", UID: "r0"}}},
		"one of another name ran": {releases: []v1alpha1.SucceededRelease{{Name: "shop-2", UID: "r1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			environment := &v1alpha1.Environment{Status: v1alpha1.EnvironmentStatus{Releases: c.releases}}
			NewWithT(t).Expect(succeededHere(environment, fallbackRelease("r1", ""))).To(Equal(c.want))
		})
	}
}
