// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
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
