// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

func ofKinds(kinds ...string) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, kind := range kinds {
		all = append(all, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": strings.ToLower(kind)}}})
	}
	return all
}

func kinds(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, o := range objects {
		all = append(all, o.GetKind())
	}
	return all
}

func TestSortGivesOneOrderWhateverTheSourceHad(t *testing.T) {
	g := NewWithT(t)
	sorted := ofKinds("Ingress", "Deployment", "Namespace", "Service", "CustomResourceDefinition", "ServiceAccount")
	reversed := slices.Clone(sorted)
	slices.Reverse(reversed)
	plan.Sort(sorted)
	plan.Sort(reversed)
	g.Expect(kinds(sorted)).To(Equal([]string{"CustomResourceDefinition", "Namespace", "ServiceAccount", "Service", "Deployment", "Ingress"}))
	g.Expect(reversed).To(Equal(sorted))
}

func TestWavesPutWhatOthersNeedBeforeThem(t *testing.T) {
	g := NewWithT(t)
	waves := plan.Waves(ofKinds("ValidatingWebhookConfiguration", "Widget", "Deployment", "RoleBinding", "Role", "NetworkPolicy", "CustomResourceDefinition", "Namespace"))
	g.Expect(waves).To(HaveLen(5))
	g.Expect(kinds(waves[0])).To(Equal([]string{"CustomResourceDefinition", "Namespace"}))
	g.Expect(kinds(waves[1])).To(Equal([]string{"Role"}))
	g.Expect(kinds(waves[2])).To(Equal([]string{"RoleBinding", "NetworkPolicy"}))
	g.Expect(kinds(waves[3])).To(Equal([]string{"Widget", "Deployment"}))
	g.Expect(kinds(waves[4])).To(Equal([]string{"ValidatingWebhookConfiguration"}))
	g.Expect(plan.Waves(nil)).To(BeEmpty())
}

func TestPruneWavesAreTheReverse(t *testing.T) {
	g := NewWithT(t)
	g.Expect(plan.PruneWaves([]v1alpha1.ObjectReference{{Kind: "ServiceAccount"}, {Kind: "Deployment"}, {Kind: "Secret"}})).To(Equal([][]v1alpha1.ObjectReference{
		{{Kind: "Deployment"}}, {{Kind: "Secret"}}, {{Kind: "ServiceAccount"}},
	}))
}
