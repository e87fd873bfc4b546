// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// Who acts on what is locked.
const (
	rollout            = "a rollout of the project"
	rolloutOfAnother   = "a rollout of another project"
	asDeployer         = "mallory, who impersonates the deployer"
	localAccount       = "a service account of the locked namespace"
	accountElsewhere   = "a service account of another namespace"
	namedLikeOne       = "an account that is called like a controller"
	namedLikeANode     = "a user who is called like a node"
	deploymentMaker    = "the deployment controller"
	replicaSetMaker    = "the replica set controller"
	autoscaler         = "the autoscaler"
	kubelet            = "a kubelet"
	overridesElsewhere = "a holder of override in another project"
	// overridesHere may override in production alone.
	overridesHere = "a holder of override in one Environment"
	// inKubeSystem is an account there that is none of a controller.
	inKubeSystem = "an account of something else in kube-system"
	// amongNodes is in the group of the nodes, and is none.
	amongNodes = "a user in the group of the nodes"
	// rolloutOfTwo claims two promotions.
	rolloutOfTwo = "a rollout for two promotions"
)

// lockUp makes a target that the project has locked, and lets everybody do everything there that the guard does not forbid.
func (w *world) lockUp(ctx context.Context) {
	GinkgoHelper()
	var err error
	w.locked, err = w.cluster.Target(ctx)
	Expect(err).NotTo(HaveOccurred())
	w.rival, err = w.cluster.Project(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(w.rival.Bind(ctx, "assent-override", overridesElsewhere)).To(Succeed())
	Expect(w.project.Allow(ctx, cluster.Carol, verb(v1alpha1.VerbOverride, staging))).To(Succeed())
	w.enterLocked(ctx)
	everybody := []string{cluster.Mallory, cluster.Dave, cluster.Carol, cluster.Bob, localUsername(w), elsewhereUsername, namedLikeOneUsername,
		namedLikeANodeUsername, overridesElsewhere, overridesHere, inKubeSystemUsername, amongNodes, "system:node:somewhere"}
	everybody = append(everybody, ofKubernetes...)
	Expect(w.project.Allow(ctx, overridesHere, verb(v1alpha1.VerbOverride, production))).To(Succeed())
	w.bindIn(ctx, w.elsewhere.Namespace, "cluster-admin", cluster.Mallory)
	w.allowEverywhere(ctx, everybody, []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"namespaces", "namespaces/status", "namespaces/finalize"}, Verbs: []string{"get", "update", "patch", "delete"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"get", "create", "update", "patch", "delete"}},
	})
	deployer := "system:serviceaccount:" + w.locked.Namespace + ":" + w.locked.ServiceAccountName
	// Its own rights to pods, roles and policies are not what is tried here.
	for _, user := range append(everybody, deployer, "system:serviceaccount:kube-system:generic-garbage-collector") {
		w.bindIn(ctx, w.locked.Namespace, "cluster-admin", user)
	}
	w.allowEverywhere(ctx, []string{deployer}, []rbacv1.PolicyRule{
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"get", "create", "update", "patch", "delete"}},
	})
	w.define(ctx)
	w.label(ctx, w.locked.Namespace, w.project.Name)
	last := locks[len(locks)-1]
	Eventually(func() error { return last.try(ctx, w, last.ways[0]) }).WithTimeout(patience).WithPolling(interval).Should(deniedBy(last.rule))
}

func localUsername(w *world) string {
	return "system:serviceaccount:" + w.locked.Namespace + ":default"
}

const (
	elsewhereUsername      = "system:serviceaccount:elsewhere:controller"
	namedLikeOneUsername   = "system:serviceaccount:elsewhere:deployment-controller"
	namedLikeANodeUsername = "system:node:nowhere"
	inKubeSystemUsername   = "system:serviceaccount:kube-system:something"
)

// ofKubernetes are the accounts that Kubernetes' own components work with, wherever they run.
var ofKubernetes = append([]string{
	"system:apiserver", controllerManagerUsername, "system:kube-scheduler", "system:cloud-controller-manager",
}, accountsOfKubernetes("generic-garbage-collector", "horizontal-pod-autoscaler", "pod-garbage-collector", "persistent-volume-binder",
	"root-ca-cert-publisher", "legacy-service-account-token-cleaner", "cloud-controller-manager", "kube-controller-manager", "deployment-controller")...)

func accountsOfKubernetes(names ...string) []string {
	accounts := make([]string, 0, len(names))
	for _, name := range names {
		accounts = append(accounts, "system:serviceaccount:kube-system:"+name)
	}
	return accounts
}

