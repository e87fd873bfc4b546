// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// running is a deployment that a rollout has applied, with all its pods ready.
func (w *world) running(ctx context.Context, replicas int32) *appsv1.Deployment {
	GinkgoHelper()
	deployment := w.newDeployment(replicas)
	deployment.Spec.Template.Spec.SchedulerName = ""
	Expect(w.as(rollout).Create(ctx, deployment)).To(Succeed())
	w.ready(ctx, deployment, int(replicas))
	return deployment
}

// ready waits until exactly so many pods are there, all of them locked and ready.
func (w *world) ready(ctx context.Context, deployment *appsv1.Deployment, count int) []corev1.Pod {
	GinkgoHelper()
	pods := &corev1.PodList{}
	Eventually(func(g Gomega) {
		g.Expect(w.as(cluster.Admin).List(ctx, pods, client.InNamespace(deployment.Namespace), client.MatchingLabels{"app": deployment.Name})).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(count))
		for _, pod := range pods.Items {
			g.Expect(pod.Labels).To(HaveKeyWithValue(v1alpha1.LabelLock, production))
			g.Expect(pod.DeletionTimestamp).To(BeNil())
			g.Expect(pod.Spec.Containers[0].Image).To(Equal(deployment.Spec.Template.Spec.Containers[0].Image))
			g.Expect(pod.Status.Conditions).To(ContainElement(And(HaveField("Type", corev1.PodReady), HaveField("Status", corev1.ConditionTrue))))
		}
	}).WithTimeout(2 * patience).WithPolling(interval).Should(Succeed())
	return pods.Items
}

// scaleTo writes the deployment's Scale.
func (w *world) scaleTo(ctx context.Context, by string, deployment *appsv1.Deployment, replicas int32) error {
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: deployment.Name, Namespace: deployment.Namespace}}
	scale.Spec.Replicas = replicas
	return w.as(by).SubResource("scale").Update(ctx, deployment.DeepCopy(), client.WithSubResourceBody(scale))
}

