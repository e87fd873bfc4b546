// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// demand is a write of mallory's that the API server refuses, and what it says, with the target's namespace and the project's for %[1]s and %[2]s.
type demand struct {
	name   string
	change func(*v1alpha1.EnvironmentSpec)
	says   string
}

func to(namespace, account string) rule {
	return func(spec *v1alpha1.EnvironmentSpec) {
		spec.Target = v1alpha1.Target{Namespace: namespace, ServiceAccountName: account}
	}
}

const (
	actsAs = "setting `target` needs the verb `impersonate` on serviceaccounts/%s in namespace \"%s\", because rollouts to this Environment are performed as " +
		"that account: ask an owner of that namespace to bind you a Role with that verb and the account in `resourceNames`, or to set the Environment up (G11)"
	reads = "setting `target` with a `cluster` needs the verb `get` on secrets/theirs in namespace \"%[2]s\", because rollouts to this Environment are performed " +
		"with the kubeconfig in it: ask an owner of the project to bind you a Role with that verb and the Secret in `resourceNames`, or to set the Environment up (G11)"
)

var demands = []demand{
	{"is performed as another's deployer", func(*v1alpha1.EnvironmentSpec) {}, fmt.Sprintf(actsAs, cluster.Deployer, "%[1]s")},
	{"is performed as a controller of Kubernetes", to("kube-system", "clusterrole-aggregation-controller"), fmt.Sprintf(actsAs, "clusterrole-aggregation-controller", "kube-system")},
	{"is performed as the operator", to(cluster.SystemNamespace, cluster.ServiceAccount), fmt.Sprintf(actsAs, cluster.ServiceAccount, cluster.SystemNamespace)},
	{"goes where a kubeconfig leads that is not his to read", func(spec *v1alpha1.EnvironmentSpec) {
		spec.Target.Cluster.Kubeconfig = v1alpha1.SecretKeyReference{Name: "theirs", Key: "kubeconfig"}
	}, reads},
	{"names an account that is two", to("kube-system", "default:admin"), "spec.target.serviceAccountName"},
	{"names a namespace that is two", to("kube-system:default", "admin"), "spec.target.namespace"},
}

var _ = Describe("mallory, who may set up environments and act as nobody,", func() {
	It("is refused every environment that lends him somebody's rights, in words that say whom to ask", func(ctx context.Context) {
		p := hideout(ctx)
		By("waiting until mallory may create anything at all")
		Eventually(func() error {
			return scene.as(cluster.Mallory).Create(ctx, cluster.NewRelease(p.project.Name, "shop-one", "1", configMap("a", "1")), client.DryRunAll)
		}).WithContext(ctx).Should(Succeed())
		for _, asked := range demands {
			environment := cluster.NewEnvironment(p.project.Name, production, p.target)
			asked.change(&environment.Spec)
			says := strings.NewReplacer("%[1]s", p.target.Namespace, "%[2]s", p.project.Name).Replace(asked.says)
			Expect(scene.as(cluster.Mallory).Create(ctx, environment)).To(MatchError(ContainSubstring(says)), asked.name)
		}
		By("changing one that an owner has set up")
		p.establish(ctx, production)
		for _, asked := range demands[1:] {
			says := strings.NewReplacer("%[1]s", p.target.Namespace, "%[2]s", p.project.Name).Replace(asked.says)
			Eventually(func() error { // the operator writes its status
				environment := p.environment(ctx)
				asked.change(&environment.Spec)
				return scene.as(cluster.Mallory).Update(ctx, environment)
			}).WithContext(ctx).Should(MatchError(ContainSubstring(says)), asked.name)
		}
	})

	for name, source := range map[string]v1alpha1.ReleaseSource{
		"a login in the address of a repository": {Git: v1alpha1.GitSource{URL: "https://user:word@git.example/shop", Commit: strings.Repeat("a", 40)}},
		"a repository on the operator's disk":    {Git: v1alpha1.GitSource{URL: "file:///var/run/secrets", Commit: strings.Repeat("a", 40)}},
		"a repository that a program fetches":    {Git: v1alpha1.GitSource{URL: "ext::sh", Commit: strings.Repeat("a", 40)}},
		"a login in the address of a chart":      {Helm: v1alpha1.HelmSource{URL: "https://user:word@charts.example", Chart: "shop", Version: "1.0.0"}},
		"a path out of an artifact":              {OCI: v1alpha1.OCISource{URL: "oci://registry.example/shop", Tag: "1", Path: "a/../../etc"}},
	} {
		It("is refused a release with "+name, func(ctx context.Context) {
			p := hideout(ctx)
			release := cluster.NewRelease(p.project.Name, "shop-one", "1", "")
			release.Spec.Source = source
			Eventually(func() error { return scene.as(cluster.Mallory).Create(ctx, release.DeepCopy()) }).WithContext(ctx).Should(
				And(WithTransform(apierrors.IsInvalid, BeTrue()), MatchError(ContainSubstring("spec.source."))))
		})
	}
})

