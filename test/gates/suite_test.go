// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gates_test takes releases through environments with every gate, on a real API server and by a clock that the tests move.
//
// The operator runs in the test's own process, with the rights that are shipped for it and nobody else's: so that hours of soaking and days of
// closed windows pass at once. It looks at the project of the test alone.
package gates_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/controllers"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/lint"
	"github.com/assent-dev/assent/test/oracle"
)

func TestGates(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Gates")
}

const (
	// patience is how long anything may take on a busy machine.
	patience = 30 * time.Second
	interval = 20 * time.Millisecond
	// moment is how long is watched that nothing happens.
	moment = 500 * time.Millisecond
)

// friday is when the clock of each test starts. Every time that the API server gives is long past then.
var friday = time.Date(2031, 3, 7, 10, 0, 0, 0, time.UTC)

// connected is the cluster, set once before any test.
var connected *cluster.Cluster

var _ = BeforeSuite(func(ctx context.Context) {
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(interval)
	EnforceDefaultTimeoutsWhenUsingContexts()
	var err error
	connected, err = cluster.Connect()
	Expect(err).NotTo(HaveOccurred())
	By("installing Assent and waiting for its guard")
	Expect(connected.Install(ctx)).To(Succeed())
	log.SetLogger(GinkgoLogr)
})

// project is one with its people, and an operator of its own with a clock of its own.
type project struct {
	*cluster.Project
	clock   *clocktesting.FakeClock
	clients map[string]client.Client
	// stop the operator.
	stop func()
	// log of what happens in the project, and the targets of its Environments.
	log     *cluster.RequestLog
	targets []string
}

func newProject(ctx context.Context, flags ...func(*controllers.Options)) *project {
	GinkgoHelper()
	requests, err := connected.Requests()
	Expect(err).NotTo(HaveOccurred())
	made, err := connected.Project(ctx)
	Expect(err).NotTo(HaveOccurred())
	p := &project{Project: made, clock: clocktesting.NewFakeClock(friday), clients: map[string]client.Client{}, log: requests}
	for _, user := range []string{cluster.Admin, cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave, cluster.Mallory} {
		p.clients[user], err = connected.Client(user)
		Expect(err).NotTo(HaveOccurred())
	}
	DeferCleanup(func(ctx context.Context) {
		Expect(client.IgnoreNotFound(p.as(cluster.Admin).Delete(ctx, p.namespace()))).To(Succeed())
	})
	p.stop = p.operate(ctx, flags...)
	DeferCleanup(p.judge)
	return p
}

// judge what has happened by the API server's audit log, and what the objects that are left say, before the operator ends.
func (p *project) judge(ctx context.Context) {
	GinkgoHelper()
	evidence, err := oracle.Collect(ctx, p.as(cluster.Admin), p.log, oracle.Scene{Project: p.Name, Targets: p.targets, Rights: p.Rights()})
	Expect(err).NotTo(HaveOccurred())
	Expect(evidence.Violations()).To(BeEmpty(), "the oracle (test/oracle) has found this in project %q", p.Name)
	By("waiting until every object that is left has a status as its readers expect")
	Eventually(func() ([]lint.Finding, error) {
		left, err := lint.Collect(ctx, p.as(cluster.Admin), p.Name)
		return left.Findings(p.clock.Now()), err
	}).WithContext(ctx).Should(BeEmpty())
}

// operate runs the operator until the test ends. What it returns ends it sooner.
func (p *project) operate(ctx context.Context, flags ...func(*controllers.Options)) (stop func()) { //nolint:contextcheck // the operator outlives the node that starts it
	GinkgoHelper()
	options := controllers.Options{CacheDir: GinkgoT().TempDir(), Concurrency: 4, LogFormat: "text"}
	for _, flag := range flags {
		flag(&options)
	}
	Expect(options.Validate()).To(Succeed())
	identity, err := connected.ControllerConfig(ctx)
	Expect(err).NotTo(HaveOccurred())
	mgr, err := ctrl.NewManager(identity, ctrl.Options{
		Scheme: connected.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Cache:      cache.Options{DefaultTransform: cache.TransformStripManagedFields(), DefaultNamespaces: map[string]cache.Config{p.Name: {}}},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(controllers.Setup(mgr, options, p.clock, io.Discard)).To(Succeed()) //nolint:contextcheck // as in the binary: setting up takes none
	// Not the context of the node that starts it: that one ends with the node.
	running, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	stop = func() {
		GinkgoHelper()
		if running.Err() != nil {
			return
		}
		end()
		Eventually(ended).WithTimeout(patience).Should(Receive(BeNil()))
	}
	DeferCleanup(stop)
	return stop
}

// namespace of the project.
func (p *project) namespace() *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.Name}}
}

