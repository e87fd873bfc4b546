// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/plan"
)

const (
	// manyObjects is how many objects a plan may hold.
	manyObjects = 1000
	// leastRendered is how large they are together, at least.
	leastRendered = 1500 << 10
	// largeObjects are as many as are under way at once.
	largeObjects = 16
	// mostHeap is how much memory their whole rollout may take, above what the process had before.
	mostHeap = 64 << 20
)

var _ = Describe("A rollout of 1,000 objects", Label("many"), func() {
	It("is looked at, applied and pruned with bounded memory", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		first, second := p.objects(many("one")), p.objects(many("two"))
		size := 0
		for _, object := range first {
			content, err := object.MarshalJSON()
			Expect(err).NotTo(HaveOccurred())
			size += len(content)
		}
		Expect(first).To(HaveLen(manyObjects))
		Expect(size).To(BeNumerically(">", leastRendered))

		heap := watchHeap()
		creating := p.rollOut(ctx, first, v1alpha1.ChangeCreate)
		updating := p.rollOut(ctx, second, v1alpha1.ChangeUpdate)
		started := time.Now()
		pruned, err := p.deployer.Prune(ctx, refsOf(second), owner)
		Expect(err).NotTo(HaveOccurred())
		Expect(pruned.Deleted).To(HaveLen(manyObjects))
		pruning := time.Since(started)
		live, peak := heap.stop()
		fmt.Printf("%d objects, %d KiB rendered: %s; %s; pruning %s; live heap at most %d MiB, heap at most %d MiB more than before\n",
			manyObjects, size>>10, creating, updating, pruning.Round(time.Millisecond), live>>20, peak>>20)
		Expect(peak).To(BeNumerically("<", mostHeap))
	})

	It("takes objects close to 1 MiB, and says which one is too large", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		heap := watchHeap()
		for _, value := range []string{"a", "b"} {
			var all []string
			for i := range largeObjects {
				all = append(all, configMap(fmt.Sprintf("large-%d", i), strings.Repeat(value, 1<<20-100)))
			}
			objects := p.objects(strings.Join(all, "\n---\n"))
			looked, err := p.deployer.Compare(ctx, objects)
			Expect(err).NotTo(HaveOccurred())
			Expect(len(plan.Diff(looked))).To(BeNumerically("<=", plan.MaxDiffBytes))
			result, err := p.deployer.Apply(ctx, objects, apply.Findings(looked)...)
			Expect(err).NotTo(HaveOccurred())
			Expect(result.Changed()).To(Equal(largeObjects))
		}
		live, peak := heap.stop()
		fmt.Printf("%d objects of 1 MiB: live heap at most %d MiB, heap at most %d MiB more than before\n", largeObjects, live>>20, peak>>20)
		Expect(peak).To(BeNumerically("<", 4*mostHeap))
		_, err := p.deployer.Compare(ctx, p.objects(configMap("large", strings.Repeat("c", 1<<20+1))))
		Expect(err).To(And(haveKind(apply.RefusedError), MatchError(ContainSubstring(`ConfigMap "large" is refused by the API server`))))
	})
})

// rollOut does what a promotion does with its plan.
func (p *place) rollOut(ctx context.Context, objects []*unstructured.Unstructured, action v1alpha1.ChangeAction) string {
	started := time.Now()
	looked, err := p.deployer.Compare(ctx, objects)
	Expect(err).NotTo(HaveOccurred())
	compared := time.Since(started)
	changes := plan.Changes(looked)
	Expect(changes).To(HaveLen(len(objects)))
	Expect(changes).To(HaveEach(HaveField("Action", action)))
	Expect(len(plan.Diff(looked))).To(BeNumerically("<=", plan.MaxDiffBytes))
	started = time.Now()
	result, err := p.deployer.Apply(ctx, objects, apply.Findings(looked)...)
	Expect(err).NotTo(HaveOccurred())
	Expect(result.Changed()).To(Equal(len(objects)))
	return fmt.Sprintf("%s: compare %s, apply %s", action, compared.Round(time.Millisecond), time.Since(started).Round(time.Millisecond))
}

// many objects of some kinds, 1.6 KB and more each.
func many(value string) string {
	text := strings.Repeat(value+" ", 400)
	kinds := []string{
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: many-%d}, data: {text: '" + text + "'}}",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: many-%d}, data: {text: '" + text + "'}}",
		"{apiVersion: v1, kind: Secret, metadata: {name: many-%d}, data: {text: " + base64.StdEncoding.EncodeToString([]byte(text)) + "}}",
		"{apiVersion: v1, kind: ServiceAccount, metadata: {name: many-%d, annotations: {text: '" + text + "'}}}",
		"{apiVersion: batch/v1, kind: CronJob, metadata: {name: many-%d}, spec: {suspend: true, schedule: '0 0 1 1 *', jobTemplate: {spec: {template: " +
			"{spec: {restartPolicy: Never, containers: [{name: c, image: i, args: ['" + text + "']}]}}}}}}",
	}
	var all []string
	for i := range manyObjects {
		all = append(all, fmt.Sprintf(kinds[i%len(kinds)], i))
	}
	return strings.Join(all, "\n---\n")
}

func refsOf(objects []*unstructured.Unstructured) []v1alpha1.ObjectReference {
	var refs []v1alpha1.ObjectReference
	for _, object := range objects {
		refs = append(refs, plan.Reference(object))
	}
	return refs
}

// heapWatch looks at the heap all the time.
type heapWatch struct {
	done               chan struct{}
	live, peak, before uint64
	percent            int
	stopped            chan struct{}
}

// watchHeap begins with a clean heap, and has the garbage collector run often enough for the heap to be about what is in use.
func watchHeap() *heapWatch {
	w := &heapWatch{done: make(chan struct{}), stopped: make(chan struct{}), percent: debug.SetGCPercent(25)}
	runtime.GC()
	_, w.before = readHeap()
	go func() {
		defer close(w.stopped)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			live, all := readHeap()
			w.live, w.peak = max(w.live, live), max(w.peak, all)
			select {
			case <-w.done:
				return
			case <-ticker.C:
			}
		}
	}()
	return w
}

// stop tells the most bytes that were in use after a collection, and the most that there were in all, above those at the beginning.
func (w *heapWatch) stop() (live, peak uint64) {
	close(w.done)
	<-w.stopped
	debug.SetGCPercent(w.percent)
	return w.live - min(w.live, w.before), w.peak - min(w.peak, w.before)
}

func readHeap() (live, all uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}
