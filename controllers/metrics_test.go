// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// listed is a cache that holds these promotions.
type listed []v1alpha1.Promotion

func (l listed) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return nil
}

func (l listed) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.PromotionList).Items = l
	return nil
}

func TestTheCensusCountsPromotionsByStateAndClosedGates(t *testing.T) {
	promotion := func(environment, state string, gates ...v1alpha1.Gate) v1alpha1.Promotion {
		p := v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}, Spec: v1alpha1.PromotionSpec{Environment: environment}}
		if state != "" {
			meta.SetStatusCondition(&p.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: state})
		}
		for _, gate := range gates {
			p.Status.Blockers = append(p.Status.Blockers, v1alpha1.Blocker{Gate: gate})
		}
		return p
	}
	counted := newCensus(listed{
		promotion("dev", v1alpha1.ReasonSucceeded), promotion("dev", v1alpha1.ReasonSucceeded), promotion("dev", ""),
		promotion("production", v1alpha1.ReasonAwaitingApproval, v1alpha1.GateApproval, v1alpha1.GateQueue),
		promotion("production", v1alpha1.ReasonAwaitingApproval, v1alpha1.GateApproval),
	})
	NewWithT(t).Expect(testutil.CollectAndCompare(counted, strings.NewReader(`
# HELP assent_promotion_blockers Closed gates of Promotions that wait.
# TYPE assent_promotion_blockers gauge
assent_promotion_blockers{environment="production",gate="Approval",project="shop"} 2
assent_promotion_blockers{environment="production",gate="Queue",project="shop"} 1
# HELP assent_promotions Promotions by state.
# TYPE assent_promotions gauge
assent_promotions{environment="dev",project="shop",state="Planning"} 1
assent_promotions{environment="dev",project="shop",state="Succeeded"} 2
assent_promotions{environment="production",project="shop",state="AwaitingApproval"} 2
`))).To(Succeed())
}
