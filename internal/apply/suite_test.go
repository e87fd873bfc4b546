// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/test/cluster"
)

func TestApply(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Applying as the deployer, on a real API server")
}

var (
	local *cluster.Cluster
	admin client.Client
	// operator connects as the operator's own service account, with the rights that Assent ships for it.
	operator *rest.Config
)

var _ = BeforeSuite(func(ctx context.Context) {
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
})

// place is a target namespace with its deployer, for one test.
type place struct {
	target   v1alpha1.Target
	factory  *apply.Factory
	deployer *apply.Deployer
	// writes counts the requests that change something, tries those that would if they were no dry runs, reads the rest.
	writes, tries, reads *atomic.Int64
}

var promotion = apply.PromotionIdentity{Namespace: "shop", Name: "to-production", UID: "7d0a"}

var owner = apply.Owner{Project: "shop", Environment: "production"}

func newPlace(ctx context.Context, config *rest.Config) *place {
	target, err := local.Target(ctx)
	Expect(err).NotTo(HaveOccurred())
	awaitRight(ctx, target, authorizationv1.ResourceAttributes{Namespace: target.Namespace, Verb: "patch", Resource: "configmaps"})
	return placeAt(target, config)
}

// awaitRight waits until a right that was just given to the deployer is in force.
func awaitRight(ctx context.Context, target v1alpha1.Target, right authorizationv1.ResourceAttributes) {
	Eventually(func() (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: apply.Username(target), ResourceAttributes: &right}}
		err := admin.Create(ctx, review)
		return review.Status.Allowed, err
	}).WithContext(ctx).Should(BeTrue())
}

func placeAt(target v1alpha1.Target, config *rest.Config) *place {
	made := &place{target: target, writes: &atomic.Int64{}, tries: &atomic.Int64{}, reads: &atomic.Int64{}}
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &countingTransport{next: next, writes: made.writes, tries: made.tries, reads: made.reads}
	})
	httpClient, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	Expect(err).NotTo(HaveOccurred())
	made.factory = apply.NewFactory(config, mapper)
	made.deployer, err = made.factory.As(target, promotion)
	Expect(err).NotTo(HaveOccurred())
	return made
}

// countingTransport counts requests by what they do.
type countingTransport struct {
	next                 http.RoundTripper
	writes, tries, reads *atomic.Int64
}

func (t *countingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	switch {
	case request.Method == http.MethodGet:
		t.reads.Add(1)
	case request.URL.Query().Get("dryRun") != "" || deletesDry(request):
		t.tries.Add(1)
	default:
		t.writes.Add(1)
	}
	return t.next.RoundTrip(request)
}

// deletesDry tells a dry run of a deletion, which only its body says.
func deletesDry(request *http.Request) bool {
	if request.Method != http.MethodDelete || request.GetBody == nil {
		return false
	}
	body, err := request.GetBody()
	Expect(err).NotTo(HaveOccurred())
	content, err := io.ReadAll(body)
	Expect(err).NotTo(HaveOccurred())
	return strings.Contains(string(content), `"dryRun":["All"]`)
}

// objects are placed and sorted objects, parted by "---" in YAML.
func (p *place) objects(text string) []*unstructured.Unstructured {
	return p.objectsOf(owner, text)
}

func (p *place) objectsOf(owner apply.Owner, text string) []*unstructured.Unstructured {
	all := p.parsed(text)
	Expect(plan.Place(all, p.options(owner))).To(Succeed())
	plan.Sort(all)
	return all
}

func (p *place) options(owner apply.Owner) plan.PlaceOptions {
	return plan.PlaceOptions{
		Target: p.target, Project: owner.Project, Environment: owner.Environment, Scope: p.factory.Scope,
		ClusterScopedKinds: []v1alpha1.GroupKind{{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}},
	}
}

func (p *place) parsed(text string) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, part := range strings.Split(text, "\n---\n") {
		content := &unstructured.Unstructured{}
		json, err := yaml.YAMLToJSON([]byte(part))
		Expect(err).NotTo(HaveOccurred())
		Expect(content.UnmarshalJSON(json)).To(Succeed())
		all = append(all, content)
	}
	return all
}

// configMap reads a ConfigMap's data; nil when it is not there.
func (p *place) configMap(ctx context.Context, name string) map[string]string {
	found := &corev1.ConfigMap{}
	err := admin.Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: name}, found)
	if apierrors.IsNotFound(err) {
		return nil
	}
	Expect(err).NotTo(HaveOccurred())
	return found.Data
}

func (p *place) ref(group, kind, name string) v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{Group: group, Kind: kind, Namespace: p.target.Namespace, Name: name}
}

// allow gives the deployer rights in its namespace.
func (p *place) allow(ctx context.Context, rule rbacv1.PolicyRule) {
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: p.target.ServiceAccountName, Namespace: p.target.Namespace}, Rules: []rbacv1.PolicyRule{rule}}
	Expect(admin.Create(ctx, role)).To(Succeed())
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name, Namespace: p.target.Namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: p.target.Namespace, Name: p.target.ServiceAccountName}},
	})).To(Succeed())
	for _, verb := range rule.Verbs {
		awaitRight(ctx, p.target, authorizationv1.ResourceAttributes{Namespace: p.target.Namespace, Verb: verb, Group: rule.APIGroups[0], Resource: rule.Resources[0]})
	}
}

// allowEverywhere gives the deployer rights in the whole cluster, and takes them back after the test.
func (p *place) allowEverywhere(ctx context.Context, rules ...rbacv1.PolicyRule) {
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-deployer-"}, Rules: rules}
	Expect(admin.Create(ctx, role)).To(Succeed())
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: p.target.Namespace, Name: p.target.ServiceAccountName}},
	}
	Expect(admin.Create(ctx, binding)).To(Succeed())
	for _, rule := range rules {
		awaitRight(ctx, p.target, authorizationv1.ResourceAttributes{Verb: "get", Group: rule.APIGroups[0], Resource: rule.Resources[0]})
	}
	DeferCleanup(func(ctx context.Context) {
		Expect(admin.Delete(ctx, binding)).To(Succeed())
		Expect(admin.Delete(ctx, role)).To(Succeed())
	})
}

func configMap(name, value string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: {value: %q}}", name, value)
}

// haveKind matches an error of this package that says the same about who has to act.
func haveKind(kind apply.ErrorKind) OmegaMatcher {
	return And(HaveOccurred(), WithTransform(apply.KindOf, Equal(kind)))
}
