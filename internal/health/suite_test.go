// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/health"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/test/cluster"
)

func TestHealth(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Watching health, on a real API server")
}

var (
	local *cluster.Cluster
	admin client.Client
	// operator connects as the operator's own service account, with the rights that Assent ships for it.
	operator *rest.Config
	mapper   meta.RESTMapper
)

var _ = BeforeSuite(func(ctx context.Context) {
	// Pods are scheduled and made ready by other programs; a busy machine takes its time.
	SetDefaultEventuallyTimeout(30 * time.Second)
	var err error
	local, err = cluster.Connect()
	Expect(err).NotTo(HaveOccurred())
	admin, err = local.Client(cluster.Admin)
	Expect(err).NotTo(HaveOccurred())
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: cluster.SystemNamespace}}
	Expect(client.IgnoreAlreadyExists(admin.Create(ctx, system))).To(Succeed())
	Expect(local.Apply(ctx, "config/rbac")).To(Succeed())
	operator, err = local.ControllerConfig(ctx)
	Expect(err).NotTo(HaveOccurred())
	httpClient, err := rest.HTTPClientFor(operator)
	Expect(err).NotTo(HaveOccurred())
	mapper, err = apiutil.NewDynamicRESTMapper(operator, httpClient)
	Expect(err).NotTo(HaveOccurred())
})

// scene is a target namespace and a tracker.
type scene struct {
	target  v1alpha1.Target
	tracker *health.Tracker
	// reader is the deployer's client.
	reader dynamic.Interface
	clock  *testingclock.FakeClock
	// expected is what is tracked.
	expected []health.Expected
	// open counts the watches that are open now.
	open *atomic.Int64

	mutex    sync.Mutex
	notified map[types.NamespacedName]int
	// asked are the queries of the reads, by resource.
	asked map[string][]url.Values
}

var key = types.NamespacedName{Namespace: "shop", Name: "to-production"}

func newScene(ctx context.Context) *scene {
	target, err := local.Target(ctx)
	Expect(err).NotTo(HaveOccurred())
	made := &scene{target: target, open: &atomic.Int64{}, notified: map[types.NamespacedName]int{}, clock: testingclock.NewFakeClock(time.Now()), asked: map[string][]url.Values{}}
	made.awaitRight(ctx, authorizationv1.ResourceAttributes{Namespace: target.Namespace, Verb: "patch", Resource: "configmaps"})
	config := rest.CopyConfig(operator)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &watchCounter{next: next, open: made.open, tell: made.ask}
	})
	own, err := dynamic.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	deployer, err := apply.NewFactory(config, mapper).As(target, apply.PromotionIdentity{Namespace: key.Namespace, Name: key.Name, UID: "u"})
	Expect(err).NotTo(HaveOccurred())
	made.reader = deployer.Reader()
	made.tracker = health.NewTracker(own, mapper, made.clock, made.notify)
	DeferCleanup(func() { made.tracker.Stop(key) })
	return made
}

func (s *scene) notify(promotion types.NamespacedName) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.notified[promotion]++
}

func (s *scene) ask(resource string, query url.Values) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.asked[resource] = append(s.asked[resource], query)
}

// queries of the reads of a resource until now.
func (s *scene) queries(resource string) []url.Values {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.asked[resource])
}

func (s *scene) notifications() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.notified[key]
}

func (s *scene) awaitRight(ctx context.Context, right authorizationv1.ResourceAttributes) {
	Eventually(func() (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: apply.Username(s.target), ResourceAttributes: &right}}
		err := admin.Create(ctx, review)
		return review.Status.Allowed, err
	}).WithContext(ctx).Should(BeTrue())
}

// create makes an object of YAML in the target namespace and says what to expect of it.
func (s *scene) create(ctx context.Context, text string) health.Expected {
	object := &unstructured.Unstructured{}
	json, err := yaml.YAMLToJSON([]byte(text))
	Expect(err).NotTo(HaveOccurred())
	Expect(object.UnmarshalJSON(json)).To(Succeed())
	object.SetNamespace(s.target.Namespace)
	Expect(admin.Create(ctx, object)).To(Succeed())
	return expect(object)
}

func expect(object *unstructured.Unstructured) health.Expected {
	return health.Expected{
		Ref: plan.Reference(object), Kind: object.GroupVersionKind(), UID: object.GetUID(), Generation: object.GetGeneration(), ResourceVersion: object.GetResourceVersion(),
	}
}

func (s *scene) track(objects ...health.Expected) {
	s.expected = objects
	Expect(s.tracker.Track(key, objects, s.reader)).To(Succeed())
}

// lookCloser lets the time pass after which pods are watched as well.
func (s *scene) lookCloser() { s.clock.Step(time.Second) }

func (s *scene) report() health.Report {
	report, tracked := s.tracker.Report(key)
	Expect(tracked).To(BeTrue())
	return report
}

// messages are what the failing objects wait for, each on a line.
func (s *scene) messages() string {
	var lines []string
	for _, failing := range s.report().Failing {
		lines = append(lines, failing.Kind+" "+failing.Name+": "+failing.Message)
	}
	return strings.Join(lines, "\n")
}

func (s *scene) patch(ctx context.Context, object health.Expected, merge string, subresource ...string) {
	target := &unstructured.Unstructured{}
	target.SetGroupVersionKind(object.Kind)
	target.SetNamespace(object.Ref.Namespace)
	target.SetName(object.Ref.Name)
	change := client.RawPatch(types.MergePatchType, []byte(merge))
	if len(subresource) > 0 {
		Expect(admin.SubResource(subresource[0]).Patch(ctx, target, change)).To(Succeed())
		return
	}
	Expect(admin.Patch(ctx, target, change)).To(Succeed())
}

// watchCounter counts the watches that are open, and tells of each read.
type watchCounter struct {
	next http.RoundTripper
	open *atomic.Int64
	tell func(resource string, query url.Values)
}

func (c *watchCounter) RoundTrip(request *http.Request) (*http.Response, error) {
	c.tell(path.Base(request.URL.Path), request.URL.Query())
	response, err := c.next.RoundTrip(request)
	if err != nil || request.URL.Query().Get("watch") == "" || response.StatusCode != http.StatusOK {
		return response, err
	}
	c.open.Add(1)
	response.Body = &countedBody{ReadCloser: response.Body, closed: sync.OnceFunc(func() { c.open.Add(-1) })}
	return response, nil
}

type countedBody struct {
	io.ReadCloser
	closed func()
}

func (b *countedBody) Close() error {
	b.closed()
	return b.ReadCloser.Close()
}