var _ = Describe("what is locked", Ordered, ContinueOnFailure, Label("locks", "scaling"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	for _, mayChange := range []string{rollout, cluster.Dave, collector} {
		It("is changed, relabelled and deleted by "+mayChange, func(ctx context.Context) {
			for _, by := range changes {
				for _, change := range []attack{{change: bothWays}, {change: annotation}, {change: unlock}} {
					change.by, change.on = mayChange, lockedPolicy
					Expect(change.try(ctx, scene, by)).To(Succeed(), by.name)
				}
			}
			Expect(scene.as(mayChange).Delete(ctx, lockedPolicy(ctx, scene))).To(Succeed())
			Expect(attack{by: mayChange, on: lockedPod, change: image}.try(ctx, scene, update)).To(Succeed())
			for _, by := range []way{debug, resize, remove} {
				Expect(attack{by: mayChange, on: lockedPod}.try(ctx, scene, by)).To(Succeed(), by.name)
			}
		})
	}

	It("is created by a rollout and by a holder of override, in a namespace or in none", func(ctx context.Context) {
		for _, by := range creations {
			for _, who := range []string{rollout, cluster.Dave} {
				Expect(attack{by: who, on: newPolicy}.try(ctx, scene, by)).To(Succeed())
				Expect(attack{by: who, on: newRole}.try(ctx, scene, by)).To(Succeed())
				Expect(attack{by: who, on: unlockedPolicy, change: lock}.try(ctx, scene, update)).To(Succeed())
				Expect(attack{by: who, on: newAutoscaler}.try(ctx, scene, by)).To(Succeed())
			}
		}
	})

	It("is overridden by who may in that Environment alone", func(ctx context.Context) {
		policy := lockedPolicy(ctx, scene).(*networkingv1.NetworkPolicy)
		const henry = "henry" // nobody else's attacks must gain from it
		Expect(scene.project.Allow(ctx, henry, verb(v1alpha1.VerbOverride, production))).To(Succeed())
		scene.bindIn(ctx, scene.locked.Namespace, "edit", henry)
		as := scene.impersonating(henry)
		policy.Spec.PolicyTypes = append(policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		Eventually(func() error { return as.Update(ctx, policy) }).WithTimeout(patience).Should(Succeed())
	})

	It("is run by Kubernetes: deployed, replaced, drained, autoscaled, updated and collected", func(ctx context.Context) {
		deployment := scene.running(ctx, 2)
		By("replacing a pod that somebody has deleted, and one that is evicted")
		pods := scene.ready(ctx, deployment, 2)
		Expect(scene.as(cluster.Mallory).Delete(ctx, &pods[0])).To(Succeed())
		eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pods[1].Name, Namespace: pods[1].Namespace}}
		Expect(scene.as(cluster.Mallory).SubResource("eviction").Create(ctx, &pods[1], eviction)).To(Succeed())
		for i := range pods {
			Eventually(scene.gone).WithArguments(ctx, &pods[i]).WithTimeout(patience).Should(BeTrue())
		}
		scene.ready(ctx, deployment, 2)
		By("scaling as the autoscaler does")
		Expect(scene.scaleTo(ctx, autoscaler, deployment, 3)).To(Succeed())
		scene.ready(ctx, deployment, 3)
		By("rolling a new version out")
		Expect(scene.as(rollout).Get(ctx, client.ObjectKeyFromObject(deployment), deployment)).To(Succeed())
		before := deployment.DeepCopy()
		deployment.Spec.Template.Spec.Containers[0].Image = "web:2"
		Expect(scene.as(rollout).Patch(ctx, deployment, client.MergeFrom(before))).To(Succeed())
		scene.ready(ctx, deployment, 3)
		By("collecting what a deleted deployment has left")
		Expect(scene.as(rollout).Delete(ctx, deployment, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		Eventually(scene.gone).WithArguments(ctx, deployment).WithTimeout(3 * patience).Should(BeTrue())
		scene.ready(ctx, deployment, 0)
	})

	It("has endpoint slices that carry its lock", func(ctx context.Context) {
		service := &corev1.Service{ObjectMeta: scene.lockedMeta("service"), Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}},
		}}
		Expect(scene.as(rollout).Create(ctx, service)).To(Succeed())
		slices := &discoveryv1.EndpointSliceList{}
		Eventually(func(g Gomega) {
			g.Expect(scene.as(cluster.Admin).List(ctx, slices, client.InNamespace(service.Namespace),
				client.MatchingLabels{discoveryv1.LabelServiceName: service.Name, v1alpha1.LabelLock: production})).To(Succeed())
			g.Expect(slices.Items).NotTo(BeEmpty())
		}).WithTimeout(patience).Should(Succeed())
		Expect(scene.as(cluster.Mallory).Delete(ctx, &slices.Items[0])).To(deniedBy("G15"))
	})

	It("keeps what controllers of others write beside the content", func(ctx context.Context) {
		for _, by := range changes {
			Expect(attack{by: accountElsewhere, on: lockedPolicy, change: finalizer}.try(ctx, scene, by)).To(Succeed(), by.name)
			Expect(attack{by: accountElsewhere, on: lockedWidget, change: annotation}.try(ctx, scene, by)).To(Succeed(), by.name)
		}
		Expect(attack{by: accountElsewhere, on: lockedWidget, change: set("True", "status", "ready")}.try(ctx, scene, update)).To(Succeed())
	})

	It("has a status that everybody writes who may", func(ctx context.Context) {
		for _, by := range statuses[1:3] {
			Expect(attack{by: cluster.Mallory, on: lockedReplicaSet, change: set(int64(7), "status", "observedGeneration")}.try(ctx, scene, by)).
				To(Or(Succeed(), MatchError(errNoEffect)))
		}
		Expect(attack{by: kubelet, on: lockedReplicaSet, change: annotation}.try(ctx, scene, mergePatchStatus)).NotTo(deniedBy("G15"))
	})

	It("hinders nobody who changes something else there, or who uses the label elsewhere", func(ctx context.Context) {
		for _, by := range changes {
			Expect(attack{by: cluster.Mallory, on: unlockedPolicy, change: bothWays}.try(ctx, scene, by)).To(Succeed())
		}
		scene.bindIn(ctx, scene.elsewhere.Namespace, "edit", cluster.Mallory)
		policy := newPolicy(ctx, scene)
		policy.SetNamespace(scene.elsewhere.Namespace)
		Eventually(func() error { return scene.as(cluster.Mallory).Create(ctx, policy) }).WithTimeout(patience).Should(Succeed())
		Expect(scene.as(cluster.Mallory).Delete(ctx, policy)).To(Succeed())
	})

	DescribeTable("tells kubectl's users what to do instead", func(ctx context.Context, args ...string) {
		deployment := lockedDeployment(ctx, scene)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "NAME", deployment.GetName())
		}
		manifest := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":%q},"spec":{"replicas":5}}`, deployment.GetName())
		_, err := scene.cluster.Kubectl(ctx, cluster.Mallory, manifest, append(args, "--namespace", scene.locked.Namespace)...)
		Expect(err).To(MatchError(And(ContainSubstring("promotion"), ContainSubstring("create a Release"), ContainSubstring("assent-override"),
			ContainSubstring(scene.project.Name))))
	},
		Entry("to scale", "scale", "deployment/NAME", "--replicas=3"),
		Entry("to set an image", "set", "image", "deployment/NAME", "web=web:2"),
		Entry("to restart", "rollout", "restart", "deployment/NAME"),
		Entry("to pause", "rollout", "pause", "deployment/NAME"),
		Entry("to apply", "apply", "--filename=-"),
		Entry("to apply server-side", "apply", "--server-side", "--force-conflicts", "--filename=-"),
		Entry("to label", "label", "deployment/NAME", "assent.dev/lock-"),
		Entry("to delete", "delete", "deployment/NAME"),
		Entry("to delete all", "delete", "deployments", "--all"),
	)
})

