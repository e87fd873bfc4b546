// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs_test follows the pages that promise to be tried: every example is applied to a real API server as it is written, with unknown fields
// refused, and what the page says that the operator answers is compared word for word.
//
// Each section has a project of its own with the samples in it, and an operator in the test's own process whose clock stands at the time that the
// page names.
package docs_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/controllers"
	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/lint"
)

func TestDocs(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Documentation")
}

const (
	// repository is its root, seen from this package.
	repository = "../.."
	// patience is how long anything may take on a busy machine.
	patience = time.Minute
	// interval is between two runs of kubectl.
	interval = 300 * time.Millisecond
	// asked is bob's Promotion in the samples.
	asked = "shop-1.0.0-production"
)

// friday is the time that the page names.
var friday = time.Date(2031, 3, 7, 10, 0, 0, 0, time.UTC)

// connected is the cluster, set once before any test, and admin its administrator.
var (
	connected *cluster.Cluster
	admin     client.Client
)

var _ = BeforeSuite(func(ctx context.Context) {
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(interval)
	EnforceDefaultTimeoutsWhenUsingContexts()
	var err error
	connected, err = cluster.Connect()
	Expect(err).NotTo(HaveOccurred())
	By("installing Assent and waiting for its guard")
	Expect(connected.Install(ctx)).To(Succeed())
	admin, err = connected.Client(cluster.Admin)
	Expect(err).NotTo(HaveOccurred())
	log.SetLogger(GinkgoLogr)
})

// project is one that stands for the page's.
type project struct {
	*cluster.Project
	// targets are the namespaces that stand for the page's, by their names there.
	targets map[string]string
}

// newProject has the samples in it, and an operator that looks at it alone.
func newProject(ctx context.Context) *project {
	GinkgoHelper()
	made, err := connected.Project(ctx)
	Expect(err).NotTo(HaveOccurred())
	p := &project{Project: made, targets: map[string]string{}}
	for _, stage := range []string{"dev", "staging", "production"} {
		target, err := connected.Target(ctx)
		Expect(err).NotTo(HaveOccurred())
		p.targets["shop-"+stage] = target.Namespace
	}
	p.operate(ctx)
	DeferCleanup(p.lint)
	for _, sample := range []struct{ user, file string }{
		{cluster.Admin, "environments.yaml"}, {cluster.Bob, "release_inline.yaml"}, {cluster.Bob, "promotion.yaml"},
	} {
		content, err := os.ReadFile(filepath.Join(repository, "config", "samples", sample.file))
		Expect(err).NotTo(HaveOccurred())
		p.apply(ctx, sample.user, string(content))
	}
	p.planned(ctx, asked)
	return p
}

// lint the status of every object that a section leaves behind, while the operator runs.
func (p *project) lint(ctx context.Context) {
	GinkgoHelper()
	Eventually(func() ([]lint.Finding, error) {
		left, err := lint.Collect(ctx, admin, p.Name)
		return left.Findings(friday), err
	}).WithContext(ctx).Should(BeEmpty())
}

