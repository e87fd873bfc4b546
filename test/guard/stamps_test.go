// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// stamp is a merge patch and what the API server makes of it.
type stamp struct {
	name string
	on   func(context.Context, *world) client.Object
	by   string
	// patch of the spec.
	patch string
	// becomes is what is different in the spec afterwards.
	becomes func(*v1alpha1.PromotionSpec)
	// deniedBy is the rule that refuses it, or bySchema, if one does: what is false is not put right in silence.
	deniedBy string
}

// bySchema is no rule of the guard, which would refuse it as well.
const bySchema = "the schema"

const (
	unsaid       = `{"requestedBy":null,"reason":"because"}`
	claimsUID    = `,"uid":"4711"}`
	reversedSelf = `"groups":["system:authenticated","everybody"]`
)

func because(spec *v1alpha1.PromotionSpec) { spec.Reason = "because" }
func unchanged(*v1alpha1.PromotionSpec)    {}

// ivanApproves is a whole approval of somebody with a UID.
func ivanApproves(groups ...string) v1alpha1.Approval {
	return v1alpha1.Approval{User: ivan, Decision: v1alpha1.DecisionApproved, PlanDigest: planA, UID: ivanUID, Groups: groups}
}

func approvals(list ...v1alpha1.Approval) func(*v1alpha1.PromotionSpec) {
	return func(spec *v1alpha1.PromotionSpec) { spec.Approvals = list }
}

func usedBy(spec *v1alpha1.PromotionSpec, user string) {
	spec.Override.UsedBy = v1alpha1.Person{Username: user, Groups: groupsOf(user)}
}

