// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
	"github.com/assent-dev/assent/test/oracle"
)

// lair is a project in which mallory may write everything that people write. Its target has a deployer that is his to act as, and nobody has to approve
// what he rolls out there: nothing stands in his way but what must.
func lair(ctx context.Context, rules ...rule) *place {
	GinkgoHelper()
	made := hideout(ctx)
	made.allowUser(ctx, cluster.Mallory, rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{cluster.Deployer}, Verbs: []string{"impersonate"},
	})
	made.occupy(ctx, append(rules, unattended)...)
	return made
}

// hideout is a project in which mallory may write everything that people write, and may act as nobody.
func hideout(ctx context.Context) *place {
	GinkgoHelper()
	made := newProject(ctx)
	Expect(made.project.Allow(ctx, cluster.Mallory,
		rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"releases", "promotions"}, Verbs: []string{rbacv1.VerbAll}},
		rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"environments"}, Verbs: []string{
			"get", "list", "watch", "create", "update", "patch", "delete", "promote", "rollback",
		}},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps", "secrets"}, Verbs: []string{"create", "update", "patch", "delete"}},
	)).To(Succeed())
	return made
}

// occupy sets production up as mallory.
func (p *place) occupy(ctx context.Context, rules ...rule) {
	GinkgoHelper()
	environment := cluster.NewEnvironment(p.project.Name, production, p.target)
	for _, change := range rules {
		change(&environment.Spec)
	}
	By("waiting until mallory may set up an environment of his own")
	Eventually(func() error { return scene.as(cluster.Mallory).Create(ctx, environment) }).WithContext(ctx).Should(Succeed())
}

// allowUser something in the target.
func (p *place) allowUser(ctx context.Context, user string, what rbacv1.PolicyRule) {
	GinkgoHelper()
	p.allow(ctx, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}, what)
}

// smuggle has mallory ask for a release of these objects.
func (p *place) smuggle(ctx context.Context, name string, objects ...string) *v1alpha1.Promotion {
	GinkgoHelper()
	release := cluster.NewRelease(p.project.Name, "shop-"+name, name, manifests(objects...))
	Expect(scene.as(cluster.Mallory).Create(ctx, release)).To(Succeed())
	return p.insist(ctx, name)
}

// insist has mallory ask for a release of the promotion's name.
func (p *place) insist(ctx context.Context, name string) *v1alpha1.Promotion {
	GinkgoHelper()
	asked := cluster.NewPromotion(p.project.Name, name, "shop-"+name, production)
	Expect(scene.as(cluster.Mallory).Create(ctx, asked)).To(Succeed())
	return asked
}

// refused waits until a promotion has ended as one that cannot be carried out, or waits for a right that the deployer lacks, and says so.
func refused(ctx context.Context, asked *v1alpha1.Promotion, parts ...string) {
	GinkgoHelper()
	eventually(ctx, asked, "is refused", func(g Gomega) {
		text := message(asked)
		if closed := blocker(asked, v1alpha1.GateTarget); closed != nil {
			text = closed.Message
		} else {
			g.Expect(condition(asked.Status.Conditions, v1alpha1.ConditionSucceeded).Reason).To(Equal(v1alpha1.ReasonInvalid))
		}
		for _, part := range parts {
			g.Expect(text).To(ContainSubstring(part))
		}
	})
	Expect(asked.Status.StartTime.IsZero()).To(BeTrue())
	Expect(client.IgnoreNotFound(scene.as(cluster.Mallory).Delete(ctx, asked))).To(Succeed())
}

// escape is a release that would do more than the deployer may, or than its Environment may have done.
type escape struct {
	name    string
	objects []string
	says    []string
}

func rbac(kind, name, rest string) string {
	return fmt.Sprintf("apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata: {name: %s}\n%s", kind, name, rest)
}

func object(version, kind, metadata string, rest ...string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {%s}\n%s", version, kind, metadata, strings.Join(rest, "\n"))
}

// everywhere are kinds of the cluster that mallory's Environment allows, and that its deployer may not write.
var everywhere = []v1alpha1.GroupKind{
	{Kind: "Namespace"}, {Kind: "Node"}, {Group: rbacv1.GroupName, Kind: "ClusterRole"}, {Group: rbacv1.GroupName, Kind: "ClusterRoleBinding"},
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}, {Group: "apiregistration.k8s.io", Kind: "APIService"},
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicyBinding"}, {Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy"},
	{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}, {Group: "authentication.k8s.io", Kind: "TokenReview"},
	{Group: "certificates.k8s.io", Kind: "CertificateSigningRequest"},
}

