// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/oracle"
)

func TestOracle(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "The oracle, on a real API server")
}

const (
	patience   = 30 * time.Second
	production = "production"
)

// stage is a project on a real cluster, with the real operator.
type stage struct {
	cluster *cluster.Cluster
	project *cluster.Project
	target  v1alpha1.Target
	admin   client.Client
	log     *cluster.RequestLog
}

// everyKind of thing that the oracle looks at happens in here: two rules, a prune, a correction, an override and its acknowledgement, a rejection.
func (s *stage) everyKind(ctx context.Context) {
	GinkgoHelper()
	s.release(ctx, "one", "settings", "old")
	one := s.request(ctx, "one")
	s.decide(ctx, cluster.Alice, one, v1alpha1.DecisionApproved)
	s.decide(ctx, cluster.Dave, one, v1alpha1.DecisionApproved)
	s.await(ctx, one, v1alpha1.ReasonSucceeded)
	s.settled(ctx, 2)

	By("changing by hand what was rolled out")
	Expect(s.admin.Patch(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings", Namespace: s.target.Namespace}},
		client.RawPatch(types.MergePatchType, []byte(`{"data":{"value":"by hand"}}`)))).To(Succeed())
	Eventually(func(g Gomega) {
		found := &corev1.ConfigMap{}
		g.Expect(s.admin.Get(ctx, client.ObjectKey{Namespace: s.target.Namespace, Name: "settings"}, found)).To(Succeed())
		g.Expect(found.Data).To(HaveKeyWithValue("value", "one"))
	}).WithContext(ctx).Should(Succeed())

	s.release(ctx, "two", "settings", "new")
	two := s.request(ctx, "two")
	Expect(s.patch(ctx, cluster.Carol, two, map[string]any{"override": map[string]any{
		"gates": []string{"Approval"}, "reason": "the shop is down", "planDigest": two.Status.Plan.Digest,
	}})).To(Succeed())
	s.await(ctx, two, v1alpha1.ReasonSucceeded)
	Expect(s.patch(ctx, cluster.Dave, two, map[string]any{"acknowledgement": map[string]any{"username": cluster.Dave}})).To(Succeed())
	s.settled(ctx, 7)

	s.release(ctx, "three", "settings")
	three := s.request(ctx, "three")
	s.decide(ctx, cluster.Alice, three, v1alpha1.DecisionRejected)
	s.await(ctx, three, v1alpha1.ReasonRejected)
	s.settled(ctx, 8)
}

func (s *stage) release(ctx context.Context, name string, objects ...string) {
	GinkgoHelper()
	manifests := ""
	for _, object := range objects {
		manifests += fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {value: %q}\n", object, name)
	}
	Expect(s.as(cluster.Bob).Create(ctx, cluster.NewRelease(s.project.Name, "shop-"+name, name, manifests))).To(Succeed())
}

func (s *stage) request(ctx context.Context, name string) *v1alpha1.Promotion {
	GinkgoHelper()
	asked := cluster.NewPromotion(s.project.Name, name, "shop-"+name, production)
	Expect(s.as(cluster.Bob).Create(ctx, asked)).To(Succeed())
	s.await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
	return asked
}

func (s *stage) decide(ctx context.Context, user string, asked *v1alpha1.Promotion, decision v1alpha1.Decision) {
	GinkgoHelper()
	Expect(s.patch(ctx, user, asked, map[string]any{"approvals": []v1alpha1.Approval{{
		User: user, Decision: decision, Comment: "seen", PlanDigest: asked.Status.Plan.Digest,
	}}})).To(Succeed())
}

func (s *stage) patch(ctx context.Context, user string, asked *v1alpha1.Promotion, spec map[string]any) error {
	patch, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return err
	}
	// As kubectl does for a list of entries that others own: what is not named stays.
	now := &v1alpha1.Promotion{}
	if err := s.admin.Get(ctx, client.ObjectKeyFromObject(asked), now); err != nil {
		return err
	}
	if mine, is := spec["approvals"].([]v1alpha1.Approval); is {
		if patch, err = json.Marshal(map[string]any{"spec": map[string]any{"approvals": append(now.Spec.Approvals, mine...)}}); err != nil {
			return err
		}
	}
	return s.as(user).Patch(ctx, now, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("assent"))
}