var stamps = []stamp{
	{"heals who asks, where there is nothing else", planned, cluster.Bob, unsaid, because, ""},
	{"heals who asks, for somebody with a UID", planned, ivan, unsaid, because, ""},
	{"heals who asks, while an override is taken away", overriddenWithoutPlan, frank, `{"requestedBy":null,"override":null}`,
		func(spec *v1alpha1.PromotionSpec) { spec.Override = v1alpha1.PromotionOverride{} }, ""},
	{"heals who asks, beside an override for no plan", overriddenWindow, cluster.Bob, unsaid, because, ""},

	{"completes an approval", planned, cluster.Alice, `{"approvals":[{"user":"alice","decision":"Approved"}]}`, approvals(approval(cluster.Alice, planA)), ""},
	{"completes an approval with a UID", planned, ivan, `{"approvals":[{"user":"ivan","decision":"Approved"}]}`,
		approvals(ivanApproves("everybody", "system:authenticated")), ""},
	{"completes an approval of a user of more groups than fit in", planned, manyGroups, `{"approvals":[{"user":"grace","decision":"Approved"}]}`,
		approvals(approval(manyGroups, planA)), ""},
	{"leaves an approval as it is that is whole", planned, ivan,
		`{"approvals":[{"user":"ivan","decision":"Approved","uid":"0815",` + reversedSelf + `}]}`, approvals(ivanApproves("system:authenticated", "everybody")), ""},
	{"puts no UID right", planned, ivan, `{"approvals":[{"user":"ivan","decision":"Approved"` + claimsUID + `]}`, nil, "G6"},
	{"puts no group right", planned, cluster.Alice, `{"approvals":[{"user":"alice","decision":"Approved","groups":["security"]}]}`, nil, "G6"},
	{"makes no plan up", requested, cluster.Carol, `{"approvals":[{"user":"carol","decision":"Approved"}]}`, nil, "G7"},
	{"touches no approval that is carried along", approvedByErin, erinAgain, `{"reason":"because"}`, because, ""},
	{"keeps the order of approvals that a write takes none of", approved, cluster.Carol,
		fmt.Sprintf(`{"approvals":[{"user":"carol","decision":"Approved"},{"user":"alice","decision":"Approved","planDigest":%q,%s}]}`, planA,
			`"groups":["shop-owners","system:authenticated"]`),
		approvals(approval(cluster.Carol, planA), approval(cluster.Alice, planA)), ""},
	{"keeps the order of approvals when somebody changes their own", approvedByTwo, cluster.Alice,
		fmt.Sprintf(`{"approvals":[{"user":"carol","decision":"Approved","planDigest":%[1]q,%[2]s},{"user":"alice","decision":"Approved","planDigest":%[1]q,"comment":"yes",%[2]s}]}`,
			planA, `"groups":["shop-owners","system:authenticated"]`),
		func(spec *v1alpha1.PromotionSpec) { slices.Reverse(spec.Approvals); spec.Approvals[1].Comment = "yes" }, ""},
	{"heals others' approvals around one that is changed", approvedByTwo, cluster.Carol,
		`{"approvals":[{"user":"carol","decision":"Rejected","comment":"no"}]}`, func(spec *v1alpha1.PromotionSpec) {
			spec.Approvals[1].Decision, spec.Approvals[1].Comment = v1alpha1.DecisionRejected, "no"
		}, ""},
	{"lets one withdraw who leaves the others out", approvedByTwo, cluster.Carol, `{"approvals":[]}`,
		func(spec *v1alpha1.PromotionSpec) { spec.Approvals = spec.Approvals[:1] }, ""},
	{"heals around an approval in somebody else's name, which is refused", approved, cluster.Carol,
		`{"approvals":[{"user":"dave","decision":"Approved"}]}`, nil, "G4"},

	{"writes down who overrides", planned, cluster.Dave, `{"override":{"gates":["Approval"],"reason":"production is down"}}`,
		func(spec *v1alpha1.PromotionSpec) { spec.Override = overrideBy(cluster.Dave, planA) }, ""},
	{"writes down the UID of who overrides", planned, ivan, `{"override":{"gates":["Approval"],"reason":"production is down"}}`,
		func(spec *v1alpha1.PromotionSpec) {
			spec.Override = overrideBy(cluster.Dave, planA)
			spec.Override.UsedBy = v1alpha1.Person{Username: ivan, UID: ivanUID, Groups: []string{"everybody", "system:authenticated"}}
		}, ""},
	{"writes down who gives another reason", overridden, frank, `{"override":{"reason":"now"}}`,
		func(spec *v1alpha1.PromotionSpec) { usedBy(spec, frank); spec.Override.Reason = "now" }, ""},
	{"writes down who opens other gates", overridden, frank, `{"override":{"gates":["Approval","Hold"]}}`,
		func(spec *v1alpha1.PromotionSpec) {
			usedBy(spec, frank)
			spec.Override.Gates = append(spec.Override.Gates, "Hold")
		}, ""},
	{"writes down who overrides for another plan", overriddenForThePlanBefore, frank, fmt.Sprintf(`{"override":{"planDigest":%q}}`, planB),
		func(spec *v1alpha1.PromotionSpec) { usedBy(spec, frank); spec.Override.PlanDigest = planB }, ""},
	{"writes down the plan that is there, where somebody gives another reason and names none", overriddenForThePlanBefore, frank,
		`{"override":{"reason":"now","planDigest":null}}`,
		func(spec *v1alpha1.PromotionSpec) {
			usedBy(spec, frank)
			spec.Override.Reason, spec.Override.PlanDigest = "now", planB
		}, ""},
	{"keeps no plan that is gone, where somebody changes the override and names none", overriddenForAPlanThatIsGone, frank,
		`{"override":{"gates":["Window"],"reason":"now","planDigest":null}}`,
		func(spec *v1alpha1.PromotionSpec) {
			usedBy(spec, frank)
			spec.Override.Gates, spec.Override.Reason, spec.Override.PlanDigest = []v1alpha1.OverridableGate{"Window"}, "now", ""
		}, ""},
	{"heals who has overridden, and for which plan", overriddenForThePlanBefore, cluster.Bob, `{"override":{"planDigest":null,"usedBy":null}}`, unchanged, ""},
	{"touches no override that is carried along", overridden, cluster.Bob, `{"reason":"because"}`, because, ""},
	{"makes no override of another gate one for a plan", overriddenWindow, cluster.Bob, `{"reason":"because"}`, because, ""},
	{"puts no name right in an override", planned, cluster.Dave,
		`{"override":{"gates":["Approval"],"reason":"now","usedBy":{"username":"alice","groups":["shop-owners","system:authenticated"]}}}`, nil, "G9"},
	{"puts no name right of who changes an override", overridden, frank,
		`{"override":{"reason":"now","usedBy":{"username":"alice","groups":["shop-owners","system:authenticated"]}}}`, nil, "G9"},
	{"puts no plan right in an override", planned, cluster.Dave, fmt.Sprintf(`{"override":{"gates":["Window"],"reason":"now","planDigest":%q}}`, planB), nil, "G9"},
	{"puts no name right that is changed by itself", overridden, frank,
		`{"override":{"usedBy":{"username":"frank","groups":["incident-leads","system:authenticated"]}}}`, nil, "G9"},
	{"heals no override that somebody without the verb changes", overridden, cluster.Bob, `{"override":{"reason":"now"}}`, nil, "G9"},
	{"heals an override that somebody without the verb leaves out", overridden, cluster.Bob, `{"override":null}`, unchanged, ""},
	{"lets a holder of the verb take an override away", overridden, frank, `{"override":null}`,
		func(spec *v1alpha1.PromotionSpec) { spec.Override = v1alpha1.PromotionOverride{} }, ""},
	{"lets who may override in staging alone take an override away", overriddenInStaging, cluster.Carol, `{"override":null}`,
		func(spec *v1alpha1.PromotionSpec) { spec.Override = v1alpha1.PromotionOverride{} }, ""},
	{"lets a holder of the verb take an override away, whatever else is said", overriddenAwaiting, frank, `{"override":null}`,
		func(spec *v1alpha1.PromotionSpec) { spec.Override = v1alpha1.PromotionOverride{} }, ""},
	{"heals a used override, whoever leaves it out", used, cluster.Dave, `{"override":null}`, unchanged, ""},
	{"heals an override after the end, whoever leaves it out", endedOverridden, cluster.Dave, `{"override":null}`, unchanged, ""},
	{"heals an override of an invalid Promotion, whoever leaves it out", overriddenInvalid, cluster.Dave, `{"override":null}`, unchanged, ""},

	{"completes an acknowledgement", used, frank, `{"acknowledgement":{"username":"frank"}}`,
		func(spec *v1alpha1.PromotionSpec) { spec.Acknowledgement = acknowledgementBy(frank) }, ""},
	{"completes an acknowledgement with a UID", used, ivan, `{"acknowledgement":{"username":"ivan"}}`, func(spec *v1alpha1.PromotionSpec) {
		spec.Acknowledgement = v1alpha1.Acknowledgement{Username: ivan, UID: ivanUID, Groups: []string{"everybody", "system:authenticated"}}
	}, ""},
	{"leaves an acknowledgement as it is that is whole", used, ivan, `{"acknowledgement":{"username":"ivan","uid":"0815",` + reversedSelf + `}}`,
		func(spec *v1alpha1.PromotionSpec) {
			spec.Acknowledgement = v1alpha1.Acknowledgement{Username: ivan, UID: ivanUID, Groups: []string{"system:authenticated", "everybody"}}
		}, ""},
	{"puts no UID right in an acknowledgement", used, ivan, `{"acknowledgement":{"username":"ivan"` + claimsUID + `}`, nil, "G9"},
	{"touches no acknowledgement that is carried along", acknowledged, ivan, `{"reason":"because"}`, because, ""},
	{"heals an acknowledgement that is left out", acknowledged, cluster.Bob, `{"acknowledgement":null}`, unchanged, ""},
	{"heals an acknowledgement of which only the name is left", acknowledged, cluster.Bob, `{"acknowledgement":{"groups":null}}`, unchanged, ""},
	{"heals no acknowledgement whose name is changed", acknowledged, frank, `{"acknowledgement":{"username":"carol"}}`, nil, bySchema},
	{"heals no acknowledgement whose comment is changed", acknowledged, frank, `{"acknowledgement":{"comment":"on second thoughts"}}`, nil, bySchema},
	{"heals no acknowledgement whose UID is changed", acknowledged, frank, `{"acknowledgement":{"uid":"4711"}}`, nil, bySchema},
	{"heals no acknowledgement whose groups are changed", acknowledged, frank, `{"acknowledgement":{"groups":["incident-leads"]}}`, nil, bySchema},
}

