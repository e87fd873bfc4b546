// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func promotionOf(name string, age time.Duration, change func(*v1alpha1.Promotion)) v1alpha1.Promotion {
	p := v1alpha1.Promotion{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-age))}}
	p.Status.Blockers = []v1alpha1.Blocker{{Gate: v1alpha1.GateApproval}}
	if change != nil {
		change(&p)
	}
	return p
}

func started(p *v1alpha1.Promotion) {
	p.Status.StartTime = metav1.NewTime(noon)
	p.Status.Blockers = nil
}
func ended(p *v1alpha1.Promotion) { p.Status.CompletionTime = metav1.NewTime(noon) }

func TestAnEnvironmentShowsWhatHasWaitedForAWhile(t *testing.T) {
	for name, c := range map[string]struct {
		shown      []string
		promotions []v1alpha1.Promotion
		want       []string
		again      time.Duration
	}{
		"nothing waits": {},
		"what has just been asked for is shown once it has waited": {
			promotions: []v1alpha1.Promotion{promotionOf("a", 4*time.Second, nil)}, again: 6 * time.Second,
		},
		"the oldest comes first": {
			promotions: []v1alpha1.Promotion{promotionOf("a", time.Minute, nil), promotionOf("b", time.Hour, nil)}, want: []string{"b", "a"},
		},
		"what has ended does not wait": {
			promotions: []v1alpha1.Promotion{promotionOf("a", time.Minute, ended)}, shown: []string{"a"},
		},
		"what rolls out and was never shown is not shown": {
			promotions: []v1alpha1.Promotion{promotionOf("a", time.Minute, started)},
		},
		"what rolls out is taken off by the write that ends it": {
			promotions: []v1alpha1.Promotion{promotionOf("a", time.Minute, started)}, shown: []string{"a"}, want: []string{"a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			environment := &v1alpha1.Environment{}
			for _, name := range c.shown {
				environment.Status.Waiting = append(environment.Status.Waiting, v1alpha1.WaitingPromotion{Promotion: name})
			}
			status, again := environmentStatus(environment, surroundings{now: noon, hasDeployer: true, promotions: c.promotions})
			var names []string
			for _, waiting := range status.Waiting {
				names = append(names, waiting.Promotion)
			}
			g.Expect(names).To(Equal(c.want))
			g.Expect(again).To(Equal(c.again))
		})
	}
}

func TestAnEnvironmentShowsAtMostTheSixteenOldest(t *testing.T) {
	g := NewWithT(t)
	var promotions []v1alpha1.Promotion
	for i := range 40 {
		promotions = append(promotions, promotionOf(fmt.Sprintf("p%02d", i), time.Duration(100-i)*time.Minute, nil))
	}
	status, _ := environmentStatus(&v1alpha1.Environment{}, surroundings{now: noon, hasDeployer: true, promotions: promotions})
	g.Expect(status.Waiting).To(HaveLen(mostWaiting))
	g.Expect(status.WaitingCount).To(HaveValue(BeEquivalentTo(40)))
	g.Expect(status.Waiting[0].Promotion).To(Equal("p00"))
	g.Expect(status.Waiting[15].Promotion).To(Equal("p15"))
}

func TestAMissingDeployerIsNamedAndLookedForAgain(t *testing.T) {
	g := NewWithT(t)
	environment := &v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Target: v1alpha1.Target{Namespace: "shop-prod", ServiceAccountName: "deployer"}}}
	status, again := environmentStatus(environment, surroundings{now: noon})
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	g.Expect(ready).To(HaveValue(And(HaveField("Status", metav1.ConditionFalse), HaveField("Reason", v1alpha1.ReasonDeployerMissing))))
	g.Expect(ready.Message).To(And(ContainSubstring(`"deployer"`), ContainSubstring(`"shop-prod"`)))
	g.Expect(again).To(Equal(deployerRecheck))
}

func TestAnEnvironmentsStatusIsWrittenOnce(t *testing.T) {
	g := NewWithT(t)
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	seen := surroundings{now: noon, hasDeployer: true, promotions: []v1alpha1.Promotion{promotionOf("a", time.Hour, nil)}}
	environment.Status, _ = environmentStatus(environment, seen)
	seen.now = noon.Add(time.Hour)
	again, _ := environmentStatus(environment, seen)
	g.Expect(again).To(Equal(environment.Status))
}
