// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
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