var _ = Describe("a merge patch", Ordered, ContinueOnFailure, Label("stamping", "first"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	for _, s := range stamps {
		It("of the spec "+s.name, func(ctx context.Context) {
			promotion := s.on(ctx, scene).(*v1alpha1.Promotion)
			scene.refresh(ctx, promotion)
			want := promotion.Spec.DeepCopy()
			err := scene.send(ctx, scene.as(s.by), promotion, `{"spec":`+s.patch+`}`)
			switch s.deniedBy {
			case "":
			case bySchema:
				Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
				return
			default:
				Expect(err).To(deniedBy(s.deniedBy))
				return
			}
			Expect(err).NotTo(HaveOccurred())
			s.becomes(want)
			Expect(promotion.Spec).To(Equal(*want))
		})
	}

	for _, asks := range []struct {
		name, by string
		asked    v1alpha1.Person
		stamped  v1alpha1.Person
	}{
		{"who asks", cluster.Bob, v1alpha1.Person{}, v1alpha1.Person{Username: cluster.Bob, Groups: groupsOf(cluster.Bob)}},
		{"who asks, with a UID", ivan, v1alpha1.Person{}, v1alpha1.Person{Username: ivan, UID: ivanUID, Groups: []string{"everybody", "system:authenticated"}}},
		{"nothing where that is said", ivan, v1alpha1.Person{Username: ivan, UID: ivanUID, Groups: []string{"system:authenticated", "everybody"}},
			v1alpha1.Person{Username: ivan, UID: ivanUID, Groups: []string{"system:authenticated", "everybody"}}},
	} {
		It("is not needed on creation, which stamps "+asks.name, func(ctx context.Context) {
			promotion := cluster.NewPromotion(scene.project.Name, unique("promotion"), "shop-1", production)
			promotion.Spec.RequestedBy = asks.asked
			Expect(scene.as(asks.by).Create(ctx, promotion)).To(Succeed())
			Expect(promotion.Spec.RequestedBy).To(Equal(asks.stamped))
		})
	}

	It("is not needed on creation, which stamps who overrides", func(ctx context.Context) {
		Expect(overriddenWithoutPlan(ctx, scene).(*v1alpha1.Promotion).Spec.Override.UsedBy.Username).To(Equal(cluster.Dave))
	})
})