// enterLocked connects those who act on what is locked.
func (w *world) enterLocked(ctx context.Context) {
	GinkgoHelper()
	deployer := rest.ImpersonationConfig{UserName: "system:serviceaccount:" + w.locked.Namespace + ":" + w.locked.ServiceAccountName}
	for name, project := range map[string]string{rollout: w.project.Name, rolloutOfAnother: w.rival.Name} {
		config, err := w.cluster.ControllerConfig(ctx)
		Expect(err).NotTo(HaveOccurred())
		config.Impersonate = deployer
		config.Impersonate.Extra = map[string][]string{v1alpha1.ExtraPromotion: {project + "/to-production/4711"}}
		w.connect(name)(config, nil)
	}
	config, err := w.cluster.ControllerConfig(ctx)
	Expect(err).NotTo(HaveOccurred())
	config.Impersonate = deployer
	config.Impersonate.Extra = map[string][]string{v1alpha1.ExtraPromotion: {w.project.Name + "/to-production/4711", w.rival.Name + "/to-production/4711"}}
	w.connect(rolloutOfTwo)(config, nil)
	config, err = w.cluster.Config(cluster.Mallory)
	Expect(err).NotTo(HaveOccurred())
	config.Impersonate = deployer
	w.connect(asDeployer)(config, nil)
	for name, identity := range map[string]rest.ImpersonationConfig{
		localAccount:       {UserName: localUsername(w)},
		accountElsewhere:   {UserName: elsewhereUsername},
		namedLikeOne:       {UserName: namedLikeOneUsername},
		namedLikeANode:     {UserName: namedLikeANodeUsername, Groups: []string{"developers"}},
		deploymentMaker:    {UserName: "system:serviceaccount:kube-system:deployment-controller"},
		replicaSetMaker:    {UserName: "system:serviceaccount:kube-system:replicaset-controller"},
		autoscaler:         {UserName: "system:serviceaccount:kube-system:horizontal-pod-autoscaler"},
		kubelet:            {UserName: "system:node:somewhere", Groups: []string{"system:nodes"}},
		overridesElsewhere: {UserName: overridesElsewhere},
		overridesHere:      {UserName: overridesHere},
		inKubeSystem:       {UserName: inKubeSystemUsername},
		amongNodes:         {UserName: amongNodes, Groups: []string{"system:nodes"}},
	} {
		w.connect(name)(w.cluster.ConfigAs(identity))
	}
	for _, username := range ofKubernetes {
		w.connect(username)(w.cluster.ConfigAs(rest.ImpersonationConfig{UserName: username}))
	}
}

func (w *world) allowEverywhere(ctx context.Context, users []string, rules []rbacv1.PolicyRule) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "attackers-"}, Rules: rules}
	Expect(w.as(cluster.Admin).Create(ctx, role)).To(Succeed())
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
	}
	for _, user := range users {
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user})
	}
	Expect(w.as(cluster.Admin).Create(ctx, binding)).To(Succeed())
}

func (w *world) bindIn(ctx context.Context, namespace, role, user string) {
	GinkgoHelper()
	Expect(w.as(cluster.Admin).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "attacker-", Namespace: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})).To(Succeed())
}

// label locks a namespace.
func (w *world) label(ctx context.Context, namespace, project string) {
	GinkgoHelper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{v1alpha1.LabelLock: project}}})
	Expect(err).NotTo(HaveOccurred())
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	Expect(w.as(cluster.Admin).Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}

// define makes a kind of others, which has a controller of others.
func (w *world) define(ctx context.Context) {
	GinkgoHelper()
	anything := &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
		Type: "object", XPreserveUnknownFields: ptr.To(true),
	}}
	// The second is called like a kind of Kubernetes' own.
	for plural, kind := range map[string]string{"widgets": "Widget", "pods": "Pod"} {
		definition := &apiextensionsv1.CustomResourceDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: plural + ".example.com"},
			Spec: apiextensionsv1.CustomResourceDefinitionSpec{
				Group: "example.com", Scope: apiextensionsv1.NamespaceScoped,
				Names:    apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Kind: kind},
				Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true, Schema: anything}},
			},
		}
		Expect(client.IgnoreAlreadyExists(w.as(cluster.Admin).Create(ctx, definition))).To(Succeed())
		Eventually(func() error { return w.as(rollout).Create(ctx, w.newOfOthers(kind)) }).WithTimeout(patience).WithPolling(interval).Should(Succeed())
	}
}

// lockedMeta is what a rollout to production gives an object.
func (w *world) lockedMeta(prefix string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: unique(prefix), Namespace: w.locked.Namespace, Labels: map[string]string{
		v1alpha1.LabelLock: production, v1alpha1.LabelEnvironment: production, v1alpha1.LabelProject: w.project.Name,
	}}
}

// podMeta is what a pod template has: the lock alone.
func podMeta(app string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Labels: map[string]string{"app": app, v1alpha1.LabelLock: production}}
}

func (w *world) made(ctx context.Context, by string, object client.Object) client.Object {
	GinkgoHelper()
	Expect(w.as(by).Create(ctx, object)).To(Succeed())
	return object
}

