// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestWhatRollsOutIsBroughtToItsEndBeforeMoreIsBegun(t *testing.T) {
	g := NewWithT(t)
	var queue workqueue.TypedRateLimitingInterface[reconcile.Request] = priorityqueue.New[reconcile.Request]("test")
	defer queue.ShutDown()
	woken := &alarm{}
	g.Expect(woken.start(t.Context(), queue)).To(Succeed())
	approved := []string{"first", "second", "third"}
	for _, name := range approved {
		queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
	}
	woken.ring(types.NamespacedName{Name: "timer"})
	woken.hurry(types.NamespacedName{Name: "healthy"})

	var order []string
	for range 5 {
		next, _ := queue.Get()
		order = append(order, next.Name)
		queue.Done(next)
	}
	g.Expect(order).To(Equal([]string{"healthy", "first", "second", "third", "timer"}))
}

func TestAnEnvironmentIsToldOfARolloutThatADeletedPromotionLeaves(t *testing.T) {
	g := NewWithT(t)
	var queue workqueue.TypedRateLimitingInterface[reconcile.Request] = priorityqueue.New[reconcile.Request]("test")
	defer queue.ShutDown()
	told := &alarm{}
	g.Expect(told.start(t.Context(), queue)).To(Succeed())
	r := &PromotionReconciler{
		Client: &shelf{}, Planner: &Planner{findings: newFindings()}, places: &places{environments: told}, rollouts: newRollouts(),
		working: newLocks(), timers: newTimers(clock.RealClock{}, told.ring), checks: &checks{},
	}
	gone := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "one"}}
	r.rollouts.put(gone.NamespacedName, &rollout{intent: record(v1alpha1.AuditIntent, 1)})
	_, err := r.Reconcile(t.Context(), gone)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(queue.Len()).To(Equal(1))
	next, _ := queue.Get()
	g.Expect(next.NamespacedName).To(Equal(toProduction))
	queue.Done(next)

	_, err = r.Reconcile(t.Context(), gone)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(queue.Len()).To(BeZero(), "it is told once")
}
