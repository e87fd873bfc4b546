// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"errors"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

func names(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, o := range objects {
		all = append(all, o.GetName())
	}
	return all
}

func inWave(kind, name, wave string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: %s, metadata: {name: %s, annotations: {assent.dev/wave: %q}}}", kind, name, wave)
}

func TestStepsPartARelease(t *testing.T) {
	g := NewWithT(t)
	placed := objects(t, inWave("Secret", "late", "10")+"\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n---\n"+
		inWave("Secret", "b", "0")+"\n---\n"+inWave("ConfigMap", "first", "-5")+"\n---\n"+inWave("Deployment", "late-too", "10"))
	g.Expect(plan.Place(placed, production())).To(Succeed())
	steps := plan.Steps(placed)
	g.Expect(steps).To(HaveLen(3))
	g.Expect(names(steps[0])).To(Equal([]string{"first"}))
	g.Expect(names(steps[1])).To(Equal([]string{"a", "b"}), "no wave is wave 0, and the order is kept")
	g.Expect(names(steps[2])).To(Equal([]string{"late", "late-too"}))
	g.Expect(plan.Waves(steps[2])).To(HaveLen(2), "kinds are still applied in their order")
	g.Expect(plan.Steps(nil)).To(BeEmpty())
}

func TestPlaceTakesTheWholeRangeOfWaves(t *testing.T) {
	for _, wave := range []string{"-1000", "-1", "0", "1000"} {
		g := NewWithT(t)
		g.Expect(plan.Place(objects(t, inWave("ConfigMap", "a", wave)), production())).To(Succeed(), wave)
	}
}

const job = `{apiVersion: batch/v1, kind: Job, metadata: {name: migrate%s}, spec: {template: {metadata: {labels: {app: x}}}%s}}`