const (
	mallory     = "{kind: User, apiGroup: rbac.authorization.k8s.io, name: mallory}"
	subjects    = "subjects: [" + mallory + "]"
	toAdmin     = "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n" + subjects
	deployerMay = "system:serviceaccount:"
)

var escapes = []escape{
	{"goes to another namespace", []string{"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stray, namespace: kube-system}"},
		[]string{`ConfigMap "stray" sets ` + "`metadata.namespace`" + ` to "kube-system": remove the field, or set it to the Environment's ` + "`spec.target.namespace`"}},
	{"hides an object of another namespace in a list", []string{"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: stray, namespace: assent-system}}"},
		[]string{`ConfigMap "stray" sets ` + "`metadata.namespace`" + ` to "assent-system"`}},
	{"is of a kind of the cluster that the Environment does not allow", []string{object("v1", "PersistentVolume", "name: disk", "spec: {hostPath: {path: /}}")},
		[]string{`PersistentVolume "disk" is cluster-scoped: remove it from the Release, or add its kind to ` + "`spec.rollout.clusterScopedKinds`"}},
	{"makes mallory an administrator of the cluster", []string{rbac("ClusterRoleBinding", "mine", toAdmin)},
		[]string{deployerMay, "may not", `"mine"`}},
	{"makes mallory an administrator of the namespace", []string{rbac("RoleBinding", "mine", toAdmin)},
		[]string{`RoleBinding.rbac.authorization.k8s.io "mine" grants more than the deployer`}},
	{"lets mallory approve", []string{rbac("RoleBinding", "mine", strings.Replace(toAdmin, "cluster-admin", "assent-approver", 1))},
		[]string{`RoleBinding.rbac.authorization.k8s.io "mine" grants more than the deployer`}},
	{"grants what the deployer may not", []string{rbac("Role", "more", `rules: [{apiGroups: [""], resources: [pods/exec], verbs: [create]}]`)},
		[]string{`Role.rbac.authorization.k8s.io "more" grants more than the deployer`}},
	{"grants the right to grant", []string{rbac("Role", "more", "rules: [{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [escalate, bind]}]")},
		[]string{`Role.rbac.authorization.k8s.io "more" grants more than the deployer`}},
	{"lets mallory act as other accounts", []string{rbac("Role", "more", `rules: [{apiGroups: [""], resources: [serviceaccounts], verbs: [impersonate]}]`)},
		[]string{`Role.rbac.authorization.k8s.io "more" grants more than the deployer`}},
	{"asks for a token", []string{object("authentication.k8s.io/v1", "TokenRequest", "name: assent-deployer", "spec: {audiences: []}")},
		[]string{`"TokenRequest"`, "is not known to this cluster"}},
	{"asks whose a token is", []string{object("authentication.k8s.io/v1", "TokenReview", "name: whose", "spec: {token: x}")}, []string{`"whose"`}},
	{"asks for a certificate", []string{object("certificates.k8s.io/v1", "CertificateSigningRequest", "name: mine", "spec: {request: eA==, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}")},
		[]string{deployerMay, "may not", `"mine"`}},
	{"scales what it does not hold", []string{object("autoscaling/v1", "Scale", "name: web", "spec: {replicas: 9}")}, []string{`"Scale"`, "is not known to this cluster"}},
	{"evicts", []string{object("policy/v1", "Eviction", "name: web")}, []string{`"Eviction"`, "is not known to this cluster"}},
	{"binds a pod to a node", []string{object("v1", "Binding", "name: web", "target: {kind: Node, name: node-0}")}, []string{`"web"`}},
	{"changes the namespace kube-system", []string{object("v1", "Namespace", "name: kube-system, labels: {mine: mine}")}, []string{deployerMay, "may not", `"kube-system"`}},
	{"labels a node", []string{object("v1", "Node", "name: node-0, labels: {mine: mine}")}, []string{deployerMay, "may not", `"node-0"`}},

	{"is an Environment", []string{object("assent.dev/v1alpha1", "Environment", "name: mine", "spec: {}")},
		[]string{`"mine" is an object of Assent itself: remove it from the Release; Assent's own objects are not promoted`}},
	{"is an approved Promotion", []string{object("assent.dev/v1alpha1", "Promotion", "name: mine", "spec: {approvals: [{user: alice, decision: Approved}]}")},
		[]string{`"mine" is an object of Assent itself`}},
	{"is an audit record", []string{object("assent.dev/v1alpha1", "AuditRecord", "name: production-0000000009", "spec: {}")}, []string{"is an object of Assent itself"}},
	{"takes a part of the guard's place", []string{object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "name: assent-promotions",
		"spec: {policyName: assent-promotions, validationActions: [Audit]}")},
		[]string{`"assent-promotions" has a name of Assent's guard: rename it so that it does not begin with "assent-"`}},
	{"defines Assent's kinds anew", []string{object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "name: promotions.assent.dev", "spec: {group: assent.dev}")},
		[]string{`"promotions.assent.dev" defines the API group "assent.dev": remove it from the Release`}},
	{"serves Assent's kinds from elsewhere", []string{object("apiregistration.k8s.io/v1", "APIService", "name: v1alpha1.assent.dev", "spec: {group: assent.dev, version: v1alpha1}")},
		[]string{`defines the API group "assent.dev"`}},
	{"changes everybody's approvals on their way", []string{object("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "name: mine", "webhooks: []")},
		[]string{deployerMay, "may not", `"mine"`}},

	{"says that it is another project's", []string{object("v1", "ConfigMap", "name: a, labels: {assent.dev/project: shop}")},
		[]string{`ConfigMap "a" sets the label "assent.dev/project": remove it; labels of "assent.dev" are written by the rollout`}},
	{"says that it is another Environment's", []string{object("v1", "ConfigMap", "name: a, labels: {assent.dev/environment: staging}")}, []string{`sets the label "assent.dev/environment"`}},
	{"says that it is locked", []string{object("v1", "ConfigMap", "name: a, labels: {assent.dev/lock: production}")}, []string{`sets the label "assent.dev/lock"`}},
	{"says so of its pods", []string{strings.Replace(deployment("web", "x"), "labels: {app: web}", "labels: {app: web, assent.dev/lock: staging}", 1)},
		[]string{`sets the label "assent.dev/lock" in ` + "`spec.template.metadata`"}},
	{"puts another project on hold", []string{object("v1", "Namespace", "name: shop, annotations: {assent.dev/hold: mine}")},
		[]string{`sets the annotation "assent.dev/hold": remove it; a Release may set ` + "`assent.dev/wave`, `assent.dev/immutable` and `assent.dev/rerun`"}},
	{"opens a Secret to another server", []string{object("v1", "Secret", "name: a, annotations: {assent.dev/source-hosts: evil.example}")}, []string{`sets the annotation "assent.dev/source-hosts"`}},
	{"has no name that could be looked at", []string{object("v1", "ConfigMap", "generateName: a-")}, []string{"`metadata.generateName` would make a new object with each rollout: set `metadata.name` instead"}},

	{"takes over what another Environment has applied", []string{configMap("theirs", "mine")}, []string{`ConfigMap "theirs" belongs to Environment "production" of project "project-`}},
	{"deletes and creates again what is not the Environment's", []string{object("v1", "ConfigMap", "name: treasure, annotations: {assent.dev/immutable: Recreate}", "immutable: true", "data: {value: mine}")},
		[]string{`ConfigMap "treasure" differs in what cannot be changed`, "it was not applied by this Environment, which therefore does not delete it"}},
}

// overlaid are escapes that mallory writes into the Environment's overlay instead.
var overlaid = []escape{
	{"moves an object to another namespace", []string{patched("replace", "/metadata/namespace", "kube-system")}, []string{"`spec.overlay.patches[0]` changes the object's kind, name or namespace: a patch must leave them"}},
	{"makes an object one of the cluster", []string{patched("replace", "/kind", "PersistentVolume")}, []string{"`spec.overlay.patches[0]` changes the object's kind, name or namespace: a patch must leave them"}},
	{"makes an object one of Assent's", []string{`{"patches": [{"target": {"kind": "ConfigMap"},
		"patch": "[{\"op\": \"replace\", \"path\": \"/apiVersion\", \"value\": \"assent.dev/v1alpha1\"}, {\"op\": \"replace\", \"path\": \"/kind\", \"value\": \"Promotion\"}]"}]}`},
		[]string{"`spec.overlay.patches[0]` changes the object's kind, name or namespace: a patch must leave them"}},
	{"says that an object is another project's", []string{patched("add", "/metadata/labels", `{assent.dev/project: shop}`)}, []string{`sets the label "assent.dev/project"`}},
	{"says so by labels for all objects", []string{`{"labels": {"assent.dev/environment": "staging"}}`}, []string{"assent.dev/environment"}},
}

func patched(op, path, value string) string {
	return fmt.Sprintf(`{"patches": [{"target": {"kind": "ConfigMap"}, "patch": "[{op: %s, path: %s, value: %s}]"}]}`, op, path, value)
}

var _ = Describe("mallory, who may write everything in one project and promote without anybody's approval,", Ordered, ContinueOnFailure, func() {
	var p *place
	var before map[string]bool
	var log *cluster.RequestLog

	BeforeAll(func(ctx context.Context) {
		p = lair(ctx, func(spec *v1alpha1.EnvironmentSpec) { spec.Rollout.ClusterScopedKinds = everywhere })
		deployer := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: cluster.Deployer, Namespace: p.target.Namespace}
		p.allow(ctx, deployer, rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"}})
		Expect(scene.as(cluster.Admin).Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "treasure", Namespace: p.target.Namespace}, Immutable: ptr.To(true), Data: map[string]string{"value": "theirs"},
		})).To(Succeed())
		neighbour := newProject(ctx)
		neighbour.target = p.target
		neighbour.establish(ctx, production)
		neighbour.promoted(ctx, "one", configMap("theirs", "theirs"))
		p.except(oracle.RuleIdentity, neighbour.project.Name+"/one/", "a neighbour rolls out to the same namespace, in the name of a promotion of its own")
		p.expectRest(ctx)
		before, log = scene.everything(ctx), scene.requests()
	})

	for i, attempt := range escapes {
		It("is refused a release that "+attempt.name, func(ctx context.Context) {
			refused(ctx, p.smuggle(ctx, fmt.Sprintf("escape-%02d", i), attempt.objects...), attempt.says...)
		})
	}

	for i, attempt := range overlaid {
		It("is refused an overlay that "+attempt.name, func(ctx context.Context) {
			p.tamper(ctx, fmt.Sprintf(`{"spec": {"overlay": %s}}`, attempt.objects[0]))
			refused(ctx, p.smuggle(ctx, fmt.Sprintf("overlay-%02d", i), configMap("a", "1")), attempt.says...)
			p.tamper(ctx, `{"spec": {"overlay": null}}`)
		})
	}

	It("has had nothing written by all that, by the operator or a deployer, and nothing is there that was not", func(ctx context.Context) {
		p.expectNothingDone(ctx, before, log)
		Expect(p.value(ctx, "theirs")).To(Equal("theirs"))
		Expect(p.value(ctx, "treasure")).To(Equal("theirs"))
	})
})

