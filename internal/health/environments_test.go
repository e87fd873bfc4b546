// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/health"
)

// lookout is a scene whose objects were applied by Environments long ago.
type lookout struct {
	*scene
	standing *health.Standing

	mutex sync.Mutex
	// told is which Environments were told.
	told map[types.NamespacedName]int
	// accepted is what was asked for of Secrets.
	accepted []string
}

func newLookout(ctx context.Context) *lookout {
	GinkgoHelper()
	made := &lookout{scene: newScene(ctx), told: map[types.NamespacedName]int{}}
	config := rest.CopyConfig(operator)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &asked{next: next, lookout: made} })
	made.standing = health.NewStanding(readers(config), mapper, func(environment types.NamespacedName) {
		made.mutex.Lock()
		defer made.mutex.Unlock()
		made.told[environment]++
	})
	return made
}

func readers(config *rest.Config) health.Readers {
	GinkgoHelper()
	objects, err := dynamic.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	alone, err := metadata.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	return health.Readers{Objects: objects, Metadata: alone}
}

// asked notes in which form Secrets are asked for.
type asked struct {
	next    http.RoundTripper
	lookout *lookout
}

func (a *asked) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.Contains(request.URL.Path, "/secrets") {
		a.lookout.mutex.Lock()
		a.lookout.accepted = append(a.lookout.accepted, request.Header.Get("Accept"))
		a.lookout.mutex.Unlock()
	}
	return a.next.RoundTrip(request)
}

// applied is an object as a rollout of an Environment has left it.
func (l *lookout) applied(ctx context.Context, environment types.NamespacedName, text string) health.Expected {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	json, err := yaml.YAMLToJSON([]byte(text))
	Expect(err).NotTo(HaveOccurred())
	Expect(object.UnmarshalJSON(json)).To(Succeed())
	object.SetNamespace(l.target.Namespace)
	object.SetLabels(map[string]string{v1alpha1.LabelProject: environment.Namespace, v1alpha1.LabelEnvironment: environment.Name})
	Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)).To(Succeed())
	return standing(expect(object))
}

func (l *lookout) track(ctx context.Context, environment types.NamespacedName, objects ...health.Expected) {
	GinkgoHelper()
	config := rest.CopyConfig(operator)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &asked{next: next, lookout: l} })
	config.Impersonate = rest.ImpersonationConfig{UserName: apply.Username(l.target), Extra: map[string][]string{v1alpha1.ExtraPromotion: {"shop/one/u"}}}
	Expect(l.standing.Track(ctx, environment, objects, func() (health.Readers, error) { return readers(config), nil })).To(Succeed())
	DeferCleanup(func() { l.standing.Stop(environment) })
	Eventually(func() bool { return l.seen(environment).Unseen }).Should(BeFalse())
}

func (l *lookout) seen(environment types.NamespacedName) health.StandingReport {
	GinkgoHelper()
	report, tracked := l.standing.Report(environment, false)
	Expect(tracked).To(BeTrue())
	return report
}

func (l *lookout) changes(environment types.NamespacedName) func() uint64 {
	return func() uint64 { return l.seen(environment).Changes }
}

