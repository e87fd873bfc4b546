// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/cluster"
	testcluster "github.com/assent-dev/assent/test/cluster"
)

var (
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	reviews    = schema.GroupVersionResource{Group: "authentication.k8s.io", Version: "v1", Resource: "selfsubjectreviews"}
	identity   = apply.PromotionIdentity{Namespace: "shop", Name: "to-production", UID: "7d0a"}
)

// freshToken of the account that config/remote sets up.
func freshToken(ctx context.Context) *rest.Config {
	GinkgoHelper()
	config, err := remote.ServiceAccountConfig(ctx, "assent-remote", "assent-remote")
	Expect(err).NotTo(HaveOccurred())
	return config
}

var _ = Describe("A remote cluster", func() {
	var shop *project
	BeforeEach(func(ctx context.Context) {
		shop = newProject(ctx)
	})

	// withKubeconfig is a target namespace there, reached with the shipped account.
	withKubeconfig := func(ctx context.Context) v1alpha1.Target {
		GinkgoHelper()
		target, err := remote.Target(ctx)
		Expect(err).NotTo(HaveOccurred())
		config := freshToken(ctx)
		target.Cluster = shop.holding(ctx, "remote", kubeconfigOf(config, config.BearerToken)).Cluster
		return target
	}

	It("is deployed to as the deployer there, for one promotion, by whom the shipped role lets act so", func(ctx context.Context) {
		target := withKubeconfig(ctx)
		found := shop.reach(ctx, target)
		Expect(found.Remote()).To(BeTrue())
		factory := apply.NewFactory(found.Config, found.Mapper)
		Expect(factory.CheckDeployer(ctx, target)).To(Succeed())
		deployer, err := factory.As(target, identity)
		Expect(err).NotTo(HaveOccurred())

		review, err := deployer.Reader().Resource(reviews).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview",
		}}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		username, _, _ := unstructured.NestedString(review.Object, "status", "userInfo", "username")
		extra, _, _ := unstructured.NestedStringSlice(review.Object, "status", "userInfo", "extra", v1alpha1.ExtraPromotion)
		Expect(username).To(Equal(apply.Username(target)))
		Expect(extra).To(ConsistOf("shop/to-production/7d0a"))

		Eventually(func() error { // until the deployer's role is in force
			_, err := deployer.Reader().Resource(configMaps).Namespace(target.Namespace).Create(ctx, configMap(), metav1.CreateOptions{})
			return err
		}).WithContext(ctx).Should(Succeed())
		Expect(remoteAdmin.Get(ctx, client.ObjectKey{Namespace: target.Namespace, Name: "made"}, &corev1.ConfigMap{})).To(Succeed())
	})

	It("lets the kubeconfig's user do no more than act as deployers and look", func(ctx context.Context) {
		target := withKubeconfig(ctx)
		found := shop.reach(ctx, target)
		_, err := found.Dynamic.Resource(configMaps).Namespace(target.Namespace).Create(ctx, configMap(), metav1.CreateOptions{})
		Expect(err).To(Satisfy(apierrors.IsForbidden))
		target.ServiceAccountName = "default"
		deployer, err := apply.NewFactory(found.Config, found.Mapper).As(target, identity)
		Expect(err).NotTo(HaveOccurred())
		_, err = deployer.Reader().Resource(configMaps).Namespace(target.Namespace).List(ctx, metav1.ListOptions{})
		Expect(err).To(MatchError(ContainSubstring(`cannot impersonate resource "serviceaccounts"`)))
	})

	It("is watched beyond the time limit of other requests, until the reader ends", func(ctx context.Context) {
		target := withKubeconfig(ctx)
		pods := schema.GroupVersionResource{Version: "v1", Resource: "pods"}
		watcher, err := shop.reach(ctx, target).Dynamic.Resource(pods).Namespace(target.Namespace).Watch(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(remoteAdmin.Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "seen", Namespace: target.Namespace},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.com/image"}}},
		})).To(Succeed())
		Eventually(watcher.ResultChan()).WithContext(ctx).Should(Receive())
		watcher.Stop()
	})

	It("keeps its digest when the token is rotated, and is another one in memory", func(ctx context.Context) {
		target := withKubeconfig(ctx)
		before := shop.reach(ctx, target)
		Expect(shop.reach(ctx, target)).To(BeIdenticalTo(before))

		config := freshToken(ctx)
		shop.holding(ctx, "remote", kubeconfigOf(config, config.BearerToken))
		after := shop.reach(ctx, target)
		Expect(after).NotTo(BeIdenticalTo(before))
		Expect(after.Config.BearerToken).To(Equal(config.BearerToken))
		Expect(after.Digest).To(Equal(before.Digest))
		Expect(after.Digest).NotTo(BeEmpty())
	})

	It("is shared by projects that have the same kubeconfig", func(ctx context.Context) {
		target := withKubeconfig(ctx)
		config := freshToken(ctx)
		other := newProject(ctx)
		other.clusters = shop.clusters
		shop.holding(ctx, "remote", kubeconfigOf(config, config.BearerToken))
		other.holding(ctx, "remote", kubeconfigOf(config, config.BearerToken))
		Expect(other.reach(ctx, target)).To(BeIdenticalTo(shop.reach(ctx, target)))
	})

	It("refuses credentials that it does not know, which somebody has to mend", func(ctx context.Context) {
		target := shop.holding(ctx, "remote", kubeconfigOf(freshToken(ctx), secret))
		problem := shop.problem(ctx, target)
		Expect(problem).To(withReason(cluster.Unauthorised, "put a new token or client certificate into the Secret"))
		Expect(problem.Retryable()).To(BeFalse())
	})

	It("is not trusted with a certificate of another authority", func(ctx context.Context) {
		config, admin := freshToken(ctx), operator
		config.CAData = admin.CAData
		target := shop.holding(ctx, "remote", kubeconfigOf(config, config.BearerToken))
		problem := shop.problem(ctx, target)
		Expect(problem).To(withReason(cluster.Untrusted, "its certificate is not valid"))
		Expect(problem.Retryable()).To(BeFalse())
	})

	It("is reached without verification where both sides say so", func(ctx context.Context) {
		config := freshToken(ctx)
		content := kubeconfig("server: '"+config.Host+"', insecure-skip-tls-verify: true", "token: "+config.BearerToken)
		target := shop.holding(ctx, "remote", content)
		Expect(shop.problem(ctx, target)).To(withReason(cluster.InvalidKubeconfig, "`spec.target.cluster.tlsVerification`"))
		target.Cluster.TLSVerification = v1alpha1.TLSVerificationNotRequired
		shop.reach(ctx, target)
	})

	It("tells its own version and kinds, as a chart asks for them", func(ctx context.Context) {
		found := shop.reach(ctx, withKubeconfig(ctx))
		can, err := found.Capabilities(ctx)
		Expect(err).NotTo(HaveOccurred())
		config, err := remote.Config(testcluster.Admin)
		Expect(err).NotTo(HaveOccurred())
		asked, err := discovery.NewDiscoveryClientForConfig(config)
		Expect(err).NotTo(HaveOccurred())
		version, err := asked.ServerVersion()
		Expect(err).NotTo(HaveOccurred())
		Expect(can.KubeVersion).To(Equal(version.GitVersion))
		Expect(can.APIVersions).To(ContainElements("v1", "v1/Pod", "apps/v1", "apps/v1/Deployment", "batch/v1/Job"))
		Expect(can.APIVersions).NotTo(ContainElement(HavePrefix("assent.dev")))
	})

	It("learns of a kind that has come since, and then tells it", func(ctx context.Context) {
		found := shop.reach(ctx, withKubeconfig(ctx))
		kind := schema.GroupKind{Group: "example.com", Kind: "Widget"}
		_, err := found.Mapper.RESTMapping(kind, "v1")
		Expect(err).To(Satisfy(meta.IsNoMatchError))
		before, err := found.Capabilities(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(remoteAdmin.Create(ctx, widgets())).To(Succeed())
		Eventually(func() error {
			_, err := found.Mapper.RESTMapping(kind, "v1")
			return err
		}).WithContext(ctx).Should(Succeed())
		Expect(found.Capabilities(ctx)).To(Equal(before), "it is remembered")
		meta.MaybeResetRESTMapper(found.Mapper)
		can, err := found.Capabilities(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(can.APIVersions).To(ContainElements("example.com/v1", "example.com/v1/Widget"))
	})
})

func configMap() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "made"}}}
}

func widgets() *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "widgets.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Singular: "widget", Kind: "Widget", ListKind: "WidgetList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true, Schema: &apiextensionsv1.CustomResourceValidation{
				OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object"},
			}}},
		},
	}
}