func (s *stage) await(ctx context.Context, asked *v1alpha1.Promotion, state string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(s.admin.Get(ctx, client.ObjectKeyFromObject(asked), asked)).To(Succeed())
		g.Expect(asked.Status.Conditions).To(ContainElement(And(HaveField("Type", v1alpha1.ConditionSucceeded), HaveField("Reason", state))))
	}).WithContext(ctx).Should(Succeed())
}

// settled waits until the history has so many records, and the Environment knows of every outcome.
func (s *stage) settled(ctx context.Context, records int) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		all := &v1alpha1.AuditRecordList{}
		g.Expect(s.admin.List(ctx, all, client.InNamespace(s.project.Name))).To(Succeed())
		g.Expect(all.Items).To(HaveLen(records))
		environment := &v1alpha1.Environment{}
		g.Expect(s.admin.Get(ctx, client.ObjectKey{Namespace: s.project.Name, Name: production}, environment)).To(Succeed())
		var outcome int64
		for _, record := range all.Items {
			if record.Spec.Type == v1alpha1.AuditSucceeded {
				outcome = record.Spec.Sequence
			}
		}
		g.Expect(environment.Status.Audit.Sequence).To(BeNumerically(">=", outcome))
		g.Expect(environment.Status.Overrides).To(BeEmpty())
	}).WithContext(ctx).Should(Succeed())
}

func (s *stage) as(user string) client.Client {
	GinkgoHelper()
	connected, err := s.cluster.Client(user)
	Expect(err).NotTo(HaveOccurred())
	return connected
}

// scene is the one that is judged.
func (s *stage) scene() oracle.Scene {
	return oracle.Scene{Project: s.project.Name, Targets: []string{s.target.Namespace}, Rights: s.project.Rights(), AtRest: true}
}

// begin a stage with an operator that runs until the test ends.
func begin(ctx context.Context) *stage {
	GinkgoHelper()
	connected, err := cluster.Connect()
	Expect(err).NotTo(HaveOccurred())
	Expect(connected.Install(ctx)).To(Succeed())
	operator, err := connected.BuildOperator(ctx, GinkgoT().TempDir())
	Expect(err).NotTo(HaveOccurred())
	Expect(operator.Start(ctx)).To(Succeed())
	DeferCleanup(operator.Stop)
	s := &stage{cluster: connected}
	s.log, err = connected.Requests()
	Expect(err).NotTo(HaveOccurred())
	s.admin, err = connected.Client(cluster.Admin)
	Expect(err).NotTo(HaveOccurred())
	s.project, err = connected.Project(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(s.project.Bind(ctx, "assent-approver", cluster.Dave)).To(Succeed())
	Expect(s.project.Bind(ctx, "assent-override", cluster.Carol, cluster.Dave)).To(Succeed())
	s.target, err = connected.Target(ctx)
	Expect(err).NotTo(HaveOccurred())
	environment := cluster.NewEnvironment(s.project.Name, production, s.target)
	environment.Spec.Approval.Rules = []v1alpha1.ApprovalRule{
		{Name: "owners", Required: ptr.To[int32](1), Groups: []string{"shop-owners"}}, {Name: "security", Required: ptr.To[int32](1), Groups: []string{"security"}},
	}
	environment.Spec.Rollout.Drift = v1alpha1.DriftCorrect
	Expect(s.admin.Create(ctx, environment)).To(Succeed())
	return s
}

var _ = Describe("the oracle", func() {
	It("finds nothing wrong with what the operator does, and the same content in two runs", func(ctx context.Context) {
		SetDefaultEventuallyTimeout(patience)
		s := begin(ctx)
		s.everyKind(ctx)
		evidence, err := oracle.Collect(ctx, s.admin, s.log, s.scene())
		Expect(err).NotTo(HaveOccurred())
		Expect(record(evidence)).To(Succeed())
		Expect(evidence.Violations()).To(BeEmpty())
		Expect(evidence.Content()).To(HaveKey("TARGET-1/ConfigMap/new"))
		Expect(evidence.Content()).NotTo(HaveKey("TARGET-1/ConfigMap/old"))
		costs, err := evidence.Costs()
		Expect(err).NotTo(HaveOccurred())
		AddReportEntry("costs", costs)
		Expect(costs).To(HaveLen(3))
	})
})