// ear is a server of mallory's, which asks everybody for a password and keeps what it is told.
type ear struct {
	server *httptest.Server
	asked  atomic.Int64
	told   atomic.Int64
}

func newEar() *ear {
	GinkgoHelper()
	heard := &ear{}
	heard.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard.asked.Add(1)
		if r.Header.Get("Authorization") != "" {
			heard.told.Add(1)
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="tell me"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	DeferCleanup(heard.server.Close)
	return heard
}

// keep a Secret in the project that the operator may read, and mallory must not.
func (p *place) keep(ctx context.Context, kind corev1.SecretType, hosts string, data map[string]string) {
	GinkgoHelper()
	Expect(scene.as(cluster.Admin).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "kept", Namespace: p.project.Name, Annotations: map[string]string{v1alpha1.AnnotationSourceHosts: hosts}},
		Type:       kind, StringData: data,
	})).To(Succeed())
	p.letOperatorReadValues(ctx, "kept")
	Expect(scene.as(cluster.Mallory).Get(ctx, client.ObjectKey{Namespace: p.project.Name, Name: "kept"}, &corev1.Secret{})).To(WithTransform(apierrors.IsForbidden, BeTrue()))
}

var _ = Describe("a Secret of the project that mallory must not read", func() {
	kept := v1alpha1.LocalReference{Name: "kept"}

	It("is not sent to a Git server of his", func(ctx context.Context) {
		heard, p := newEar(), lair(ctx)
		p.keep(ctx, corev1.SecretTypeBasicAuth, "git.example", map[string]string{"username": puller, "password": password})
		release := cluster.NewRelease(p.project.Name, "shop-one", "1", "")
		release.Spec.Source = v1alpha1.ReleaseSource{Git: v1alpha1.GitSource{URL: heard.server.URL + "/shop", Commit: strings.Repeat("a", 40), SecretRef: kept}}
		Expect(scene.as(cluster.Mallory).Create(ctx, release)).To(Succeed())
		shows(ctx, release, v1alpha1.ReasonFetchFailed, "`spec.source.git", "assent.dev/source-hosts")
		Expect(heard.told.Load()).To(BeZero())
	})

	It("is not sent to a chart repository of his", func(ctx context.Context) {
		heard, p := newEar(), lair(ctx)
		p.keep(ctx, corev1.SecretTypeBasicAuth, "charts.example", map[string]string{"username": puller, "password": password})
		release := cluster.NewRelease(p.project.Name, "shop-one", "1", "")
		release.Spec.Source = v1alpha1.ReleaseSource{Helm: v1alpha1.HelmSource{URL: heard.server.URL + "/charts", Chart: "shop", Version: "1.0.0", SecretRef: kept}}
		Expect(scene.as(cluster.Mallory).Create(ctx, release)).To(Succeed())
		shows(ctx, release, v1alpha1.ReasonFetchFailed, "`spec.source.helm", "assent.dev/source-hosts")
		Expect(heard.told.Load()).To(BeZero())
	})

	It("is not sent to a registry of his", func(ctx context.Context) {
		heard, p := newEar(), lair(ctx)
		p.keep(ctx, corev1.SecretTypeDockerConfigJson, "", map[string]string{
			corev1.DockerConfigJsonKey: `{"auths": {"registry.example": {"username": "puller", "password": "a very secret word"}}}`,
		})
		release := cluster.NewRelease(p.project.Name, "shop-one", "1", "")
		release.Spec.Source = v1alpha1.ReleaseSource{OCI: v1alpha1.OCISource{
			URL: "oci+http://" + strings.TrimPrefix(heard.server.URL, "http://") + "/shop", Tag: "1", SecretRef: kept,
		}}
		Expect(scene.as(cluster.Mallory).Create(ctx, release)).To(Succeed())
		shows(ctx, release, v1alpha1.ReasonFetchFailed, "`spec.source.oci")
		Expect(heard.asked.Load()).NotTo(BeZero())
		Expect(heard.told.Load()).To(BeZero())
	})

	It("is no values for a chart, unless it is of the type for that", func(ctx context.Context) {
		p := lair(ctx, func(spec *v1alpha1.EnvironmentSpec) {
			spec.Overlay.ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesSecret, Name: "kept", Key: "password"}}
		})
		p.keep(ctx, corev1.SecretTypeBasicAuth, "git.example", map[string]string{"username": puller, "password": password})
		asked := p.smuggle(ctx, "one", configMap("settings", "1"))
		touched(ctx, asked, "says that it is no values", func(g Gomega) {
			g.Expect(blocker(asked, v1alpha1.GateTarget)).To(HaveField("Message", Equal("`spec.overlay.valuesFrom[0]`: Secret \"kept\" has type \"kubernetes.io/basic-auth\": "+
				"values are taken from Secrets of type assent.dev/values alone, so that no other Secret can be shown by a chart")))
		})
	})

	It("is not read by the operator as long as no owner of the project lets it, in whatever field it is named", func(ctx context.Context) {
		p := lair(ctx, func(spec *v1alpha1.EnvironmentSpec) {
			spec.Overlay.ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesSecret, Name: "kept", Key: "password"}}
		})
		release := cluster.NewRelease(p.project.Name, "shop-two", "2", "")
		release.Spec.Source = v1alpha1.ReleaseSource{Git: v1alpha1.GitSource{URL: "https://127.0.0.1:1/shop", Commit: strings.Repeat("a", 40), SecretRef: kept}}
		Expect(scene.as(cluster.Mallory).Create(ctx, release)).To(Succeed())
		shows(ctx, release, v1alpha1.ReasonFetchFailed, "`spec.source.git.secretRef`: the operator must not read secret \"kept\"")
		asked := p.smuggle(ctx, "one", configMap("settings", "1"))
		eventually(ctx, asked, "says that the values may not be read", func(g Gomega) {
			g.Expect(blocker(asked, v1alpha1.GateTarget)).To(HaveField("Message", ContainSubstring("`spec.overlay.valuesFrom[0]`: the operator must not read Secret \"kept\" in project \""+p.project.Name+"\"")))
		})
	})

	It("shows him nothing that it has fetched for another project, though he knows the address and the digest", func(ctx context.Context) {
		store, theirs, p := serveArtifacts(true), newPlace(ctx), lair(ctx)
		digest := store.push("1.0.0", configMap("settings", "private"))
		theirs.credentials(ctx, "registry", store)
		theirs.letOperatorRead(ctx, "registry")
		source := store.source("1.0.0")
		source.SecretRef.Name = "registry"
		awaitRelease(ctx, theirs.released(ctx, "shop-one", source), metav1.ConditionTrue, v1alpha1.ReasonResolved)

		release := cluster.NewRelease(p.project.Name, "shop-one", "1", "")
		release.Spec.Source = v1alpha1.ReleaseSource{OCI: v1alpha1.OCISource{URL: source.URL, Digest: digest}}
		Expect(scene.as(cluster.Mallory).Create(ctx, release)).To(Succeed())
		shows(ctx, release, v1alpha1.ReasonFetchFailed, "refused to let manifest")
		asked := p.insist(ctx, "one")
		eventually(ctx, asked, "waits for the release", func(g Gomega) { g.Expect(blocker(asked, v1alpha1.GateRelease)).NotTo(BeNil()) })
		Expect(asked.Status.Plan.Diff).To(BeEmpty())
	})
})
