// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package guard_test tries every rule of the guard on a real API server.
//
// The attacks are a table: who tries to make what of which object, and by which kinds of write. Each is denied by its rule, in the API
// server, with the schema's own rules taken out of the way and nothing stamped, so that the guard alone decides. Then the guard's
// validations are taken out one by one, and for each some attack of its rule gets through: no validation is there for nothing, and no
// rule goes untested. Last, the whole installation is put back and every attack is tried again.
//
// The suite changes the cluster's policies while it runs: give it a cluster of its own, or run no other suite beside it.
//
// Whether the suite would notice if something else of a policy were gone is measured by hack/mutate, which finds the tests by these labels:
// the rule, and `first` for the first way of an attack; `alone` and `again` for the attacks on the guard alone and on the whole installation;
// `takeout` and `recognised` for what changes the guard or compares it with the shipped one; the policies whose permissions a test is about,
// and `slow`.
package guard_test

import (
	"context"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

func TestGuard(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Guard")
}

// Who acts, beside the people of the cluster.
const (
	operator            = "the operator"
	namespaceController = "the namespace controller"
	collector           = "the garbage collector"
	archiver            = "an archiver"
	projectOwner        = "an owner of the project"
	// erin may approve as a member of the group approvers.
	erin = "erin"
	// erinExpelled is erin after she has left that group.
	erinExpelled = "erin, expelled"
	// erinInMore is erin after she has joined another group.
	erinInMore = "erin, in one group more"
	// erinAgain is somebody else of that name.
	erinAgain = "erin, somebody new"
	// manyGroups is in more groups than an approval holds, and may promote, approve and override.
	manyGroups = "grace"
	// ivan has a UID, as people have whom another cluster vouches for; he may promote, approve and override.
	ivan    = "ivan"
	ivanUID = "0815"
	// controllerManager runs Kubernetes' controllers where they have no accounts of their own.
	controllerManager = "the controller manager"
	// archiverOfOne may archive one record.
	archiverOfOne = "an archiver of one record"
	// frank may override and acknowledge, as dave may.
	frank = "frank"
	// kubeconfigReader may read the kubeconfig of another cluster, and impersonate nobody in this one.
	kubeconfigReader = "a reader of the kubeconfig"
)

const controllerManagerUsername = "system:kube-controller-manager"

// kubeconfig is the name of the Secret that dave and kubeconfigReader may read.
const kubeconfig = "elsewhere"

const (
	production = "production"
	staging    = "staging"
)

// world is a project with people in it, and a target that dave may set up.
type world struct {
	cluster *cluster.Cluster
	project *cluster.Project
	target  v1alpha1.Target
	// elsewhere is a target that only the administrator may set up.
	elsewhere v1alpha1.Target
	// locked is a target that the project has locked, and rival another project.
	locked   v1alpha1.Target
	rival    *cluster.Project
	clients  map[string]client.Client
	sequence int64
	// first is set by the run that has made all that.
	first bool
}

func (w *world) as(name string) client.Client {
	GinkgoHelper()
	Expect(w.clients).To(HaveKey(name))
	return w.clients[name]
}

// scene is set once, before any test.
var scene *world

var _ = BeforeSuite(func(ctx context.Context) {
	connected, err := cluster.Connect()
	Expect(err).NotTo(HaveOccurred())
	scene = &world{cluster: connected, clients: map[string]client.Client{}}
	if scene.kept() {
		scene.resume(ctx)
		return
	}
	Expect(connected.Install(ctx)).To(Succeed())
	scene.enter(ctx)
	scene.project, err = connected.Project(ctx)
	Expect(err).NotTo(HaveOccurred())
	scene.target, err = connected.Target(ctx, cluster.Dave)
	Expect(err).NotTo(HaveOccurred())
	scene.elsewhere, err = connected.Target(ctx)
	Expect(err).NotTo(HaveOccurred())
	scene.empower(ctx)
	scene.lockUp(ctx)
	scene.keep()
})

// enter connects everybody.
func (w *world) enter(ctx context.Context) {
	for _, user := range []string{cluster.Admin, cluster.Alice, cluster.Carol, cluster.Bob, cluster.Dave, cluster.Mallory} {
		w.connect(user)(w.cluster.Config(user))
	}
	w.connect(operator)(w.cluster.ControllerConfig(ctx))
	for name, identity := range map[string]rest.ImpersonationConfig{
		namespaceController: {UserName: "system:serviceaccount:kube-system:namespace-controller"},
		collector:           {UserName: "system:serviceaccount:kube-system:generic-garbage-collector"},
		archiver:            {UserName: archiver},
		projectOwner:        {UserName: projectOwner},
		kubeconfigReader:    {UserName: kubeconfigReader},
		frank:               {UserName: frank, Groups: []string{"incident-leads"}},
		erin:                {UserName: erin, Groups: []string{"approvers"}},
		erinExpelled:        {UserName: erin},
		erinInMore:          {UserName: erin, Groups: []string{"approvers", "incident-leads"}},
		erinAgain:           {UserName: erin, UID: "4711", Groups: []string{"approvers"}},
		manyGroups:          {UserName: manyGroups, Groups: manyGroupsNames()},
		ivan:                {UserName: ivan, UID: ivanUID, Groups: []string{"everybody"}},
		controllerManager:   {UserName: controllerManagerUsername},
		archiverOfOne:       {UserName: archiverOfOne},
	} {
		w.connect(name)(w.cluster.ConfigAs(identity))
	}
}

func (w *world) connect(name string) func(*rest.Config, error) {
	return func(config *rest.Config, err error) {
		GinkgoHelper()
		Expect(err).NotTo(HaveOccurred())
		w.clients[name], err = w.cluster.ClientFor(config)
		Expect(err).NotTo(HaveOccurred())
	}
}

// empower gives the attackers every right that RBAC knows and the guard does not ask for, so that the guard alone stops them.
func (w *world) empower(ctx context.Context) {
	GinkgoHelper()
	everything := rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupName},
		Resources: []string{
			"releases", "environments", "promotions", "auditrecords", "releases/status", "environments/status", "promotions/status",
		},
		Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"},
	}
	namespaces := rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"namespaces", "namespaces/status", "namespaces/finalize"}, Verbs: []string{"get", "update", "patch"},
	}
	for _, user := range []string{cluster.Mallory, cluster.Bob, cluster.Alice, cluster.Carol, erin, frank, projectOwner, kubeconfigReader} {
		Expect(w.project.Allow(ctx, user, everything, namespaces)).To(Succeed())
	}
	for _, user := range []string{cluster.Dave, kubeconfigReader} {
		Expect(w.project.Allow(ctx, user, rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{kubeconfig}, Verbs: []string{"get"},
		})).To(Succeed())
	}
	// Its own role lets the operator write no spec; that the guard does not either is shown by giving it the right.
	Expect(w.project.Allow(ctx, v1alpha1.ControllerUsername, everything)).To(Succeed())
	Expect(w.project.Allow(ctx, cluster.Dave, everything, namespaces,
		verb(v1alpha1.VerbPromote, production), verb(v1alpha1.VerbApprove, staging), verb(v1alpha1.VerbResume, production))).To(Succeed())
	for _, user := range []string{manyGroups, ivan, controllerManagerUsername, "system:serviceaccount:kube-system:namespace-controller",
		"system:serviceaccount:kube-system:generic-garbage-collector"} {
		Expect(w.project.Allow(ctx, user, everything)).To(Succeed())
	}
	Expect(w.project.Bind(ctx, "assent-promoter", manyGroups, ivan)).To(Succeed())
	Expect(w.project.Bind(ctx, "assent-approver", manyGroups, ivan)).To(Succeed())
	Expect(w.project.Bind(ctx, "assent-override", manyGroups, ivan)).To(Succeed())
	w.empowerByName(ctx)
	Expect(w.project.Bind(ctx, "assent-override", cluster.Dave, frank)).To(Succeed())
	Expect(w.project.Bind(ctx, "assent-admin", projectOwner)).To(Succeed())
	Expect(w.project.Bind(ctx, "assent-archiver", archiver)).To(Succeed())
	Expect(w.project.BindGroup(ctx, "assent-approver", "approvers")).To(Succeed())
}

// empowerByName gives rights that name one object alone, beside those of dave.
func (w *world) empowerByName(ctx context.Context) {
	GinkgoHelper()
	Expect(w.project.Allow(ctx, cluster.Dave, rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"releases"}, ResourceNames: []string{known}, Verbs: []string{v1alpha1.VerbUnblock},
	})).To(Succeed())
	Expect(w.project.Allow(ctx, frank, rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{v1alpha1.CheckerServiceAccount}, Verbs: []string{"impersonate"},
	})).To(Succeed())
	Expect(w.project.Allow(ctx, archiverOfOne, rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"auditrecords"}, ResourceNames: []string{oneRecord + "-0000000001"},
		Verbs: []string{"get", "delete", "archive"},
	})).To(Succeed())
}

// verb is a right to one Environment.
func verb(verb, environment string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"environments"},
		ResourceNames: []string{environment}, Verbs: []string{verb},
	}
}