var _ = Describe("a locked namespace", Ordered, ContinueOnFailure, Label("targets", "locks"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	It("is locked by whoever may update it, and labelled otherwise by everybody who may", func(ctx context.Context) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: unique("unlocked")}}
		Expect(scene.as(cluster.Admin).Create(ctx, namespace)).To(Succeed())
		namespace.Labels[v1alpha1.LabelLock] = scene.project.Name
		Expect(scene.as(cluster.Mallory).Update(ctx, namespace)).To(Succeed())
		for _, by := range changes {
			Expect(attack{by: cluster.Mallory, on: lockedNamespace, change: label}.try(ctx, scene, by)).To(Succeed(), by.name)
		}
	})

	It("is unlocked, given away and deleted by a holder of override", func(ctx context.Context) {
		for _, by := range patches[:2] {
			Expect(attack{by: cluster.Dave, on: lockedNamespace, change: unlock}.try(ctx, scene, by)).To(Succeed(), by.name)
			Expect(attack{by: cluster.Dave, on: lockedNamespace, change: toLock("other")}.try(ctx, scene, by)).To(Succeed(), by.name)
		}
		Expect(scene.as(cluster.Dave).Delete(ctx, lockedNamespace(ctx, scene))).To(Succeed())
	})

	It("is deleted with everything that is locked in it", Label("slow"), func(ctx context.Context) {
		target, err := scene.cluster.Target(ctx)
		Expect(err).NotTo(HaveOccurred())
		scene.label(ctx, target.Namespace, scene.project.Name)
		deployment := scene.newDeployment(1)
		deployment.Namespace = target.Namespace
		Expect(scene.as(cluster.Admin).Create(ctx, deployment)).To(Succeed())
		namespace := scene.deleteNamespace(ctx, target.Namespace)
		Eventually(scene.gone).WithArguments(ctx, namespace).WithTimeout(3 * patience).Should(BeTrue())
	})
})