var _ = Describe("Standing", func() {
	const configuration = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {value: one}}"
	var environment types.NamespacedName
	var l *lookout

	BeforeEach(func(ctx context.Context) {
		l = newLookout(ctx)
		environment = types.NamespacedName{Namespace: "shop", Name: l.target.Namespace}
	})

	It("counts changes of what was applied, and no other writes", func(ctx context.Context) {
		web := l.applied(ctx, environment, workload("Deployment", "web", "", ""))
		settings := l.applied(ctx, environment, configuration)
		l.track(ctx, environment, web, settings)
		Eventually(func() health.StandingReport { return l.seen(environment) }).Should(HaveField("Report", healthy))
		before := l.seen(environment)

		l.patch(ctx, web, `{"spec":{"replicas":2}}`)
		l.patch(ctx, web, `{"metadata":{"labels":{"mine":"x"}}}`)
		Eventually(func() uint64 { return l.seen(environment).Writes }).Should(BeNumerically(">=", before.Writes+2))
		Expect(l.seen(environment).Changes).To(Equal(before.Changes))

		l.patch(ctx, settings, `{"data":{"value":"two"}}`)
		Eventually(l.changes(environment)).Should(Equal(before.Changes + 1))
		l.applied(ctx, environment, strings.Replace(configuration, "one", "three", 1))
		Eventually(l.changes(environment)).Should(Equal(before.Changes + 2))
		remove(ctx, settings)
		Eventually(l.changes(environment)).Should(Equal(before.Changes + 3))
		l.applied(ctx, environment, configuration)
		Eventually(l.changes(environment)).Should(Equal(before.Changes + 4))
		l.patch(ctx, settings, `{"metadata":{"labels":{"assent.dev/environment":null}}}`)
		Eventually(l.changes(environment)).Should(Equal(before.Changes + 5))
	})

	It("says what is not healthy, and why when it is asked", func(ctx context.Context) {
		web := l.applied(ctx, environment, workload("Deployment", "web", "", nowhere))
		l.track(ctx, environment, web, l.applied(ctx, environment, configuration))
		Eventually(func() []v1alpha1.FailingObject { return l.seen(environment).Failing }).Should(HaveExactElements(HaveField("Name", "web")))
		Eventually(func() []v1alpha1.FailingObject {
			return l.standing.Explain(ctx, environment, l.seen(environment).Failing)
		}).
			Should(HaveExactElements(HaveField("Message", And(ContainSubstring("pod web-"), ContainSubstring("Unschedulable")))))
		remove(ctx, web)
		Eventually(func() []v1alpha1.FailingObject { return l.seen(environment).Failing }).
			Should(HaveExactElements(HaveField("Message", ContainSubstring("was deleted by somebody else"))))
	})

	It("keeps one watch for each kind, however many Environments there are, and none without", func(ctx context.Context) {
		other := types.NamespacedName{Namespace: "shop", Name: "other-" + l.target.Namespace}
		web := l.applied(ctx, environment, workload("Deployment", "web", "", ""))
		l.track(ctx, environment, web, l.applied(ctx, environment, configuration))
		l.track(ctx, other, l.applied(ctx, other, strings.Replace(configuration, "settings", "others", 1)))
		Expect(l.watches()).To(Equal([]int{2, 0}))
		l.standing.Stop(environment)
		Expect(l.watches()).To(Equal([]int{1, 0}))
		l.standing.Stop(other)
		Expect(l.watches()).To(Equal([]int{0, 0}))
	})

	It("watches Secrets as the deployer, by what they say of themselves", func(ctx context.Context) {
		login := l.applied(ctx, environment, "{apiVersion: v1, kind: Secret, metadata: {name: login}, data: {password: b25l}}")
		l.track(ctx, environment, login)
		Expect(l.watches()).To(Equal([]int{1, 1}))
		before := l.seen(environment).Changes
		l.patch(ctx, login, `{"data":{"password":"dHdv"}}`)
		Eventually(l.changes(environment)).Should(Equal(before + 1))
		l.mutex.Lock()
		defer l.mutex.Unlock()
		Expect(l.accepted).NotTo(BeEmpty())
		Expect(l.accepted).To(HaveEach(ContainSubstring("as=PartialObjectMetadata")))
	})

	It("lets an object be that carries the labels of an Environment and was not applied there", func(ctx context.Context) {
		l.track(ctx, environment, l.applied(ctx, environment, configuration))
		before := l.seen(environment)
		forged := l.applied(ctx, environment, strings.Replace(configuration, "settings", "forged", 1))
		l.patch(ctx, forged, `{"data":{"value":"two"}}`)
		Consistently(func() health.StandingReport { return l.seen(environment) }).WithTimeout(time.Second).Should(Equal(before))
	})

	It("does without what the deployer may not watch", func(ctx context.Context) {
		role := l.applied(ctx, environment, "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: reads}, rules: []}")
		l.track(ctx, environment, role)
		Expect(l.seen(environment)).To(HaveField("Report", healthy))
	})
})

// watches that run: all of them, and those with the rights of deployers.
func (l *lookout) watches() []int {
	all, borrowed := l.standing.Watches()
	return []int{all, borrowed}
}