// expectNothingDone finds that since then nothing was written outside of mallory's project by the operator, in whosever name, and that no object is new.
func (p *place) expectNothingDone(ctx context.Context, before map[string]bool, log *cluster.RequestLog) {
	GinkgoHelper()
	written, err := log.Answered(func(r cluster.Request) bool {
		// The status of what other tests have left behind is written meanwhile.
		own := r.ObjectRef.APIGroup == v1alpha1.GroupName && (r.ObjectRef.Namespace == p.project.Name || r.ObjectRef.Subresource == "status")
		return r.ByOperator() && r.Changes() && !own && r.ObjectRef.Resource != "events" && r.ObjectRef.Resource != "leases"
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(written).To(BeEmpty())
	for found := range scene.everything(ctx) {
		Expect(before).To(HaveKey(found))
	}
}

// everything in the cluster, by kind, namespace and name: but what comes and goes by itself, and what a project holds.
func (w *world) everything(ctx context.Context) map[string]bool {
	GinkgoHelper()
	config, err := w.cluster.Config(cluster.Admin)
	Expect(err).NotTo(HaveOccurred())
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	known, err := discoverer.ServerPreferredResources()
	Expect(err).NotTo(HaveOccurred())
	found := map[string]bool{}
	for _, group := range known {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "create"}}, []*metav1.APIResourceList{group}) {
			for _, kind := range resource.APIResources {
				w.list(ctx, version.WithKind(kind.Kind), found)
			}
		}
	}
	return found
}

func (w *world) list(ctx context.Context, kind schema.GroupVersionKind, into map[string]bool) {
	GinkgoHelper()
	if kind.Kind == "Event" || kind.Kind == "Lease" || kind.Group == v1alpha1.GroupName {
		return
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind)
	Expect(w.as(cluster.Admin).List(ctx, list)).To(Succeed(), kind.String())
	for i := range list.Items {
		into[fmt.Sprintf("%s %s/%s", kind.GroupKind(), list.Items[i].Namespace, list.Items[i].Name)] = true
	}
}
