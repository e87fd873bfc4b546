// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// multitude is how many Promotions wait for people, and few how many in the comparison. What ten times as many cost, the benchmarks measure.
	multitude, few = 1_000, 10
	// neighbours is how many of them want to go to the same Environment.
	neighbours = 100
	// creators is how many requests for them are under way at once.
	creators = 16
	// settling is how long it may take until the operator has planned all of them.
	settling = 2 * time.Minute
	// quiet is how long the operator is watched while they wait.
	quiet = 10 * time.Second
	// idleShare is how much of a core it may use meanwhile. The clock of its processor time counts in hundredths of a second.
	idleShare = 0.01
	// unevenness is how much more processor time the same approval may take by chance.
	unevenness = 150 * time.Millisecond
)

// waitingCrowd is a place with many Environments, each with as many Promotions of one Release that wait for approval. One of them wants to go to
// production, as the only one: what the others do when the Environment is theirs, too, is not what the approval costs. It is returned as well.
func waitingCrowd(ctx context.Context, count int) (*place, *v1alpha1.Promotion) {
	GinkgoHelper()
	p := newProject(ctx)
	if count > few {
		p.spare("to read all that is written of so many promotions takes minutes, and it is the same a thousand times")
	}
	release := p.release(ctx, "shop-1.0.0", configMap("settings", "1"))
	awaitRelease(ctx, release, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	By(fmt.Sprintf("creating %d promotions to %d environments", count, count/neighbours))
	each(max(1, count/neighbours), func(i int) {
		environment := cluster.NewEnvironment(p.project.Name, fmt.Sprintf("e%04d", i), p.target)
		Expect(scene.as(cluster.Admin).Create(ctx, environment)).To(Succeed())
		for k := range min(count, neighbours) {
			asked := cluster.NewPromotion(p.project.Name, fmt.Sprintf("p%04d-%d", i, k), release.Name, environment.Name)
			Expect(scene.as(cluster.Bob).Create(ctx, asked)).To(Succeed())
		}
	})
	p.establish(ctx, production)
	asked := p.request(ctx, "asked", release.Name)
	p.awaitCrowd(ctx, count+1)
	Expect(refresh(ctx, asked)).To(Succeed())
	return p, asked
}

// each calls work with 0 to count-1, several at a time.
func each(count int, work func(int)) {
	var group sync.WaitGroup
	next := make(chan int)
	for range creators {
		group.Go(func() {
			defer GinkgoRecover()
			for i := range next {
				work(i)
			}
		})
	}
	for i := range count {
		next <- i
	}
	close(next)
	group.Wait()
}

// awaitCrowd waits until every promotion waits for approval, is shown by its Environment, and the operator writes nothing any more.
func (p *place) awaitCrowd(ctx context.Context, count int) {
	GinkgoHelper()
	By("waiting until each of them is planned and waits for people")
	Eventually(func(g Gomega) {
		var all v1alpha1.PromotionList
		g.Expect(scene.as(cluster.Admin).List(ctx, &all, client.InNamespace(p.project.Name))).To(Succeed())
		waiting := 0
		for i := range all.Items {
			if promotion.State(&all.Items[i]) == v1alpha1.ReasonAwaitingApproval {
				waiting++
			}
		}
		GinkgoWriter.Printf("%d of %d wait\n", waiting, count)
		g.Expect(waiting).To(Equal(count))
	}).WithContext(ctx).WithTimeout(settling).WithPolling(2 * time.Second).Should(Succeed())
	By("waiting until every environment shows them")
	Eventually(func(g Gomega) {
		var all v1alpha1.EnvironmentList
		g.Expect(scene.as(cluster.Admin).List(ctx, &all, client.InNamespace(p.project.Name))).To(Succeed())
		g.Expect(all.Items).To(HaveEach(HaveField("Status.WaitingCount", HaveValue(BeNumerically(">", 0)))))
		var shown int32
		for i := range all.Items {
			shown += *all.Items[i].Status.WaitingCount
		}
		g.Expect(shown).To(BeEquivalentTo(count))
	}).WithContext(ctx).WithTimeout(settling).WithPolling(time.Second).Should(Succeed())
}

// expense of one approval, up to the success of the promotion: what the operator wrote, its processor time, and how long it took.
type expense struct {
	writes  int
	core    time.Duration
	elapsed time.Duration
}

func (p *place) approval(ctx context.Context, asked *v1alpha1.Promotion) expense {
	GinkgoHelper()
	log, before, began := scene.requests(), scene.coreTime(), time.Now()
	approve(ctx, cluster.Alice, asked)
	await(ctx, asked, v1alpha1.ReasonSucceeded)
	elapsed := time.Since(began)
	By("waiting until the operator has come to rest")
	last, since := -1, time.Now()
	Eventually(func() time.Duration {
		if now := len(p.writes(log)); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since)
	}).WithContext(ctx).WithPolling(100 * time.Millisecond).Should(BeNumerically(">", time.Second))
	return expense{writes: last, core: scene.coreTime() - before, elapsed: elapsed}
}

// coreTime is the processor time that the operator has used.
func (w *world) coreTime() time.Duration {
	GinkgoHelper()
	used, err := w.operator.CoreTime()
	Expect(err).NotTo(HaveOccurred())
	return used
}

var _ = Describe("a thousand promotions that wait for people", func() {
	It("cost no write and no processor time, and approving one of them costs what it does among ten", Serial, func(ctx context.Context) {
		p, asked := waitingCrowd(ctx, few)
		among := p.approval(ctx, asked)
		p, asked = waitingCrowd(ctx, multitude)

		By("watching the operator do nothing")
		log, before := scene.requests(), scene.coreTime()
		Consistently(func() []cluster.Request { return p.writes(log) }).WithContext(ctx).WithTimeout(quiet).WithPolling(quiet).Should(BeEmpty())
		used := scene.coreTime() - before
		inCrowd := p.approval(ctx, asked)
		costs := fmt.Sprintf("idle: %s of processor time in %s; approving one among %d: %+v, among %d: %+v", used, quiet, few, among, multitude, inCrowd)
		AddReportEntry("costs", costs)
		By(costs)
		Expect(used.Seconds()).To(BeNumerically("<=", idleShare*quiet.Seconds()))
		Expect(inCrowd.writes).To(Equal(among.writes))
		Expect(inCrowd.core).To(BeNumerically("<=", among.core+unevenness))
	})
})