func (w *world) newWidget() *unstructured.Unstructured {
	return w.newOfOthers("Widget")
}

func (w *world) newOfOthers(kind string) *unstructured.Unstructured {
	widget := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"size": "small"}, "rules": "none"}}
	widget.SetAPIVersion("example.com/v1")
	widget.SetKind(kind)
	meta := w.lockedMeta("widget")
	widget.SetName(meta.Name)
	widget.SetNamespace(meta.Namespace)
	widget.SetLabels(meta.Labels)
	return widget
}

func podSpec(image string) corev1.PodSpec {
	return corev1.PodSpec{
		// Nobody places it, so that nobody but the test changes it.
		SchedulerName: "nobody", TerminationGracePeriodSeconds: ptr.To[int64](0),
		Containers: []corev1.Container{{Name: "web", Image: image, Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")},
		}}},
	}
}

func (w *world) newDeployment(replicas int32) *appsv1.Deployment {
	deployment := &appsv1.Deployment{ObjectMeta: w.lockedMeta("web")}
	deployment.Spec = appsv1.DeploymentSpec{
		Replicas: ptr.To(replicas), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": deployment.Name}},
		Template: corev1.PodTemplateSpec{ObjectMeta: podMeta(deployment.Name), Spec: podSpec("web:1")},
	}
	return deployment
}

func newPolicy(_ context.Context, w *world) client.Object {
	return &networkingv1.NetworkPolicy{ObjectMeta: w.lockedMeta("policy"), Spec: networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
	}}
}

// lockedPolicy is an object with a spec that no controller writes to.
func lockedPolicy(ctx context.Context, w *world) client.Object {
	return w.made(ctx, rollout, newPolicy(ctx, w))
}

// controlledPolicy is one that a controller has made, as a controller makes pods and replica sets.
func controlledPolicy(ctx context.Context, w *world) client.Object {
	deployment := lockedDeployment(ctx, w)
	policy := newPolicy(ctx, w)
	policy.SetOwnerReferences(controlledBy("Deployment", deployment))
	return w.made(ctx, rollout, policy)
}

func controlledBy(kind string, owner client.Object) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner.GetName(), UID: owner.GetUID(), Controller: ptr.To(true)}}
}

func unlockedPolicy(ctx context.Context, w *world) client.Object {
	policy := newPolicy(ctx, w)
	policy.SetLabels(nil)
	return w.made(ctx, cluster.Mallory, policy)
}

func lockedDeployment(ctx context.Context, w *world) client.Object {
	return w.made(ctx, rollout, w.newDeployment(0))
}

func lockedWidget(ctx context.Context, w *world) client.Object {
	return w.made(ctx, rollout, w.newWidget())
}

// lockedReplicaSet and lockedPod are made by Kubernetes of a template.
func lockedReplicaSet(ctx context.Context, w *world) client.Object {
	set := &appsv1.ReplicaSet{ObjectMeta: podMeta(unique("set"))}
	set.Name, set.Namespace = set.Labels["app"], w.locked.Namespace
	set.Spec = appsv1.ReplicaSetSpec{
		Replicas: ptr.To[int32](0), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": set.Name}},
		Template: corev1.PodTemplateSpec{ObjectMeta: podMeta(set.Name), Spec: podSpec("web:1")},
	}
	return w.made(ctx, deploymentMaker, set)
}

func lockedPod(ctx context.Context, w *world) client.Object {
	pod := &corev1.Pod{ObjectMeta: podMeta(unique("pod")), Spec: podSpec("web:1")}
	pod.Name, pod.Namespace = pod.Labels["app"], w.locked.Namespace
	return w.made(ctx, replicaSetMaker, pod)
}

// lockedRole is in no namespace.
func lockedRole(ctx context.Context, w *world) client.Object {
	role := &rbacv1.ClusterRole{ObjectMeta: w.lockedMeta("role")}
	role.Namespace = ""
	return w.made(ctx, rollout, role)
}

func newRole(_ context.Context, w *world) client.Object {
	role := &rbacv1.ClusterRole{ObjectMeta: w.lockedMeta("role")}
	role.Namespace = ""
	return role
}

// newAutoscaler is not labelled: whoever makes their own leaves the labels out.
func newAutoscaler(_ context.Context, w *world) client.Object {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: unique("autoscaler"), Namespace: w.locked.Namespace},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, MaxReplicas: 3,
		},
	}
}

func anAutoscaler(ctx context.Context, w *world) client.Object {
	return w.made(ctx, rollout, newAutoscaler(ctx, w))
}

// lockedNamespace is one of its own, since some attacks delete it.
func lockedNamespace(ctx context.Context, w *world) client.Object {
	return w.made(ctx, cluster.Admin, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: unique("locked"), Labels: map[string]string{v1alpha1.LabelLock: w.project.Name},
	}})
}
