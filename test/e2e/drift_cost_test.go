// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// environmentsAtRest is how many are watched at rest; the environment variable of that name asks for more.
	environmentsAtRest         = 60
	environmentsAtRestVariable = "ASSENT_ENVIRONMENTS_AT_REST"
	// memoryOfEach bounds what the operator holds more for each of them, in bytes.
	memoryOfEach = 150 << 10
	// memoryByChance is how much more it may hold at one time than at another, in bytes.
	memoryByChance = 8 << 20
	// ownWatches bounds how many watches it keeps with its own rights, however many Environments there are.
	ownWatches = 30
)

// populate a project with Environments, each with a target namespace of its own, and one Release in all of them.
func populate(ctx context.Context, p *place, count int, objects ...string) {
	GinkgoHelper()
	release := p.release(ctx, "shop-1.0.0", objects...)
	awaitRelease(ctx, release, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	By(fmt.Sprintf("rolling out to %d environments", count))
	targets := make([]v1alpha1.Target, count)
	each(count, func(i int) {
		var err error
		targets[i], err = scene.cluster.Target(ctx)
		Expect(err).NotTo(HaveOccurred())
		name := fmt.Sprintf("e%04d", i)
		environment := cluster.NewEnvironment(p.project.Name, name, targets[i])
		unattended(&environment.Spec)
		Expect(scene.as(cluster.Admin).Create(ctx, environment)).To(Succeed())
		Expect(scene.as(cluster.Bob).Create(ctx, cluster.NewPromotion(p.project.Name, name, release.Name, name))).To(Succeed())
	})
	DeferCleanup(func(ctx context.Context) {
		for _, target := range targets {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: target.Namespace}}
			Expect(client.IgnoreNotFound(scene.as(cluster.Admin).Delete(ctx, namespace))).To(Succeed())
		}
	})
	Eventually(func(g Gomega) {
		var all v1alpha1.PromotionList
		g.Expect(scene.as(cluster.Admin).List(ctx, &all, client.InNamespace(p.project.Name))).To(Succeed())
		succeeded := 0
		for i := range all.Items {
			if promotion.State(&all.Items[i]) == v1alpha1.ReasonSucceeded {
				succeeded++
			}
		}
		g.Expect(succeeded).To(Equal(count))
	}).WithContext(ctx).WithTimeout(settling).WithPolling(2 * time.Second).Should(Succeed())
}

// memory that the operator holds.
func (w *world) memory() int64 {
	GinkgoHelper()
	held, err := w.operator.Memory()
	Expect(err).NotTo(HaveOccurred())
	return held
}

var _ = Describe("environments at rest", func() {
	It("cost no write, next to no processor time and little memory, and the operator's watches do not grow with them", Serial, func(ctx context.Context) {
		count := environmentsAtRest
		if asked, err := strconv.Atoi(os.Getenv(environmentsAtRestVariable)); err == nil {
			count = asked
		}
		restart := func() {
			Expect(scene.operator.Stop()).To(Succeed())
			Expect(scene.operator.Start(ctx)).To(Succeed())
		}
		restart()
		p := newProject(ctx)
		p.spare("to read all that is written of so many environments takes minutes, and it is the same each time")
		atFirst := scene.memory()
		populate(ctx, p, count, deployment("web", "registry.example/shop:1"), configMap("settings", "one"), service("web"), secret("login"))

		Expect(scene.operator.Stop()).To(Succeed())
		log, began := scene.requests(), time.Now()
		Expect(scene.operator.Start(ctx)).To(Succeed())
		By("waiting until each has been compared once after the start")
		dryRuns := func() int {
			found, err := log.Answered(func(r cluster.Request) bool { return r.ByOperator() && r.Verb == "patch" && !r.Changes() })
			Expect(err).NotTo(HaveOccurred())
			return len(found)
		}
		Eventually(dryRuns).WithContext(ctx).WithTimeout(settling).WithPolling(2 * time.Second).Should(BeNumerically(">=", 4*count))
		started := scene.coreTime()
		By("watching the operator do nothing")
		idle, before := scene.requests(), scene.coreTime()
		Consistently(func() ([]cluster.Request, error) {
			return idle.Answered(func(r cluster.Request) bool { return r.ByOperator() && r.Verb != "watch" })
		}).WithContext(ctx).WithTimeout(idleFor).WithPolling(idleFor).Should(BeEmpty())
		used, held := scene.coreTime()-before, scene.memory()

		By("ending the operator, so that the API server tells of its watches")
		Expect(scene.operator.Stop()).To(Succeed())
		own, borrowed := 0, 0
		Eventually(func() error {
			watches, err := log.Answered(func(r cluster.Request) bool { return r.ByOperator() && r.Verb == "watch" && r.Received.After(began) })
			own, borrowed = 0, 0
			for _, watch := range watches {
				if watch.ImpersonatedUser.Username != "" {
					borrowed++
				} else {
					own++
				}
			}
			return err
		}).WithContext(ctx).Should(Succeed())
		Expect(scene.operator.Start(ctx)).To(Succeed())
		each := (held - atFirst) / int64(count)
		costs := fmt.Sprintf("%d environments at rest: %s of processor time in %s (%s from the start until all were compared); %d watches of the operator, %d of deployers; "+
			"%d MiB held, %d MiB without them: %d KiB for each", count, used, idleFor, started, own, borrowed, held>>20, atFirst>>20, each>>10)
		AddReportEntry("costs", costs)
		By(costs)
		Expect(used.Seconds()).To(BeNumerically("<=", idleShare*idleFor.Seconds()))
		Expect(own).To(BeNumerically("<=", ownWatches))
		Expect(borrowed).To(BeNumerically("<=", count))
		Expect(held - atFirst).To(BeNumerically("<=", memoryOfEach*int64(count)+memoryByChance))
	})
})
