// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	puller   = "puller"
	password = "a very secret word"
)

// artifacts is a registry on this machine.
type artifacts struct {
	server *httptest.Server
}

// serveArtifacts starts a registry that is open to everybody, or asks for a password.
func serveArtifacts(private bool) *artifacts {
	GinkgoHelper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if private {
		handler = askPassword(handler)
	}
	served := &artifacts{server: httptest.NewServer(handler)}
	DeferCleanup(served.server.Close)
	return served
}

func askPassword(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if user, given, _ := request.BasicAuth(); user != puller || given != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, request)
	})
}

func (a *artifacts) host() string {
	return strings.TrimPrefix(a.server.URL, "http://")
}

// push makes an artifact of a file of manifests, as crane does, and returns its digest.
func (a *artifacts) push(tag string, objects ...string) v1alpha1.Digest {
	GinkgoHelper()
	image, err := crane.Image(map[string][]byte{"shop.yaml": []byte(manifests(objects...))})
	Expect(err).NotTo(HaveOccurred())
	Expect(crane.Push(image, a.host()+"/shop:"+tag, crane.WithAuth(&authn.Basic{Username: puller, Password: password}))).To(Succeed())
	digest, err := image.Digest()
	Expect(err).NotTo(HaveOccurred())
	return v1alpha1.Digest(digest.String())
}

// released is a release from the registry, made by bob.
func (p *place) released(ctx context.Context, name string, source v1alpha1.OCISource) *v1alpha1.Release {
	GinkgoHelper()
	release := cluster.NewRelease(p.project.Name, name, "1", "")
	release.Spec.Source = v1alpha1.ReleaseSource{OCI: source}
	Expect(scene.as(cluster.Bob).Create(ctx, release)).To(Succeed())
	return release
}

func (a *artifacts) source(tag string) v1alpha1.OCISource {
	return v1alpha1.OCISource{URL: "oci+http://" + a.host() + "/shop", Tag: tag}
}

// shows waits until the release says why it is not ready.
func shows(ctx context.Context, release *v1alpha1.Release, reason string, parts ...string) {
	GinkgoHelper()
	awaitRelease(ctx, release, metav1.ConditionFalse, reason)
	expectSays(condition(release.Status.Conditions, v1alpha1.ConditionReady).Message, parts)
}

var _ = Describe("a release from a registry", func() {
	It("runs what its tag pointed to when it was first seen, wherever the tag is moved", func(ctx context.Context) {
		store := serveArtifacts(false)
		p := newPlace(ctx)
		digest := store.push("1.0.0", configMap("settings", "as approved"))
		release := p.released(ctx, "shop-one", store.source("1.0.0"))
		awaitRelease(ctx, release, metav1.ConditionTrue, v1alpha1.ReasonResolved)
		Expect(release.Status.Digest).To(Equal(digest))
		asked := p.request(ctx, "one", release.Name)
		await(ctx, asked, v1alpha1.ReasonAwaitingApproval)

		moved := store.push("1.0.0", configMap("settings", "moved"))
		Expect(moved).NotTo(Equal(digest))
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		Expect(p.value(ctx, "settings")).To(Equal("as approved"))
		Expect(p.history(ctx)[0].Spec.Release.Digest).To(Equal(digest))

		late := p.released(ctx, "shop-pinned", v1alpha1.OCISource{URL: store.source("").URL, Tag: "1.0.0", Digest: digest})
		shows(ctx, late, v1alpha1.ReasonDigestMismatch, "spec.source.oci.digest", string(digest), string(moved), "create a new Release")
		doomed := p.request(ctx, "late", late.Name)
		await(ctx, doomed, v1alpha1.ReasonInvalid)
		expectSays(message(doomed), []string{"spec.source.oci.digest", string(moved)})
		p.expectQuiet(ctx)
	})

	It("says that its registry does not answer, without a storm of writes, and goes on when it does", func(ctx context.Context) {
		store := serveArtifacts(false)
		source := store.source("1.0.0")
		gone := store.host()
		store.server.Close()
		p := newPlace(ctx)
		release := p.released(ctx, "shop-one", source)
		asked := p.request(ctx, "one", release.Name)
		shows(ctx, release, v1alpha1.ReasonFetchFailed, "spec.source.oci.url", gone, "check that it is up and reachable")
		eventually(ctx, asked, "names the release", func(g Gomega) {
			g.Expect(blocker(asked, v1alpha1.GateRelease)).To(HaveField("Message", ContainSubstring(v1alpha1.ReasonFetchFailed)))
		})
		p.expectQuiet(ctx)
	})

	It("says that its tag does not exist, and is ready soon after that is pushed", func(ctx context.Context) {
		store := serveArtifacts(false)
		p := newPlace(ctx)
		release := p.released(ctx, "shop-one", store.source("1.0.0"))
		shows(ctx, release, v1alpha1.ReasonFetchFailed, "spec.source.oci.tag", "does not exist")
		digest := store.push("1.0.0", configMap("settings", "1"))
		awaitRelease(ctx, release, metav1.ConditionTrue, v1alpha1.ReasonResolved)
		Expect(release.Status.Digest).To(Equal(digest))
	})

	It("that is private needs a Secret that the operator may read, and says each step that is missing", func(ctx context.Context) {
		store := serveArtifacts(true)
		store.push("1.0.0", configMap("settings", "private"))
		p := newPlace(ctx)
		shows(ctx, p.released(ctx, "shop-open", store.source("1.0.0")), v1alpha1.ReasonFetchFailed, "spec.source.oci.secretRef", "dockerconfigjson")

		source := store.source("1.0.0")
		source.SecretRef.Name = "registry"
		release := p.released(ctx, "shop-one", source)
		// Whoever may not read a Secret is not told either that there is none.
		shows(ctx, release, v1alpha1.ReasonFetchFailed, "spec.source.oci.secretRef", `"registry"`, "resourceNames", "assent-system/assent-controller")
		p.credentials(ctx, "registry", store)
		p.letOperatorRead(ctx, "registry")
		awaitRelease(ctx, release, metav1.ConditionTrue, v1alpha1.ReasonResolved)
		asked := p.request(ctx, "one", release.Name)
		await(ctx, asked, v1alpha1.ReasonAwaitingApproval)
		approve(ctx, cluster.Alice, asked)
		await(ctx, asked, v1alpha1.ReasonSucceeded)
		Expect(p.value(ctx, "settings")).To(Equal("private"))
		Expect(scene.operator.Log(logged)).NotTo(ContainSubstring(password))
	})
})

// credentials for the registry, as `kubectl create secret docker-registry` makes them.
func (p *place) credentials(ctx context.Context, name string, store *artifacts) {
	GinkgoHelper()
	content, err := json.Marshal(map[string]any{"auths": map[string]any{store.host(): map[string]string{"username": puller, "password": password}}})
	Expect(err).NotTo(HaveOccurred())
	Expect(scene.as(cluster.Admin).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.project.Name},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: content},
	})).To(Succeed())
}

// letOperatorRead one Secret, as the message says and the shipped role's comment recommends.
func (p *place) letOperatorRead(ctx context.Context, secret string) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Name: "assent-secret-reader", Namespace: p.project.Name}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{secret}, Verbs: []string{"get"}},
		}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: cluster.ServiceAccount, Namespace: cluster.SystemNamespace}},
		},
	} {
		Expect(scene.as(cluster.Admin).Create(ctx, object)).To(Succeed())
	}
}
