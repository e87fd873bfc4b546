// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
)

const (
	// rounds of measuring: enough for a median that one slow request does not move.
	rounds = 7
	// pairsOfObjects times a ConfigMap and a Deployment are 50 objects.
	pairsOfObjects = 25
	// mostTimesFloor is how much longer a rollout may take than a program that only sends its writes.
	mostTimesFloor = 1.5
	// floorParallel is how many requests that program has under way: as many as a rollout.
	floorParallel = 16
)

var _ = Describe("A rollout of 50 objects", Label("speed"), func() {
	It("takes at most 1.5 times as long as only sending the 50 writes", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		creating, updating := &comparisonOfTimes{what: "creating"}, &comparisonOfTimes{what: "updating"}
		for round := range rounds {
			ours, floors := fmt.Sprintf("ours-%d", round), fmt.Sprintf("floor-%d", round)
			p.measure(ctx, creating, round, ours, floors, "one")
			p.settled(ctx)
			p.measure(ctx, updating, round, ours, floors, "two")
			p.settled(ctx)
		}
		for _, times := range []*comparisonOfTimes{creating, updating} {
			fmt.Println(times) // the figures are worth seeing when all is well, too
			Expect(median(times.requests)).To(BeNumerically("<=", 2*pairsOfObjects+2), "one list for each of the two kinds, and the writes")
			Expect(median(times.ratios())).To(BeNumerically("<=", mostTimesFloor), times.String())
		}
	})
})

// measure one rollout and the floor, each time in the other order, so that what one leaves behind burdens the other as often.
func (p *place) measure(ctx context.Context, times *comparisonOfTimes, round int, ours, floors, value string) {
	objects, bare := p.objects(fifty(ours, value)), p.objects(fifty(floors, value))
	rollout := func() {
		started := time.Now()
		looked, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		times.compare = append(times.compare, time.Since(started))
		before := p.requests()
		started = time.Now()
		result, err := p.deployer.Apply(ctx, objects, apply.Findings(looked)...)
		times.ours = append(times.ours, time.Since(started))
		times.requests = append(times.requests, float64(p.requests()-before))
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Changed()).To(Equal(2 * pairsOfObjects))
	}
	floor := func() {
		started := time.Now()
		Expect(onlyWrite(ctx, p.deployer.Reader(), bare)).To(Succeed())
		times.floor = append(times.floor, time.Since(started))
	}
	if round%2 == 0 {
		rollout()
		p.settled(ctx)
		floor()
		return
	}
	floor()
	p.settled(ctx)
	rollout()
}

func (p *place) requests() int64 {
	return p.reads.Load() + p.tries.Load() + p.writes.Load()
}

// onlyWrite is the floor: it sends the writes, and does nothing else.
func onlyWrite(ctx context.Context, reader dynamic.Interface, objects []*unstructured.Unstructured) error {
	resources := map[string]schema.GroupVersionResource{
		"ConfigMap": {Version: "v1", Resource: "configmaps"}, "Deployment": {Group: "apps", Version: "v1", Resource: "deployments"},
	}
	errs := make([]error, len(objects))
	slots := make(chan struct{}, floorParallel)
	var group sync.WaitGroup
	for i, object := range objects {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			content, err := object.MarshalJSON()
			if err != nil {
				errs[i] = err
				return
			}
			_, errs[i] = reader.Resource(resources[object.GetKind()]).Namespace(object.GetNamespace()).Patch(ctx, object.GetName(), types.ApplyPatchType, content,
				metav1.PatchOptions{FieldManager: v1alpha1.FieldManager, Force: ptr.To(true)})
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// settled waits until the Deployment controller has nothing left to do, which would be measured otherwise.
func (p *place) settled(ctx context.Context) {
	Eventually(func(g Gomega) {
		all := &appsv1.DeploymentList{}
		g.Expect(admin.List(ctx, all, client.InNamespace(p.target.Namespace))).To(Succeed())
		for _, deployment := range all.Items {
			g.Expect(deployment.Status.ObservedGeneration).To(Equal(deployment.Generation))
			g.Expect(deployment.Status.Conditions).NotTo(BeEmpty())
		}
	}).WithTimeout(time.Minute).WithPolling(100 * time.Millisecond).Should(Succeed())
}

func fifty(prefix, value string) string {
	var all []string
	for i := range pairsOfObjects {
		name := fmt.Sprintf("%s-%d", prefix, i)
		all = append(all, configMap(name, value), fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s}, spec: {replicas: 0, selector: {matchLabels: {app: %[1]s}},
  template: {metadata: {labels: {app: %[1]s}}, spec: {containers: [{name: web, image: registry/shop, env: [{name: VALUE, value: %s}]}]}}}}`, name, value))
	}
	return strings.Join(all, "\n---\n")
}

// comparisonOfTimes is how long the rounds took.
type comparisonOfTimes struct {
	what                 string
	ours, floor, compare []time.Duration
	requests             []float64
}

func (c *comparisonOfTimes) ratios() []float64 {
	var ratios []float64
	for i := range c.ours {
		ratios = append(ratios, float64(c.ours[i])/float64(c.floor[i]))
	}
	return ratios
}

func (c *comparisonOfTimes) String() string {
	ratios := c.ratios()
	return fmt.Sprintf("%s 50 objects, %d rounds: rollout %s (%s to %s), only the writes %s (%s to %s), ratio %.2f (%.2f to %.2f); %.0f requests (%.0f to %.0f); looking before that %s",
		c.what, len(c.ours), median(c.ours), slices.Min(c.ours), slices.Max(c.ours), median(c.floor), slices.Min(c.floor), slices.Max(c.floor),
		median(ratios), slices.Min(ratios), slices.Max(ratios), median(c.requests), slices.Min(c.requests), slices.Max(c.requests), median(c.compare))
}

func median[T float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