var _ = Describe("an override of a lock", Ordered, ContinueOnFailure, Label("locks", "scaling", "targets"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	It("is in the audit log of the API server, and nothing else is", func(ctx context.Context) {
		deployment := lockedDeployment(ctx, scene).(*appsv1.Deployment)
		Expect(attack{by: cluster.Dave, change: annotation, on: func(context.Context, *world) client.Object { return deployment }}.
			try(ctx, scene, mergePatch)).To(Succeed())
		Expect(scene.scaleTo(ctx, cluster.Dave, deployment, 1)).To(Succeed())
		Expect(scene.scaleTo(ctx, autoscaler, deployment, 0)).To(Succeed())
		Expect(scene.scaleTo(ctx, cluster.Mallory, deployment, 1)).To(deniedBy("G16"))
		Expect(scene.as(rollout).Delete(ctx, deployment)).To(Succeed())
		namespace := lockedNamespace(ctx, scene)
		Expect(scene.as(cluster.Dave).Delete(ctx, namespace)).To(Succeed())
		Eventually(scene.overrides).WithArguments(deployment.Name).WithTimeout(patience).Should(ConsistOf(
			"dave 200: assent-locks/override="+scene.project.Name+"/production",
			"dave 200: assent-scaling/override="+scene.project.Name+"/*",
			"mallory 403: assent-scaling/override="+scene.project.Name+"/*"))
		Eventually(scene.overrides).WithArguments(namespace.GetName()).WithTimeout(patience).Should(ConsistOf(
			"dave 200: assent-targets/override=" + scene.project.Name + "/*"))
	})
})

// overrides are those that the audit log has, with who tried and the answer's code, on requests for an object of that name.
func (w *world) overrides(name string) ([]string, error) {
	log, err := os.Open(filepath.Join(w.cluster.Dir(), "audit.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	var found []string
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event struct {
			User           struct{ Username string }
			ObjectRef      struct{ Name string }
			ResponseStatus struct{ Code int }
			Annotations    map[string]string
		}
		if !strings.Contains(lines.Text(), name) || json.Unmarshal(lines.Bytes(), &event) != nil || event.ObjectRef.Name != name {
			continue
		}
		for key, value := range event.Annotations {
			if strings.HasSuffix(key, "/override") {
				found = append(found, fmt.Sprintf("%s %d: %s=%s", event.User.Username, event.ResponseStatus.Code, key, value))
			}
		}
	}
	slices.Sort(found)
	return found, lines.Err()
}

var _ = Describe("a target in another cluster", Ordered, ContinueOnFailure, Label("objects"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	It("is set and changed by whoever may read the kubeconfig, and brought back by who may impersonate the deployer here", func(ctx context.Context) {
		environment := remote(ctx, scene).(*v1alpha1.Environment)
		environment.Spec.Target.Namespace = "anywhere"
		Expect(scene.as(kubeconfigReader).Update(ctx, environment)).To(Succeed())
		environment.Spec.Target = scene.target
		Expect(scene.as(cluster.Dave).Update(ctx, environment)).To(Succeed())
	})

	It("is no concern of who changes something else", func(ctx context.Context) {
		environment := remote(ctx, scene).(*v1alpha1.Environment)
		environment.Spec.Stage = "live"
		Expect(scene.as(cluster.Mallory).Update(ctx, environment)).To(Succeed())
	})

	It("may be read by nobody through a role that is shipped", func(ctx context.Context) {
		shipped := &rbacv1.ClusterRoleBindingList{}
		Expect(scene.as(cluster.Admin).List(ctx, shipped)).To(Succeed())
		for _, binding := range shipped.Items {
			Expect(binding.RoleRef.Name).NotTo(BeElementOf("assent-secret-reader", "assent-values-reader"))
		}
	})
})
