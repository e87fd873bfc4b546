// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

func TestADiffShowsOnlyTheAddressesThatAReleaseAsksFor(t *testing.T) {
	service := func(address, owned string) *unstructured.Unstructured {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "shop", "namespace": "shop-prod"},
			"spec": map[string]any{"clusterIP": address, "clusterIPs": []any{address}, "type": "ClusterIP"},
		}}
		object.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "assent", Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(owned)}})
		return object
	}
	for name, c := range map[string]struct {
		pair  plan.Pair
		shown bool
	}{
		"not the one that a dry run makes up": {plan.Pair{Merged: service("10.0.0.0", `{"f:spec":{"f:type":{}}}`)}, false},
		"the one that it names":               {plan.Pair{Merged: service("10.0.0.7", `{"f:spec":{"f:clusterIP":{}}}`)}, true},
		"none, for a headless one":            {plan.Pair{Merged: service("None", `{"f:spec":{"f:type":{}}}`)}, true},
		"of one that goes, all of it":         {plan.Pair{Live: service("10.0.0.9", `{}`)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			c.pair.Ref = v1alpha1.ObjectReference{Kind: "Service", Namespace: "shop-prod", Name: "shop"}
			NewWithT(t).Expect(strings.Contains(plan.Diff([]plan.Pair{c.pair}), "clusterIP:")).To(Equal(c.shown))
		})
	}
}
