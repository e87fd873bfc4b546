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
	"k8s.io/apimachinery/pkg/types"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/rules"
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

// waitingFor is what the watch has told of these Promotions by noon.
func waitingFor(environment *v1alpha1.Environment, promotions ...v1alpha1.Promotion) (surroundings, *backlog) {
	seen := surroundings{now: noon, hasDeployer: true, started: map[string]bool{}}
	known := newBacklog()
	for i := range promotions {
		known.told(nil, &promotions[i], noon)
		seen.started[promotions[i].Name] = promotion.Started(&promotions[i])
	}
	seen.waiting, seen.waitingCount = known.waited(types.NamespacedName{Name: environment.Name}, noon)
	return seen, known
}

func TestAnEnvironmentShowsWhatHasWaitedForAWhile(t *testing.T) {
	for name, c := range map[string]struct {
		shown      []string
		promotions []v1alpha1.Promotion
		want       []string
		again      time.Duration
	}{
		"nothing waits": {},
		"what has just been asked for is shown once it has waited": {
			promotions: []v1alpha1.Promotion{promotionOf("a", 4*time.Second, nil), promotionOf("b", 2*time.Second, nil)}, again: 6 * time.Second,
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
			seen, known := waitingFor(environment, c.promotions...)
			status := environmentStatus(environment, seen)
			var names []string
			for _, waiting := range status.Waiting {
				names = append(names, waiting.Promotion)
			}
			g.Expect(names).To(Equal(c.want))
			g.Expect(status.WaitingCount).To(HaveValue(BeEquivalentTo(len(c.want))))
			g.Expect(known.next(types.NamespacedName{}, noon)).To(Equal(c.again))
		})
	}
}

func TestAnEnvironmentShowsAtMostTheSixteenOldest(t *testing.T) {
	g := NewWithT(t)
	var promotions []v1alpha1.Promotion
	for i := range 40 {
		promotions = append(promotions, promotionOf(fmt.Sprintf("p%02d", i), time.Duration(100-i)*time.Minute, nil))
	}
	environment := &v1alpha1.Environment{}
	seen, _ := waitingFor(environment, promotions...)
	status := environmentStatus(environment, seen)
	g.Expect(status.Waiting).To(HaveLen(mostWaiting))
	g.Expect(status.WaitingCount).To(HaveValue(BeEquivalentTo(40)))
	g.Expect(status.Waiting[0].Promotion).To(Equal("p00"))
	g.Expect(status.Waiting[15].Promotion).To(Equal("p15"))
}

func TestAnEnvironmentIsReadyWhenPromotionsCanBeCarriedOutThere(t *testing.T) {
	problem := rules.Problem{Field: "spec.after[0]", Message: `environment "stagin" does not exist`}
	for name, c := range map[string]struct {
		seen    surroundings
		status  metav1.ConditionStatus
		reason  string
		message string
	}{
		"all is in order": {
			surroundings{hasDeployer: true}, metav1.ConditionTrue, v1alpha1.ReasonAccepted, `rollouts go to namespace "shop-prod" as service account "deployer"`,
		},
		"a rule cannot be carried out": {
			surroundings{hasDeployer: true, problems: []rules.Problem{problem}}, metav1.ConditionFalse, v1alpha1.ReasonInvalidRules,
			"`spec.after[0]`: environment \"stagin\" does not exist",
		},
		"the deployer is missing": {
			surroundings{}, metav1.ConditionFalse, v1alpha1.ReasonDeployerMissing,
			"`spec.target`: service account \"deployer\" does not exist in namespace \"shop-prod\": create it, and bind it to a Role that allows what releases need there",
		},
		"the promoter was refused": {
			surroundings{hasDeployer: true, asked: automatic{refused: refusedPromoter("shop", "it does not exist")}}, metav1.ConditionFalse, v1alpha1.ReasonAutoPromotionRefused,
			"`spec.autoPromotion`: service account \"assent-promoter\" of project \"shop\" cannot ask for promotions: it does not exist. Let an owner of the project run: " +
				"kubectl create serviceaccount assent-promoter --namespace=shop; " +
				"kubectl create rolebinding assent-promoter --namespace=shop --clusterrole=assent-promoter --serviceaccount=shop:assent-promoter",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			environment := &v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Target: v1alpha1.Target{Namespace: "shop-prod", ServiceAccountName: "deployer"}}}
			ready := meta.FindStatusCondition(environmentStatus(environment, c.seen).Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).To(HaveValue(And(HaveField("Status", c.status), HaveField("Reason", c.reason), HaveField("Message", c.message))))
		})
	}
}

func TestAnEnvironmentsOwnRulesAreReadOnceForEachGeneration(t *testing.T) {
	wrong := v1alpha1.EnvironmentSpec{AutoPromotion: v1alpha1.AutoPromotion{Versions: "?"}, After: []string{"nowhere"}}
	for name, c := range map[string]struct {
		ready metav1.Condition
		want  []string
	}{
		"never read":           {metav1.Condition{}, []string{"spec.after[0]", "spec.autoPromotion.versions"}},
		"read as they are now": {metav1.Condition{Reason: v1alpha1.ReasonAccepted, ObservedGeneration: 2}, []string{"spec.after[0]"}},
		"read as they were":    {metav1.Condition{Reason: v1alpha1.ReasonAccepted, ObservedGeneration: 1}, []string{"spec.after[0]", "spec.autoPromotion.versions"}},
		"found wrong, by themselves or beside others": {metav1.Condition{Reason: v1alpha1.ReasonInvalidRules, ObservedGeneration: 2}, []string{"spec.after[0]", "spec.autoPromotion.versions"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Spec: wrong}
			c.ready.Type = v1alpha1.ConditionReady
			environment.Status.Conditions = []metav1.Condition{c.ready}
			problems, _ := problemsOf(environment, nil, noon)
			var fields []string
			for _, problem := range problems {
				fields = append(fields, problem.Field)
			}
			g.Expect(fields).To(Equal(c.want))
		})
	}
}

func TestAnEnvironmentsStatusIsWrittenOnce(t *testing.T) {
	g := NewWithT(t)
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	seen, _ := waitingFor(environment, promotionOf("a", time.Hour, nil))
	environment.Status = environmentStatus(environment, seen)
	seen.now = noon.Add(time.Hour)
	g.Expect(environmentStatus(environment, seen)).To(Equal(environment.Status))
}
