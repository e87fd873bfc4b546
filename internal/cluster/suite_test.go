// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cluster"
	testcluster "github.com/assent-dev/assent/test/cluster"
)

func TestClusters(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Clusters that Environments name, with two real API servers")
}

var (
	// local is the cluster that the operator serves, remote another one.
	local, remote           *testcluster.Cluster
	localAdmin, remoteAdmin client.Client
	// operator connects to the local cluster as the operator's own service account, with the rights that Assent ships for it.
	operator *rest.Config
)

var _ = BeforeSuite(func(ctx context.Context) {
	var err error
	local, err = testcluster.Connect()
	Expect(err).NotTo(HaveOccurred())
	localAdmin, err = local.Client(testcluster.Admin)
	Expect(err).NotTo(HaveOccurred())
	Expect(local.Install(ctx)).To(Succeed())
	operator, err = local.ControllerConfig(ctx)
	Expect(err).NotTo(HaveOccurred())

	var stop func(context.Context) error
	remote, stop, err = local.Second(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(stop)
	remoteAdmin, err = remote.Client(testcluster.Admin)
	Expect(err).NotTo(HaveOccurred())
	Expect(remote.Apply(ctx, "config/remote")).To(Succeed())
})

// project is one whose owner lets the operator read its Secrets, with the clusters in use there.
type project struct {
	name     string
	clock    *clocktesting.FakePassiveClock
	clusters *cluster.Clusters
	// asked counts the requests to the local cluster that are made by Clusters for itself.
	asked *counter
}

func newProject(ctx context.Context) *project {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "project-"}}
	Expect(localAdmin.Create(ctx, namespace)).To(Succeed())
	Expect(localAdmin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "assent-secret-reader", Namespace: namespace.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "assent-secret-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: testcluster.SystemNamespace, Name: testcluster.ServiceAccount}},
	})).To(Succeed())
	made := &project{name: namespace.Name, clock: clocktesting.NewFakePassiveClock(time.Now()), asked: &counter{}}
	secrets, err := local.ClientFor(operator)
	Expect(err).NotTo(HaveOccurred())
	config := rest.CopyConfig(operator)
	config.Wrap(made.asked.around)
	httpClient, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	Expect(err).NotTo(HaveOccurred())
	made.clusters, err = cluster.New(cluster.Local{Config: config, HTTPClient: httpClient, Mapper: mapper}, secrets, made.clock)
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() error { // until the binding is in force
		err := secrets.Get(ctx, client.ObjectKey{Namespace: made.name, Name: "none"}, &corev1.Secret{})
		return ignoreNotFound(err)
	}).WithContext(ctx).Should(Succeed())
	return made
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// holding puts a kubeconfig into a Secret, or replaces what is there, and returns the target that names it.
func (p *project) holding(ctx context.Context, name, content string) v1alpha1.Target {
	GinkgoHelper()
	kept := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.name}, StringData: map[string]string{"kubeconfig": content}}
	err := localAdmin.Create(ctx, kept)
	if apierrors.IsAlreadyExists(err) {
		err = localAdmin.Update(ctx, kept)
	}
	Expect(err).NotTo(HaveOccurred())
	return targetOf(name)
}

func targetOf(secret string) v1alpha1.Target {
	return v1alpha1.Target{Namespace: "default", ServiceAccountName: testcluster.Deployer, Cluster: v1alpha1.TargetCluster{
		Kubeconfig: v1alpha1.SecretKeyReference{Name: secret, Key: "kubeconfig"}, TLSVerification: v1alpha1.TLSVerificationRequired,
	}}
}

// reach is the cluster of a target, which has to be there.
func (p *project) reach(ctx context.Context, target v1alpha1.Target) *cluster.Cluster {
	GinkgoHelper()
	found, err := p.clusters.For(ctx, p.name, target)
	Expect(err).NotTo(HaveOccurred())
	return found
}

// problem is why the cluster of a target cannot be had.
func (p *project) problem(ctx context.Context, target v1alpha1.Target) *cluster.Error {
	GinkgoHelper()
	found, err := p.clusters.For(ctx, p.name, target)
	Expect(found).To(BeNil())
	Expect(err).To(HaveOccurred())
	Expect(err.Error()).NotTo(ContainSubstring(secret))
	problem := cluster.Problem(err)
	Expect(problem).To(HaveOccurred(), "%v is no problem with the cluster", err)
	return problem
}

// withReason matches an Error that says this.
func withReason(reason cluster.Reason, says string) OmegaMatcher {
	return And(HaveField("Reason", reason), HaveField("Message", ContainSubstring(says)))
}

// kubeconfigOf connects to a cluster with a token.
func kubeconfigOf(config *rest.Config, token string) string {
	return kubeconfig(fmt.Sprintf("server: '%s', certificate-authority-data: %s", config.Host, base64.StdEncoding.EncodeToString(config.CAData)), "token: "+token)
}

// apiServer is one that only says what the test wants.
type apiServer struct {
	*httptest.Server
	open  *counter
	asked *counter
}

func newAPIServer(handle http.HandlerFunc) *apiServer {
	made := &apiServer{open: &counter{}, asked: &counter{}}
	made.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		made.asked.add(1)
		handle(w, r)
	}))
	made.Config.ConnState = made.open.follow
	made.StartTLS()
	DeferCleanup(made.Close)
	return made
}

func (s *apiServer) kubeconfig(token string) string {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return kubeconfig(fmt.Sprintf("server: '%s', certificate-authority-data: %s", s.URL, base64.StdEncoding.EncodeToString(authority)), "token: "+token)
}

// version answers as an API server does to the question for its version.
func version(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprint(w, `{"major":"1","minor":"37","gitVersion":"v1.37.2"}`)
}
