// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/guard"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	patience = 20 * time.Second
	interval = 50 * time.Millisecond
)

func attacks() []attack {
	return slices.Concat(requests, decisions, overrides, acknowledgements, objects, holds, locks)
}

func deniedBy(rule string) OmegaMatcher {
	return And(
		WithTransform(apierrors.IsForbidden, BeTrue()),
		MatchError(And(ContainSubstring("ValidatingAdmissionPolicy"), ContainSubstring("("+rule+")"))),
	)
}

var _ = Describe("the guard alone, with nothing stamped and no rules in the schema", Ordered, ContinueOnFailure, Label("alone"), func() {
	BeforeAll(func(ctx context.Context) {
		if scene.kept() {
			return
		}
		scene.stopStamping(ctx)
		scene.weakenSchema(ctx)
	})
	AfterAll(func(ctx context.Context) { scene.putBack(ctx) })

	for _, a := range attacks() {
		for i, by := range a.ways {
			It(fmt.Sprintf("denies by %s that %s (%s)", a.rule, a.name, by.name), Label(a.rule, ordinal(i)), func(ctx context.Context) {
				Expect(a.try(ctx, scene, by)).To(deniedBy(a.rule))
			})
		}
	}

	for _, p := range slices.Concat(permissions, lockPermissions()) {
		for i, by := range p.ways {
			It(fmt.Sprintf("lets pass by %s that %s (%s)", p.rule, p.name, by.name), append(Label(strings.Fields(p.rule)...), ordinal(i)), func(ctx context.Context) {
				Expect(p.try(ctx, scene, by)).To(Succeed())
			})
		}
	}

	for _, v := range shippedValidations() {
		It(fmt.Sprintf("lets an attack through when this is taken out of %s: %s", v.policy, v.message), Label("takeout"), func(ctx context.Context) {
			scene.takeOut(ctx, v)
			DeferCleanup(func(ctx context.Context) { Expect(scene.cluster.Apply(ctx, "config/guard")).To(Succeed()) })
			Eventually(func() error { return scene.firstSuccess(ctx, v.rule) }).WithTimeout(patience).WithPolling(interval).Should(Succeed())
		})
	}
})

var _ = Describe("the whole installation", Ordered, ContinueOnFailure, Label("again"), func() {
	BeforeAll(func(ctx context.Context) {
		scene.install(ctx)
		// The validation that was taken out last may still be out for a moment.
		last := locks[len(locks)-1]
		Eventually(func() error { return last.try(ctx, scene, last.ways[0]) }).WithTimeout(patience).Should(deniedBy(last.rule))
	})

	for _, a := range attacks() {
		if a.healed {
			continue
		}
		for _, by := range a.ways {
			It(fmt.Sprintf("does not let through that %s (%s)", a.name, by.name), func(ctx context.Context) {
				Expect(a.try(ctx, scene, by)).To(Or(
					MatchError(errNoEffect), WithTransform(apierrors.IsForbidden, BeTrue()), WithTransform(apierrors.IsInvalid, BeTrue())))
			})
		}
	}

	It("is recognised, and has no warnings from the API server", Label("recognised"), func(ctx context.Context) {
		policies := &admissionregistrationv1.ValidatingAdmissionPolicyList{}
		bindings := &admissionregistrationv1.ValidatingAdmissionPolicyBindingList{}
		Eventually(func(g Gomega) {
			g.Expect(scene.as(operator).List(ctx, policies)).To(Succeed())
			for _, policy := range policies.Items {
				g.Expect(policy.Status.ObservedGeneration).To(Equal(policy.Generation))
			}
		}).WithTimeout(patience).Should(Succeed())
		Expect(scene.as(operator).List(ctx, bindings)).To(Succeed())
		for _, policy := range policies.Items {
			Expect(policy.Status.TypeChecking.ExpressionWarnings).To(BeEmpty(), policy.Name)
		}
		digest, problems := guard.Identify(policies.Items, bindings.Items)
		Expect(problems).To(BeEmpty())
		Expect(digest).NotTo(BeEmpty())
	})
})

// validation is one of the guard's, found by the rule at the end of its message.
type validation struct {
	policy  string
	index   int
	rule    string
	message string
}

