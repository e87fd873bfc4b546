// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

const page = repository + "/docs/gates.md"

var sections, unreadable = readPage(page)

// scenes are what happens around the sections of a page, by their titles.
type scenes map[string]func(context.Context, *project)

// before is what has happened in the project before somebody follows a section.
var before = scenes{
	"Queue":    aRolloutThatLasts,
	"Rollback": twoReleases,
}

// after is what a section promises beside what its blocks say.
var after = scenes{
	"Release":             theBlockIsGone,
	"Hold":                theHoldIsGone,
	"Check":               theJobHasPassed,
	"Override":            theOverrideIsAcknowledged,
	"Rollback":            theRollbackRuns,
	"Automatic promotion": thePromoterHasAsked,
}

// why is the page's own answer to what a Promotion waits for.
var why = jsonpathOf("Reading why", "cleared by")

var _ = Describe("the page of the gates", func() {
	It("can be read", func() {
		Expect(unreadable).NotTo(HaveOccurred())
		Expect(why).NotTo(BeEmpty())
		expectTitles(sections, before, after)
	})

	It("has a section with an example for every gate", func() {
		for _, gate := range []v1alpha1.Gate{
			v1alpha1.GateGuard, v1alpha1.GateTarget, v1alpha1.GateRelease, v1alpha1.GateHold, v1alpha1.GateUpstream, v1alpha1.GateApproval,
			v1alpha1.GateCheck, v1alpha1.GateSoak, v1alpha1.GateSchedule, v1alpha1.GateWindow, v1alpha1.GateQueue,
		} {
			Expect(sections).To(ContainElement(Satisfy(func(s section) bool {
				return strings.Contains(strings.ToLower(s.title), strings.ToLower(string(gate))) && len(s.blocks) > 0
			})), string(gate))
		}
	})

	for _, followed := range sections {
		if len(followed.blocks) == 0 {
			continue
		}
		It(fmt.Sprintf("is right about %q", followed.title), func(ctx context.Context) { follow(ctx, followed, before[followed.title], after[followed.title]) })
	}
})

// follow a section in a project of its own, after something has happened there, and see that it is as the section promises; either may be nil.
func follow(ctx context.Context, followed section, happened, promised func(context.Context, *project)) {
	GinkgoHelper()
	p := newProject(ctx)
	if happened != nil {
		happened(ctx, p)
	}
	looked := asked
	for _, example := range followed.blocks {
		By(fmt.Sprintf("following line %d", example.line))
		switch example.kind {
		case "yaml":
			p.apply(ctx, cluster.Admin, example.text)
			p.inOrder(ctx)
			looked = lastPromotion(example.text, looked)
		case "sh":
			for _, todo := range example.commands(cluster.Admin) {
				p.run(ctx, todo)
			}
		case "text":
			p.expect(ctx, looked, moved(example.text, p.Name, p.targets))
		}
	}
	p.inOrder(ctx)
	if promised != nil {
		promised(ctx, p)
	}
}

// expect every line among those that the Promotion's status is shown as.
func (p *project) expect(ctx context.Context, name, text string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		shown, err := p.says(ctx, name)
		g.Expect(err).NotTo(HaveOccurred())
		for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
			g.Expect(shown).To(ContainElement(line))
		}
	}).WithContext(ctx).Should(Succeed())
}

var promotions = regexp.MustCompile(`kind: Promotion\nmetadata:\n  name: (\S+)`)

// lastPromotion is the name of the last Promotion in manifests.
func lastPromotion(manifests, otherwise string) string {
	found := promotions.FindAllStringSubmatch(manifests, -1)
	if len(found) == 0 {
		return otherwise
	}
	return found[len(found)-1][1]
}

// expectTitles of scenes to be those of sections: a scene whose section was renamed would be played nowhere.
func expectTitles(sections []section, all ...scenes) {
	GinkgoHelper()
	var titles []string
	for _, s := range sections {
		titles = append(titles, s.title)
	}
	for _, some := range all {
		for title := range some {
			Expect(titles).To(ContainElement(title))
		}
	}
}

// jsonpathOf the first command of a section that prints certain words.
func jsonpathOf(title, words string) string {
	for _, s := range sections {
		for _, b := range s.blocks {
			for _, c := range b.commands(cluster.Admin) {
				_, path, found := strings.Cut(strings.TrimSpace(c.text), "-o jsonpath='")
				if s.title == title && found && strings.Contains(path, words) {
					return strings.TrimSuffix(path, "'")
				}
			}
		}
	}
	return ""
}