func TestPlaceRefusesInstructionsThatCannotBeFollowed(t *testing.T) {
	annotated := func(annotation string) string {
		return "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {" + annotation + "}}}"
	}
	widget := "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.example.com, annotations: {assent.dev/wave: \"%s\"}}, " +
		"spec: {group: example.com, scope: Namespaced, names: {kind: Widget}, versions: [{name: v1}]}}\n---\n" +
		"{apiVersion: example.com/v1, kind: Widget, metadata: {name: a, annotations: {assent.dev/wave: \"%s\"}}}"
	for name, test := range map[string]struct{ objects, message string }{
		"a wave that is no number":          {annotated("assent.dev/wave: soon"), "has \"soon\" as its annotation `assent.dev/wave`: it must be a whole number from -1000 to 1000, in quotes"},
		"a wave with a fraction":            {annotated(`assent.dev/wave: "1.5"`), "must be a whole number"},
		"a wave that is written oddly":      {annotated(`assent.dev/wave: "+5"`), "must be a whole number"},
		"an empty wave":                     {annotated(`assent.dev/wave: ""`), "must be a whole number"},
		"a wave without quotes":             {annotated("assent.dev/wave: 5"), "has \"5\" as its annotation `assent.dev/wave`: it must be a whole number from -1000 to 1000, in quotes"},
		"a wave that is too high":           {annotated(`assent.dev/wave: "1001"`), "from -1000 to 1000"},
		"a wave that is too low":            {annotated(`assent.dev/wave: "-1001"`), "from -1000 to 1000"},
		"another way to change":             {annotated("assent.dev/immutable: Delete"), "has \"Delete\" as its annotation `assent.dev/immutable`: it must be \"Recreate\", or be removed"},
		"another way to run anew":           {fmt.Sprintf(job, ", annotations: {assent.dev/rerun: Never}", ""), "has \"Never\" as its annotation `assent.dev/rerun`: it must be \"Always\""},
		"running anew what is no Job":       {annotated("assent.dev/rerun: Always"), "has the annotation `assent.dev/rerun`, which is for Jobs alone: remove it"},
		"an annotation that stops rollouts": {annotated("assent.dev/hold: stop"), "sets the annotation \"assent.dev/hold\": remove it; a Release may set `assent.dev/wave`, `assent.dev/immutable` and `assent.dev/rerun`"},
		"an annotation that gives a Secret away": {"{apiVersion: v1, kind: Secret, metadata: {name: a, annotations: {assent.dev/source-hosts: evil.example.com}}}",
			`sets the annotation "assent.dev/source-hosts": remove it`},
		"a promotion of its own":              {annotated("assent.dev/promotion-uid: x"), `sets the annotation "assent.dev/promotion-uid": remove it`},
		"a promotion of its own on a Job":     {fmt.Sprintf(job, ", annotations: {assent.dev/rerun: Always, assent.dev/promotion-uid: x}", ""), `sets the annotation "assent.dev/promotion-uid": remove it`},
		"a kind that comes after its objects": {fmt.Sprintf(widget, "1", "0"), `CustomResourceDefinition.apiextensions.k8s.io "widgets.example.com" is in wave 1, and Widget.example.com "a", which needs it, in wave 0 already`},
		"a namespace that comes after what is in it": {inWave("Namespace", "shop-prod", "1") + "\n---\n" + inWave("ConfigMap", "a", "-3"),
			"Namespace \"shop-prod\" is in wave 1, and ConfigMap \"a\", which needs it, in wave -3 already: change the annotation `assent.dev/wave` of one of the two"},
		"a role that comes after its binding": {"{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r, annotations: {assent.dev/wave: \"1\"}}}\n---\n" +
			"{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b}, roleRef: {kind: Role, name: r}}", `Role.rbac.authorization.k8s.io "r" is in wave 1`},
		"a Job that is gone before the next wave sees it": {fmt.Sprintf(job, "", ", ttlSecondsAfterFinished: 299") + "\n---\n" + inWave("ConfigMap", "a", "1"),
			"Job.batch \"migrate\" is removed 299 seconds after it has finished, while later waves wait for it: set `spec.ttlSecondsAfterFinished` to at least 300, or remove the field"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			err := plan.Place(objects(t, test.objects), everything())
			invalid := &plan.InvalidError{}
			g.Expect(errors.As(err, &invalid)).To(BeTrue(), "%v", err)
			g.Expect(invalid).To(MatchError(ContainSubstring(test.message)))
			g.Expect(invalid.Problems).To(HaveLen(1))
		})
	}
	t.Run("but nothing that is in order", func(t *testing.T) {
		g := NewWithT(t)
		g.Expect(plan.Place(objects(t, fmt.Sprintf(widget, "0", "1")), everything())).To(Succeed())
		g.Expect(plan.Place(objects(t, fmt.Sprintf(widget, "1", "1")), everything())).To(Succeed())
		g.Expect(plan.Place(objects(t, fmt.Sprintf(job, "", ", ttlSecondsAfterFinished: 10")), everything())).To(Succeed(), "no later wave waits")
		g.Expect(plan.Place(objects(t, fmt.Sprintf(job, "", ", ttlSecondsAfterFinished: 300")+"\n---\n"+inWave("ConfigMap", "a", "1")), everything())).To(Succeed())
		g.Expect(plan.Place(objects(t, annotated("assent.dev/immutable: Recreate")), everything())).To(Succeed())
	})
}

func TestPlaceWritesThePromotionOnJobsThatRunAnew(t *testing.T) {
	g := NewWithT(t)
	text := fmt.Sprintf(job, ", annotations: {assent.dev/rerun: Always}", "") + "\n---\n" + fmt.Sprintf(job, "-once", "")
	digests := map[v1alpha1.Digest]bool{}
	for _, uid := range []string{"one", "two", "one"} {
		options := everything()
		options.PromotionUID = types.UID(uid)
		placed := objects(t, text)
		g.Expect(plan.Place(placed, options)).To(Succeed())
		g.Expect(placed[0].GetAnnotations()).To(HaveKeyWithValue("assent.dev/promotion-uid", string(options.PromotionUID)))
		g.Expect(placed[1].GetAnnotations()).To(BeEmpty())
		g.Expect(plan.Place(placed, options)).To(Succeed(), "placing twice is placing once")
		digest, err := plan.RenderedDigest(placed)
		g.Expect(err).NotTo(HaveOccurred())
		digests[digest] = true
	}
	g.Expect(digests).To(HaveLen(2), "each promotion's are its own, and the same when it is resumed")
}