// as is a live client of a person.
func (p *project) as(user string) client.Client {
	GinkgoHelper()
	Expect(p.clients).To(HaveKey(user))
	return p.clients[user]
}

// establish an Environment of that name with a target of its own.
func (p *project) establish(ctx context.Context, name string, change func(*v1alpha1.EnvironmentSpec)) *v1alpha1.Environment {
	GinkgoHelper()
	target, err := connected.Target(ctx)
	Expect(err).NotTo(HaveOccurred())
	p.targets = append(p.targets, target.Namespace)
	environment := cluster.NewEnvironment(p.Name, name, target)
	if change != nil {
		change(&environment.Spec)
	}
	Expect(p.as(cluster.Admin).Create(ctx, environment)).To(Succeed())
	return environment
}

// release is created by bob, and awaited until it is ready.
func (p *project) release(ctx context.Context, version string) *v1alpha1.Release {
	GinkgoHelper()
	made := cluster.NewRelease(p.Name, "shop-"+version, version, fmt.Sprintf(
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {version: %q}", version))
	Expect(p.as(cluster.Bob).Create(ctx, made)).To(Succeed())
	return made
}

// request is made by bob.
func (p *project) request(ctx context.Context, version, environment string, change func(*v1alpha1.PromotionSpec)) *v1alpha1.Promotion {
	GinkgoHelper()
	asked := cluster.NewPromotion(p.Name, version+"-"+environment, "shop-"+version, environment)
	if change != nil {
		change(&asked.Spec)
	}
	Expect(p.as(cluster.Bob).Create(ctx, asked)).To(Succeed())
	return asked
}

// decide writes the caller's own decision on the plan that they have read.
func (p *project) decide(ctx context.Context, user string, asked *v1alpha1.Promotion, decision v1alpha1.Decision) {
	GinkgoHelper()
	p.patch(ctx, user, asked, map[string]any{"approvals": []v1alpha1.Approval{{User: user, Decision: decision, PlanDigest: asked.Status.Plan.Digest}}})
}

// patch the spec of an object, as `kubectl patch --type=merge` does.
func (p *project) patch(ctx context.Context, user string, object client.Object, spec map[string]any) {
	GinkgoHelper()
	Expect(p.tryPatch(ctx, user, object, spec)).To(Succeed())
}

func (p *project) tryPatch(ctx context.Context, user string, object client.Object, spec map[string]any) error {
	patch, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return err
	}
	return p.as(user).Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, patch), client.FieldOwner("assent"))
}

// annotate an object; an empty value takes the annotation away.
func (p *project) annotate(ctx context.Context, user string, object client.Object, key, value string) error {
	annotations := map[string]any{key: nil}
	if value != "" {
		annotations[key] = value
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return err
	}
	return p.as(user).Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))
}

// eventually reads the promotion until it is as wanted.
func (p *project) eventually(ctx context.Context, asked *v1alpha1.Promotion, what string, wanted func(Gomega)) {
	GinkgoHelper()
	By(fmt.Sprintf("waiting until promotion %q %s", asked.Name, what))
	Eventually(func(g Gomega) {
		g.Expect(p.refresh(ctx, asked)).To(Succeed())
		wanted(g)
	}).WithContext(ctx).Should(Succeed())
}

func (p *project) refresh(ctx context.Context, asked *v1alpha1.Promotion) error {
	fresh := &v1alpha1.Promotion{}
	if err := p.as(cluster.Admin).Get(ctx, client.ObjectKeyFromObject(asked), fresh); err != nil {
		return err
	}
	*asked = *fresh
	return nil
}

func (p *project) await(ctx context.Context, asked *v1alpha1.Promotion, state string) {
	GinkgoHelper()
	p.eventually(ctx, asked, "is "+state, func(g Gomega) { g.Expect(promotion.State(asked)).To(Equal(state), "%s", shown(asked)) })
}

