// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package gates_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// measurements is a server with Prometheus' HTTP API that answers every query with one value, and counts how often it was asked.
type measurements struct {
	*httptest.Server
	value atomic.Value
	asked atomic.Int32
}

func newMeasurements(value string) *measurements {
	made := &measurements{}
	made.value.Store(value)
	made.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		made.asked.Add(1)
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"shop"},"value":[0,%q]}]}}`, made.value.Load())
	}))
	DeferCleanup(made.Close)
	return made
}

// check that there are few errors, three times in succession, half a minute apart.
func (m *measurements) check(spec *v1alpha1.EnvironmentSpec) {
	spec.Checks = append(spec.Checks, v1alpha1.Check{
		Name: "errors", Phase: v1alpha1.CheckAfter, Times: 3, Attempts: 2, IntervalSeconds: 30, TimeoutSeconds: 5,
		Prometheus: v1alpha1.PrometheusCheck{URL: m.URL, Query: "errors", When: "result[0].value < 0.01"},
	})
}

// passesUntil lets time pass by the operator's clock in small steps until something is so.
func (p *project) passesUntil(ctx context.Context, what string, wanted func() bool) {
	GinkgoHelper()
	By("letting time pass until " + what)
	Eventually(func() bool {
		if wanted() {
			return true
		}
		p.clock.Step(2 * time.Second)
		return false
	}).WithContext(ctx).Should(BeTrue())
}

var _ = Describe("a check after the rollout", func() {
	It("is not asked before, and passes so often in succession", func(ctx context.Context) {
		p := newProject(ctx, local)
		server := newMeasurements("0.001")
		p.establish(ctx, "production", server.check)
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", nil)
		p.expectBlocked(ctx, asked, "Approval: needs 1 more approval; 0 of 1 given")
		Expect(server.asked.Load()).To(BeZero(), "a check after the rollout must not be a gate")
		Expect(asked.Status.Checks).To(BeEmpty())

		p.decide(ctx, cluster.Alice, asked, v1alpha1.DecisionApproved)
		p.await(ctx, asked, v1alpha1.ReasonVerifying)
		p.passesUntil(ctx, "it was asked three times", func() bool { return server.asked.Load() == 3 })
		p.await(ctx, asked, v1alpha1.ReasonSucceeded)
		Expect(asked.Status.Checks).To(ConsistOf(And(
			HaveField("Name", "errors"), HaveField("Result", v1alpha1.CheckPassed), HaveField("Times", HaveValue(BeEquivalentTo(3))),
			HaveField("Message", fmt.Sprintf("passed 3 times in succession; the last time: %s returned {job=\"shop\"} 0.001", server.Listener.Addr())))))
		Expect(server.asked.Load()).To(BeEquivalentTo(3))
	})

	It("fails the rollout when it fails so often in succession", func(ctx context.Context) {
		p := newProject(ctx, local)
		server := newMeasurements("0.001")
		p.establish(ctx, "production", func(spec *v1alpha1.EnvironmentSpec) { unattended(spec); server.check(spec) })
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", nil)
		p.passesUntil(ctx, "it was asked once", func() bool { return server.asked.Load() == 1 })
		server.value.Store("0.2")
		p.passesUntil(ctx, "it was asked three times", func() bool { return server.asked.Load() == 3 })
		p.await(ctx, asked, v1alpha1.ReasonFailed)
		Expect(asked.Status.Checks).To(ConsistOf(And(HaveField("Result", v1alpha1.CheckFailed), HaveField("Message", fmt.Sprintf(
			"failed 2 times in succession, having passed 1 of 3 times: `when` is not met: %s returned {job=\"shop\"} 0.2", server.Listener.Addr())))))
	})

	It("runs one Job for each repetition, and a process that takes over goes on with those of the one before", func(ctx context.Context) {
		p := newProject(ctx)
		Expect(p.as(cluster.Admin).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: p.Name, Name: v1alpha1.CheckerServiceAccount}})).To(Succeed())
		Expect(p.BindAccount(ctx, "assent-checker", v1alpha1.CheckerServiceAccount)).To(Succeed())
		p.establish(ctx, "production", func(spec *v1alpha1.EnvironmentSpec) {
			unattended(spec)
			spec.Rollout.TimeoutSeconds = 3600 // Jobs take a time that the operator's clock does not show
			spec.Checks = []v1alpha1.Check{{
				Name: "smoke", Phase: v1alpha1.CheckAfter, Times: 3, Attempts: 3, IntervalSeconds: 30, TimeoutSeconds: 60,
				Job: v1alpha1.JobCheck{Template: "spec: {template: {spec: {restartPolicy: Never, containers: [{name: smoke, image: registry.example/smoke:1}]}}}"},
			}}
		})
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", nil)
		jobs := func() (ended []types.UID) {
			var list batchv1.JobList
			Expect(p.as(cluster.Admin).List(ctx, &list, client.InNamespace(p.Name))).To(Succeed())
			for _, job := range list.Items {
				if job.Status.Succeeded > 0 {
					ended = append(ended, job.UID)
				}
			}
			return ended
		}
		p.passesUntil(ctx, "two Jobs have ended", func() bool { return len(jobs()) == 2 })
		p.stop()
		before := jobs()
		p.operate(ctx)
		p.passesUntil(ctx, "it has ended", func() bool { return p.refresh(ctx, asked) == nil && !asked.Status.CompletionTime.IsZero() })
		p.await(ctx, asked, v1alpha1.ReasonSucceeded)
		after := jobs()
		Expect(after).To(HaveLen(3))
		Expect(after).To(ContainElements(before))
	})
})
