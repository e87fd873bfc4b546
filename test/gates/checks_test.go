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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/controllers"
	"github.com/assent-dev/assent/test/cluster"
)

// tickets is a server that says what state a change ticket has, and counts how often it was asked.
type tickets struct {
	*httptest.Server
	state atomic.Value
	asked atomic.Int32
}

func newTickets(state string) *tickets {
	desk := &tickets{}
	desk.state.Store(state)
	desk.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		desk.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"state": %q}`, desk.state.Load())
	}))
	DeferCleanup(desk.Close)
	return desk
}

// check asks for an approved ticket, once, and again after ten minutes.
func (t *tickets) check(spec *v1alpha1.EnvironmentSpec) {
	spec.Checks = []v1alpha1.Check{{
		Name: "change-ticket", TimeoutSeconds: 5, Attempts: 1, ValidSeconds: 600,
		HTTP: v1alpha1.HTTPCheck{URL: t.URL, When: "status == 200 && body.state == 'approved'"},
	}}
}

// local lets checks reach this machine.
func local(options *controllers.Options) { options.CheckNetworks = "127.0.0.0/8" }

var _ = Describe("a check before the rollout", func() {
	It("holds the rollout until it has passed, is asked again on a wish, and again when its answer is old and nothing else is missing", func(ctx context.Context) {
		p := newProject(ctx, local)
		desk := newTickets("open")
		p.establish(ctx, "production", desk.check)
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", nil)
		const approval = "Approval: needs 1 more approval; 0 of 1 given"
		failed := fmt.Sprintf("Check: check \"change-ticket\" has failed: `when` is not met: %s answered 200: {\"state\": \"open\"}", desk.Listener.Addr())
		p.expectBlocked(ctx, asked, approval, failed)

		desk.state.Store("approved")
		p.passes(time.Hour)
		p.staysAt(ctx, asked, approval, failed)
		Expect(desk.asked.Load()).To(BeEquivalentTo(1), "while people are waited for, nobody is asked again")
		Expect(p.annotate(ctx, cluster.Bob, asked.DeepCopy(), v1alpha1.AnnotationRerunChecks, "now")).To(Succeed())
		p.expectBlocked(ctx, asked, approval)
		Expect(asked.Status.Checks).To(ConsistOf(And(HaveField("Result", v1alpha1.CheckPassed), HaveField("PlanDigest", asked.Status.Plan.Digest))))

		desk.state.Store("withdrawn")
		p.passes(time.Hour)
		p.decide(ctx, cluster.Alice, asked, v1alpha1.DecisionApproved)
		p.expectBlocked(ctx, asked, fmt.Sprintf("Check: check \"change-ticket\" has failed: `when` is not met: %s answered 200: {\"state\": \"withdrawn\"}", desk.Listener.Addr()))
		desk.state.Store("approved")
		p.passes(10 * time.Minute)
		p.await(ctx, asked, v1alpha1.ReasonSucceeded)
		Expect(desk.asked.Load()).To(BeEquivalentTo(4))
	})

	It("reaches no private network that the administrator has not allowed", func(ctx context.Context) {
		p := newProject(ctx)
		desk := newTickets("approved")
		p.establish(ctx, "production", func(spec *v1alpha1.EnvironmentSpec) { unattended(spec); desk.check(spec) })
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", nil)
		p.eventually(ctx, asked, "is blocked by its check", func(g Gomega) {
			g.Expect(shown(asked)).To(ConsistOf(And(HavePrefix("Check: "), ContainSubstring("--check-networks"))))
		})
		Expect(desk.asked.Load()).To(BeZero())
	})

	It("runs a Job in the project as the project's own account, and says what to create where it may not", func(ctx context.Context) {
		p := newProject(ctx)
		p.establish(ctx, "production", func(spec *v1alpha1.EnvironmentSpec) {
			unattended(spec)
			spec.Checks = []v1alpha1.Check{{Name: "migration", TimeoutSeconds: 60, Attempts: 1, Job: v1alpha1.JobCheck{Template: `
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: check, image: registry.example/check:1}]
`}}}
		})
		p.release(ctx, "1.4.0")
		asked := p.request(ctx, "1.4.0", "production", nil)
		p.eventually(ctx, asked, "says which account is missing", func(g Gomega) {
			g.Expect(shown(asked)).To(ConsistOf(And(HavePrefix("Check: "), ContainSubstring("kubectl create serviceaccount assent-checker"))))
		})
		Expect(p.as(cluster.Admin).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: p.Name, Name: v1alpha1.CheckerServiceAccount}})).To(Succeed())
		Expect(p.BindAccount(ctx, "assent-checker", v1alpha1.CheckerServiceAccount)).To(Succeed())
		Expect(p.annotate(ctx, cluster.Bob, asked.DeepCopy(), v1alpha1.AnnotationRerunChecks, "again")).To(Succeed())
		p.await(ctx, asked, v1alpha1.ReasonSucceeded)
		var jobs batchv1.JobList
		Expect(p.as(cluster.Admin).List(ctx, &jobs, client.InNamespace(p.Name))).To(Succeed())
		Expect(jobs.Items).To(ConsistOf(HaveField("Status.Succeeded", BeEquivalentTo(1))))
	})
})