var ruleAtEnd = regexp.MustCompile(`\((G[0-9]+)\)$`)

// shippedValidations are those of config/guard; one whose message names no rule is a mistake. Where somebody else changes the guard, none is taken
// out of it here.
func shippedValidations() []validation {
	if os.Getenv(keptVariable) != "" {
		return nil
	}
	manifests, err := cluster.Build("config/guard")
	if err != nil {
		panic(err)
	}
	var all []validation
	for _, manifest := range manifests {
		validations, _, err := unstructured.NestedSlice(manifest.Object, "spec", "validations")
		if err != nil {
			panic(err)
		}
		for i := range validations {
			message, _, _ := unstructured.NestedString(validations[i].(map[string]any), "message")
			rule := ruleAtEnd.FindStringSubmatch(message)
			if rule == nil {
				panic(fmt.Sprintf("validation %d of %q names no rule: %q", i, manifest.GetName(), message))
			}
			all = append(all, validation{manifest.GetName(), i, rule[1], message})
		}
	}
	return all
}

// takeOut makes one validation hold always.
func (w *world) takeOut(ctx context.Context, v validation) {
	GinkgoHelper()
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	policy.Name = v.policy
	patch := fmt.Sprintf(`[{"op":"test","path":"/spec/validations/%[1]d/message","value":%[2]q},
		{"op":"replace","path":"/spec/validations/%[1]d/expression","value":"true"}]`, v.index, v.message)
	Expect(w.as(cluster.Admin).Patch(ctx, policy, client.RawPatch(types.JSONPatchType, []byte(patch)))).To(Succeed())
}

// firstSuccess is nil when one of a rule's attacks succeeds.
func (w *world) firstSuccess(ctx context.Context, rule string) error {
	GinkgoHelper()
	last := fmt.Errorf("no attack on %s", rule)
	for _, a := range attacks() {
		if a.rule != rule {
			continue
		}
		if last = a.try(ctx, w, a.ways[0]); last == nil {
			return nil
		}
	}
	return last
}

// stopStamping unbinds the stamping policy and waits until nothing is stamped.
func (w *world) stopStamping(ctx context.Context) {
	GinkgoHelper()
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{}
	binding.Name = "assent-stamping"
	Expect(client.IgnoreNotFound(w.as(cluster.Admin).Delete(ctx, binding))).To(Succeed())
	Eventually(func() error {
		promotion := cluster.NewPromotion(w.project.Name, unique("promotion"), "shop-1", production)
		return w.as(cluster.Bob).Create(ctx, promotion, client.DryRunAll)
	}).WithTimeout(patience).WithPolling(interval).Should(deniedBy("G3"))
}

// weakenSchema takes the rules that our definitions have of their own out of the way, and waits until they are gone.
func (w *world) weakenSchema(ctx context.Context) {
	GinkgoHelper()
	definitions, err := cluster.Build("config/crd")
	Expect(err).NotTo(HaveOccurred())
	for _, shipped := range definitions {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		Expect(w.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(&shipped), live)).To(Succeed())
		prune(live.Object["spec"])
		Expect(w.as(cluster.Admin).Update(ctx, live)).To(Succeed())
	}
	for _, probe := range []attack{
		{"G3", "", cluster.Bob, planned, set("shop-2", "spec", "release"), nil, false},
		{"G11", "", cluster.Admin, newEnvironment, set("", "spec", "target", "serviceAccountName"), []way{create}, false},
		{"G12", "", cluster.Admin, aRecord, set("Failed", "spec", "type"), nil, false},
	} {
		by := update
		if probe.ways != nil {
			by = probe.ways[0]
		}
		Eventually(func() error { return probe.try(ctx, w, by) }).WithTimeout(patience).WithPolling(interval).Should(deniedBy(probe.rule))
	}
}

// prune removes rules and bounds from a schema, however deep.
func prune(node any) {
	switch node := node.(type) {
	case map[string]any:
		for _, rule := range []string{"x-kubernetes-validations", "minLength", "pattern", "minimum", "maximum"} {
			delete(node, rule)
		}
		for _, child := range node {
			prune(child)
		}
	case []any:
		for _, child := range node {
			prune(child)
		}
	}
}