func approvedByTwo(ctx context.Context, w *world) client.Object {
	promotion := w.approved(ctx)
	w.approve(ctx, cluster.Carol, promotion)
	return promotion
}

// overriddenWithoutPlan is created by dave with an override of a window, of which nothing is spelled out.
func overriddenWithoutPlan(ctx context.Context, w *world) client.Object {
	promotion := w.request(cluster.Dave, production)
	promotion.Spec.Override = v1alpha1.PromotionOverride{Gates: []v1alpha1.OverridableGate{"Window"}, Reason: "production is down"}
	return w.made(ctx, cluster.Dave, promotion)
}

// overriddenWindow names no plan, though there is one now.
func overriddenWindow(ctx context.Context, w *world) client.Object {
	promotion := overriddenWithoutPlan(ctx, w).(*v1alpha1.Promotion)
	w.plan(ctx, promotion, planA)
	return promotion
}

func overriddenInStaging(ctx context.Context, w *world) client.Object {
	promotion := plannedFor(staging)(ctx, w).(*v1alpha1.Promotion)
	promotion.Spec.Override = overrideBy(cluster.Carol, planA)
	Expect(w.as(cluster.Carol).Update(ctx, promotion)).To(Succeed())
	return promotion
}

func overriddenAwaiting(ctx context.Context, w *world) client.Object {
	promotion := w.overridden(ctx)
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) {
		status.Conditions = append(conditionsOf(v1alpha1.ConditionSucceeded, metav1.ConditionUnknown),
			conditionsOf(v1alpha1.ConditionApproved, metav1.ConditionFalse)...)
	})
	return promotion
}

func overriddenInvalid(ctx context.Context, w *world) client.Object {
	promotion := w.overridden(ctx)
	w.status(ctx, promotion, func(status *v1alpha1.PromotionStatus) {
		status.Conditions = conditionsOf(v1alpha1.ConditionSucceeded, metav1.ConditionFalse)
		status.Conditions[0].Reason = v1alpha1.ReasonInvalid
	})
	return promotion
}
