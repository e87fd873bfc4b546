// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"context"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/check"
	"github.com/assent-dev/assent/test/cluster"
)

func TestChecks(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Checks, on a real API server")
}

var (
	devcluster *cluster.Cluster
	admin      client.Client
	// operator connects as the operator's own service account, with the rights that Assent ships for it.
	operator *rest.Config
)

var _ = BeforeSuite(func(ctx context.Context) {
	var err error
	devcluster, err = cluster.Connect()
	Expect(err).NotTo(HaveOccurred())
	admin, err = devcluster.Client(cluster.Admin)
	Expect(err).NotTo(HaveOccurred())
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: cluster.SystemNamespace}}
	Expect(client.IgnoreAlreadyExists(admin.Create(ctx, system))).To(Succeed())
	Expect(devcluster.Apply(ctx, "config/rbac")).To(Succeed())
	operator, err = devcluster.ControllerConfig(ctx)
	Expect(err).NotTo(HaveOccurred())
})

// newProject creates an empty namespace.
func newProject(ctx context.Context) string {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "project-"}}
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

// newJobs runs Jobs as the operator.
func newJobs() *check.Jobs {
	httpClient, err := rest.HTTPClientFor(operator)
	Expect(err).NotTo(HaveOccurred())
	mapper, err := apiutil.NewDynamicRESTMapper(operator, httpClient)
	Expect(err).NotTo(HaveOccurred())
	made, err := check.NewJobs(operator, httpClient, mapper)
	Expect(err).NotTo(HaveOccurred())
	return made
}

// allow gives a service account rights in a project.
func allow(ctx context.Context, project, name string, account rbacv1.Subject, rule rbacv1.PolicyRule) {
	Expect(admin.Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: project}, Rules: []rbacv1.PolicyRule{rule}})).To(Succeed())
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: project}, Subjects: []rbacv1.Subject{account},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
	})).To(Succeed())
}

var controller = rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: cluster.SystemNamespace, Name: cluster.ServiceAccount}

// withChecker creates the service account that Jobs are created as. What it may do is left to the test.
func withChecker(ctx context.Context, project string) rbacv1.Subject {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.CheckerServiceAccount, Namespace: project}}
	Expect(admin.Create(ctx, account)).To(Succeed())
	// The operator's own role may already say so.
	allow(ctx, project, "impersonate-checker", controller, rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{v1alpha1.CheckerServiceAccount}, Verbs: []string{"impersonate"},
	})
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: project, Name: account.Name}
}