// expectBlocked waits until the promotion's blockers read word for word like this: gate, message and, if it ends by itself, when.
func (p *project) expectBlocked(ctx context.Context, asked *v1alpha1.Promotion, blockers ...string) {
	GinkgoHelper()
	p.eventually(ctx, asked, fmt.Sprintf("waits for %d gates", len(blockers)), func(g Gomega) {
		g.Expect(shown(asked)).To(Equal(blockers))
	})
	Expect(asked.Status.StartTime.IsZero()).To(BeTrue())
}

// shown are a promotion's blockers, a line for each.
func shown(asked *v1alpha1.Promotion) []string {
	var lines []string
	for _, blocker := range asked.Status.Blockers {
		line := fmt.Sprintf("%s: %s", blocker.Gate, blocker.Message)
		if !blocker.UntilTime.IsZero() {
			line += " | until " + blocker.UntilTime.UTC().Format(time.RFC3339)
		}
		lines = append(lines, line)
	}
	return lines
}

// passes lets time pass by the operator's clock.
func (p *project) passes(duration time.Duration) {
	GinkgoHelper()
	By(fmt.Sprintf("letting %s pass", duration))
	p.clock.Step(duration)
}

// staysAt watches for a moment that the promotion does not move.
func (p *project) staysAt(ctx context.Context, asked *v1alpha1.Promotion, blockers ...string) {
	GinkgoHelper()
	Consistently(func(g Gomega) {
		g.Expect(p.refresh(ctx, asked)).To(Succeed())
		g.Expect(shown(asked)).To(Equal(blockers))
		g.Expect(asked.Status.StartTime.IsZero()).To(BeTrue())
	}).WithContext(ctx).WithTimeout(moment).Should(Succeed())
}

// environment as it is now.
func (p *project) environment(ctx context.Context, name string) *v1alpha1.Environment {
	GinkgoHelper()
	found := &v1alpha1.Environment{}
	Expect(p.as(cluster.Admin).Get(ctx, types.NamespacedName{Namespace: p.Name, Name: name}, found)).To(Succeed())
	return found
}

// records of a promotion, by their types.
func (p *project) records(ctx context.Context, asked *v1alpha1.Promotion) []v1alpha1.AuditType {
	GinkgoHelper()
	var all v1alpha1.AuditRecordList
	Expect(p.as(cluster.Admin).List(ctx, &all, client.InNamespace(p.Name), client.MatchingLabels{v1alpha1.LabelPromotionUID: string(asked.UID)})).To(Succeed())
	var found []v1alpha1.AuditType
	for _, record := range all.Items {
		found = append(found, record.Spec.Type)
	}
	return found
}

// overridden is the promotion's condition of that name.
func overridden(asked *v1alpha1.Promotion) *metav1.Condition {
	return meta.FindStatusCondition(asked.Status.Conditions, v1alpha1.ConditionOverridden)
}

// environmentWriter may change Environments, and use none of their verbs.
func environmentWriter() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"environments"}, Verbs: []string{"get", "update", "patch"}}
}

// unbind takes every right in the project away from a user.
func (p *project) unbind(ctx context.Context, user string) {
	GinkgoHelper()
	var bindings rbacv1.RoleBindingList
	Expect(p.as(cluster.Admin).List(ctx, &bindings, client.InNamespace(p.Name))).To(Succeed())
	for i := range bindings.Items {
		binding := &bindings.Items[i]
		if len(binding.Subjects) == 1 && binding.Subjects[0].Name == user {
			Expect(p.as(cluster.Admin).Delete(ctx, binding)).To(Succeed())
		}
	}
	p.Withdrawn(user)
}

// expectEvent waits for an event of the project with a reason, and a text in its note.
func (p *project) expectEvent(ctx context.Context, reason, note string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var all eventsv1.EventList
		g.Expect(p.as(cluster.Admin).List(ctx, &all, client.InNamespace(p.Name))).To(Succeed())
		g.Expect(all.Items).To(ContainElement(And(HaveField("Reason", reason), HaveField("Note", ContainSubstring(note)))))
	}).WithContext(ctx).Should(Succeed())
}

// counted is the sum of a metric over a project.
func counted(name, project string) float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	var sum float64
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "project" && label.GetValue() == project {
					sum += metric.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}