// aRolloutThatLasts: no pod fits into the target.
func aRolloutThatLasts(ctx context.Context, p *project) {
	GinkgoHelper()
	Expect(admin.Create(ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "no-pods", Namespace: p.targets["shop-production"]},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
	})).To(Succeed())
	p.approve(ctx, asked, v1alpha1.ReasonRollingOut)
}

func twoReleases(ctx context.Context, p *project) {
	GinkgoHelper()
	p.approve(ctx, asked, v1alpha1.ReasonSucceeded)
	const manifests = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {version: 1.1.0}"
	Expect(admin.Create(ctx, cluster.NewRelease(p.Name, "shop-1.1.0", "1.1.0", manifests))).To(Succeed())
	next := cluster.NewPromotion(p.Name, "shop-1.1.0-production", "shop-1.1.0", "production")
	Expect(admin.Create(ctx, next)).To(Succeed())
	p.approve(ctx, next.Name, v1alpha1.ReasonSucceeded)
}

func theBlockIsGone(ctx context.Context, p *project) { p.opens(ctx, v1alpha1.GateRelease) }

func theHoldIsGone(ctx context.Context, p *project) { p.opens(ctx, v1alpha1.GateHold) }

// opens waits until a gate of bob's Promotion is open.
func (p *project) opens(ctx context.Context, gate v1alpha1.Gate) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		found, err := p.promotion(ctx, asked)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found.Status.Blockers).NotTo(BeEmpty())
		g.Expect(found.Status.Blockers).NotTo(ContainElement(HaveField("Gate", gate)))
	}).WithContext(ctx).Should(Succeed())
}

func theJobHasPassed(ctx context.Context, p *project) {
	GinkgoHelper()
	By("asking again, now that the service account is there")
	p.run(ctx, command{user: cluster.Bob, text: "kubectl annotate promotion " + asked + " --namespace shop --overwrite assent.dev/rerun-checks=again"})
	Eventually(func(g Gomega) {
		found, err := p.promotion(ctx, asked)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found.Status.Checks).To(ContainElement(And(HaveField("Name", "database"), HaveField("Result", v1alpha1.CheckPassed))))
	}).WithContext(ctx).Should(Succeed())
	p.expect(ctx, asked, `Check: check "change-ticket" is running`)
}

func theOverrideIsAcknowledged(ctx context.Context, p *project) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		found, err := p.promotion(ctx, asked)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found.Status.Overridden).To(ConsistOf(v1alpha1.OverridableGate("Hold"), v1alpha1.OverridableGate("Approval")))
		overridden := meta.FindStatusCondition(found.Status.Conditions, v1alpha1.ConditionOverridden)
		g.Expect(overridden).NotTo(BeNil())
		g.Expect(overridden.Reason).To(Equal(v1alpha1.ReasonAcknowledged))
		g.Expect(p.environment(ctx, "production").Status.Overrides).To(BeEmpty())
	}).WithContext(ctx).Should(Succeed())
	var records v1alpha1.AuditRecordList
	Expect(admin.List(ctx, &records, client.InNamespace(p.Name))).To(Succeed())
	var written []v1alpha1.AuditType
	for _, record := range records.Items {
		written = append(written, record.Spec.Type)
	}
	Expect(written).To(Equal([]v1alpha1.AuditType{
		v1alpha1.AuditOverridden, v1alpha1.AuditIntent, v1alpha1.AuditSucceeded, v1alpha1.AuditAcknowledged,
	}))
}

func theRollbackRuns(ctx context.Context, p *project) {
	GinkgoHelper()
	current := p.environment(ctx, "production").Status.Current
	Expect(current.Release).To(Equal("shop-1.0.0"))
	Expect(current.Promotion).To(Equal("shop-1.0.0-production-back"))
}

func thePromoterHasAsked(ctx context.Context, p *project) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(p.environment(ctx, "staging").Status.AutoPromoted.Version).To(Equal("1.0.0"))
		g.Expect(p.environment(ctx, "staging").Status.Current.Version).To(Equal("1.0.0"))
	}).WithContext(ctx).Should(Succeed())
	found, err := p.promotion(ctx, p.environment(ctx, "staging").Status.Current.Promotion)
	Expect(err).NotTo(HaveOccurred())
	Expect(found.Spec.RequestedBy.Username).To(Equal("system:serviceaccount:" + p.Name + ":" + v1alpha1.PromoterServiceAccount))
}

// environment as it is now.
func (p *project) environment(ctx context.Context, name string) *v1alpha1.Environment {
	GinkgoHelper()
	found := &v1alpha1.Environment{}
	Expect(admin.Get(ctx, types.NamespacedName{Namespace: p.Name, Name: name}, found)).To(Succeed())
	return found
}