// operate runs the operator until the test ends.
func (p *project) operate(ctx context.Context) { //nolint:contextcheck // it lasts longer than the node that starts it
	GinkgoHelper()
	options := controllers.Options{CacheDir: GinkgoT().TempDir(), Concurrency: 4, LogFormat: "text"}
	Expect(options.Validate()).To(Succeed())
	identity, err := connected.ControllerConfig(ctx)
	Expect(err).NotTo(HaveOccurred())
	mgr, err := ctrl.NewManager(identity, ctrl.Options{
		Scheme: connected.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Cache:      cache.Options{DefaultTransform: cache.TransformStripManagedFields(), DefaultNamespaces: map[string]cache.Config{p.Name: {}}},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(controllers.Setup(mgr, options, clocktesting.NewFakeClock(friday), io.Discard)).To(Succeed()) //nolint:contextcheck // what it indexes lasts as long as the operator
	// Not the context of the node that starts it: that one ends with the node.
	running, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	DeferCleanup(func() {
		end()
		Eventually(ended).Should(Receive(BeNil()))
	})
}

// apply manifests of the page as a user does, with fields refused that no kind has.
func (p *project) apply(ctx context.Context, user, manifests string) {
	GinkgoHelper()
	manifests = moved(manifests, p.Name, p.targets)
	Eventually(func() error {
		_, err := connected.Kubectl(ctx, user, manifests, "apply", "--validate=strict", "--filename=-")
		return err
	}).WithContext(ctx).Should(Succeed(), "%s", manifests)
}

// run a command of the page in the repository's root. It is run again until it succeeds: the page's readers wait for what they act on, too.
func (p *project) run(ctx context.Context, todo command) {
	GinkgoHelper()
	text := moved(todo.text, p.Name, p.targets)
	By(fmt.Sprintf("as %s: %s", todo.user, text))
	Eventually(func() error {
		shell := exec.CommandContext(ctx, "sh", "-c", text)
		shell.Dir = repository
		shell.Env = append(os.Environ(),
			"KUBECONFIG="+connected.Kubeconfig(todo.user), "PATH="+filepath.Join(connected.Dir(), "bin")+":"+os.Getenv("PATH"))
		if output, err := shell.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
		return nil
	}).WithContext(ctx).Should(Succeed(), "%s", text)
}

// says is what the page's own command prints of a Promotion, by its lines.
func (p *project) says(ctx context.Context, name string) ([]string, error) {
	text, err := connected.Kubectl(ctx, cluster.Admin, "", "get", "promotion", name, "--namespace="+p.Name, "--output=jsonpath="+why)
	return strings.Split(text, "\n"), err
}

// promotion as it is now.
func (p *project) promotion(ctx context.Context, name string) (*v1alpha1.Promotion, error) {
	found := &v1alpha1.Promotion{}
	err := admin.Get(ctx, types.NamespacedName{Namespace: p.Name, Name: name}, found)
	return found, err
}

// planned waits until a Promotion has a plan.
func (p *project) planned(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		found, err := p.promotion(ctx, name)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found.Status.Plan.Digest).NotTo(BeEmpty())
	}).WithContext(ctx).Should(Succeed())
}

// approve a Promotion as alice, and wait until it is in a state.
func (p *project) approve(ctx context.Context, name, state string) {
	GinkgoHelper()
	p.planned(ctx, name)
	p.run(ctx, command{user: cluster.Alice, text: fmt.Sprintf(
		`kubectl patch promo %s --namespace shop --type=merge --field-manager=assent --patch '{"spec":{"approvals":[{"user":"alice","decision":"Approved"}]}}'`, name)})
	p.reaches(ctx, name, state)
}

// reaches waits until a Promotion is in a state.
func (p *project) reaches(ctx context.Context, name, state string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		found, err := p.promotion(ctx, name)
		g.Expect(err).NotTo(HaveOccurred())
		condition := meta.FindStatusCondition(found.Status.Conditions, v1alpha1.ConditionSucceeded)
		g.Expect(condition).NotTo(BeNil())
		g.Expect(condition.Reason).To(Equal(state), condition.Message)
	}).WithContext(ctx).Should(Succeed())
}

// inOrder waits until every Environment of the project says of its newest spec that promotions can be carried out there.
func (p *project) inOrder(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var all v1alpha1.EnvironmentList
		g.Expect(admin.List(ctx, &all, client.InNamespace(p.Name))).To(Succeed())
		g.Expect(all.Items).NotTo(BeEmpty())
		for _, environment := range all.Items {
			ready := meta.FindStatusCondition(environment.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil(), environment.Name)
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonAccepted), "%s: %s", environment.Name, ready.Message)
			g.Expect(ready.ObservedGeneration).To(Equal(environment.Generation), environment.Name)
		}
	}).WithContext(ctx).Should(Succeed())
}
