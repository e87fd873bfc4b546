// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/health"
)

// workload is a manifest whose pods go to nodes with a label: "" for any node, and for a label that no node has nowhere.
func workload(kind, name, extra, selector string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: %s
metadata: {name: %s}
spec:
  %s
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec: {nodeSelector: {%[4]s}, containers: [{name: main, image: registry/shop}]}`, kind, name, extra, selector)
}

const nowhere = "no.such/node: x"

var healthy = And(HaveField("Failing", BeEmpty()), HaveField("Failed", BeFalse()))

var _ = Describe("Tracker", func() {
	It("sees workloads become ready, and says so once until it is asked", func(ctx context.Context) {
		s := newScene(ctx)
		s.track(
			s.create(ctx, workload("Deployment", "web", "replicas: 2", "")),
			s.create(ctx, workload("StatefulSet", "db", "replicas: 1", "")),
			s.create(ctx, "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}"),
		)
		Expect(s.report().Total).To(Equal(3))
		another := types.NamespacedName{Namespace: "shop", Name: "onlooker"}
		Expect(s.tracker.Track(another, s.expected, s.reader)).To(Succeed())
		DeferCleanup(func() { s.tracker.Stop(another) })
		Eventually(func() int {
			report, _ := s.tracker.Report(another)
			return report.Healthy
		}).Should(Equal(3))
		Expect(s.notifications()).To(Equal(1), "many changes, and nobody has asked")
		Expect(s.report()).To(And(healthy, HaveField("Healthy", 3)))
		s.patch(ctx, s.expected[0], `{"spec":{"replicas":3}}`)
		Eventually(s.notifications).Should(Equal(2), "a report asks to be told again")
	})

	It("does not wait for what is healthy once applied", func(ctx context.Context) {
		s := newScene(ctx)
		s.track(
			s.create(ctx, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"),
			s.create(ctx, "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: LoadBalancer, ports: [{port: 80}]}}"),
			s.create(ctx, "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}}"),
			s.create(ctx, "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: a}, spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}}"),
			s.create(ctx, "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: a}, spec: {minAvailable: 1}}"),
			s.create(ctx, "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}"),
		)
		Expect(s.report()).To(And(healthy, HaveField("Healthy", 6)))
		Expect(s.open.Load()).To(BeZero())
	})

	It("holds no watch when no rollout runs, and one for all rollouts of a namespace", func(ctx context.Context) {
		s := newScene(ctx)
		Expect(s.open.Load()).To(BeZero())
		web := s.create(ctx, workload("Deployment", "web", "replicas: 1", nowhere))
		s.track(web)
		Eventually(s.open.Load).Should(BeEquivalentTo(1), "deployments")
		s.lookCloser()
		Eventually(s.open.Load).Should(BeEquivalentTo(3), "deployments, replica sets, pods")

		other := types.NamespacedName{Namespace: "shop", Name: "another"}
		Expect(s.tracker.Track(other, []health.Expected{web}, s.reader)).To(Succeed())
		s.lookCloser()
		Eventually(s.messages).Should(ContainSubstring("Unschedulable"))
		Expect(s.open.Load()).To(BeEquivalentTo(3))

		s.tracker.Stop(key)
		s.tracker.Stop(key)
		_, tracked := s.tracker.Report(key)
		Expect(tracked).To(BeFalse(), "what is not tracked must not look healthy")
		Expect(s.open.Load()).To(BeEquivalentTo(3))
		s.tracker.Stop(other)
		Eventually(s.open.Load).Should(BeZero())
	})

	It("watches pods only once a workload has taken a while, and not when all is well by then", func(ctx context.Context) {
		s := newScene(ctx)
		web := s.create(ctx, workload("Deployment", "web", "replicas: 1", ""))
		s.track(web)
		Eventually(s.report).Should(healthy)
		s.lookCloser()
		Expect(s.queries("pods")).To(BeEmpty())
		Expect(s.queries("replicasets")).To(BeEmpty())

		stuck := s.create(ctx, workload("Deployment", "stuck", "replicas: 1", nowhere))
		s.track(stuck)
		Eventually(s.messages).Should(And(ContainSubstring("Deployment stuck: "), Not(ContainSubstring("Unschedulable"))))
		s.lookCloser()
		Eventually(s.messages).Should(ContainSubstring("Unschedulable"))

		s.track(web)
		s.tracker.Stop(key)
		Expect(s.clock.HasWaiters()).To(BeFalse(), "what is not tracked any more is not looked at more closely")
	})

	It("begins with what is not older than what was applied, and waits for nothing newer", func(ctx context.Context) {
		s := newScene(ctx)
		web := s.create(ctx, workload("Deployment", "web", "replicas: 1", ""))
		s.track(web)
		Eventually(s.report).Should(healthy)
		asked := s.queries("deployments")
		Expect(asked).NotTo(BeEmpty())
		Expect(asked[0]).To(And(HaveKeyWithValue("resourceVersion", ConsistOf(web.ResourceVersion)), HaveKeyWithValue("resourceVersionMatch", ConsistOf("NotOlderThan"))))
		Expect(asked).NotTo(ContainElement(HaveKey("sendInitialEvents")), "that would wait for the API server's cache to have proved that it is new")
	})

	It("counts only what was seen of the object that was applied", func(ctx context.Context) {
		s := newScene(ctx)
		web := s.create(ctx, workload("Deployment", "web", "replicas: 1", ""))
		s.track(web)
		Eventually(s.report).Should(healthy)

		newer := web
		newer.Generation++
		s.track(newer)
		Expect(s.messages()).To(Equal("Deployment web: waiting to see the object as it was applied"))
		s.patch(ctx, web, `{"spec":{"replicas":2}}`)
		Eventually(s.report).Should(healthy)

		namesake := web
		namesake.UID = "another"
		s.track(namesake)
		Expect(s.messages()).To(Equal("Deployment web: waiting to see the object as it was applied"))
	})

	It("says that an object was deleted", func(ctx context.Context) {
		s := newScene(ctx)
		web := s.create(ctx, workload("Deployment", "web", "replicas: 1", ""))
		s.track(web)
		Eventually(s.report).Should(healthy)
		Expect(admin.Delete(ctx, named(web))).To(Succeed())
		Eventually(s.messages).Should(ContainSubstring("was deleted by somebody else"))
	})

	DescribeTable("says why pods are not scheduled",
		func(ctx context.Context, kind, extra string) {
			s := newScene(ctx)
			s.track(s.create(ctx, workload(kind, "web", extra, nowhere)))
			s.lookCloser()
			Eventually(s.messages).Should(MatchRegexp(`pod web-\S+: Unschedulable: 0/\d+ nodes are available`))
			Expect(s.report()).To(And(HaveField("Healthy", 0), HaveField("Failed", false)))
		},
		Entry("of a Deployment", "Deployment", "replicas: 2"),
		Entry("of a StatefulSet", "StatefulSet", "replicas: 1"),
	)

	It("says why pods cannot be created", func(ctx context.Context) {
		s := newScene(ctx)
		Expect(admin.Create(ctx, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none", Namespace: s.target.Namespace},
			Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": resource.MustParse("0")}}})).To(Succeed())
		s.track(s.create(ctx, workload("Deployment", "web", "replicas: 1", "")))
		Eventually(s.messages).Should(And(ContainSubstring("pods cannot be created: "), ContainSubstring("exceeded quota: none")))
	})

	It("says what the containers of the newest pods wait for", func(ctx context.Context) {
		s := newScene(ctx)
		web := s.create(ctx, workload("Deployment", "web", "replicas: 1", ""))
		s.track(web)
		Eventually(s.report).Should(healthy)
		s.patch(ctx, web, `{"spec":{"template":{"spec":{"nodeSelector":{"no.such/node":"x"}}}}}`)
		var pod *corev1.Pod
		Eventually(func() *corev1.Pod {
			pod = pendingPod(ctx, s.target.Namespace)
			return pod
		}).ShouldNot(BeNil())
		s.lookCloser()
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "main", Image: "registry/shop", ImageID: "",
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 10s"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}},
		}}
		Expect(admin.Status().Update(ctx, pod)).To(Succeed())
		Eventually(s.messages).Should(ContainSubstring(`pod %s: container "main" is waiting: CrashLoopBackOff: back-off 10s (last ended with exit code 3: Error)`, pod.Name))
	})

	It("tells that a Deployment has given up, but not for what an earlier rollout left behind", func(ctx context.Context) {
		s := newScene(ctx)
		web := s.create(ctx, workload("Deployment", "web", "progressDeadlineSeconds: 1", nowhere))
		s.track(web)
		s.lookCloser()
		Eventually(s.report).Should(HaveField("Failed", true))
		// Its pods are watched from then on: a second is soon over, and then their words come after it.
		Eventually(s.messages).Should(And(ContainSubstring("Progress deadline exceeded"), ContainSubstring("Unschedulable")))

		own, err := dynamic.NewForConfig(operator)
		Expect(err).NotTo(HaveOccurred())
		again := health.NewTracker(own, mapper, s.clock, s.notify)
		Expect(again.Track(key, []health.Expected{web}, s.reader)).To(Succeed())
		DeferCleanup(func() { again.Stop(key) })
		Eventually(func() string {
			report, _ := again.Report(key)
			return fmt.Sprint(report)
		}).Should(ContainSubstring("Progress deadline exceeded"))
		report, _ := again.Report(key)
		Expect(report.Failed).To(BeFalse(), "the next rollout may bring what was missing")
	})

	It("waits for a Job to be complete, and tells that it has failed", func(ctx context.Context) {
		s := newScene(ctx)
		job := `{apiVersion: batch/v1, kind: Job, metadata: {name: %s}, spec: {backoffLimit: 0, activeDeadlineSeconds: %d, template: {spec: {restartPolicy: Never, nodeSelector: {%s}, containers: [{name: main, image: registry/shop}]}}}}`
		s.track(s.create(ctx, fmt.Sprintf(job, "migrate", 300, "")))
		Eventually(s.report).Should(healthy)
		s.track(s.create(ctx, fmt.Sprintf(job, "stuck", 300, nowhere)))
		Eventually(s.messages).Should(ContainSubstring("is running: pod stuck-"))
		s.track(s.create(ctx, fmt.Sprintf(job, "late", 1, nowhere)))
		Eventually(s.report).Should(HaveField("Failed", true))
		Expect(s.messages()).To(ContainSubstring("Job was active longer than specified deadline"))
	})

	It("watches custom resources with the deployer's rights, and says which are missing", func(ctx context.Context) {
		s := newScene(ctx)
		group := defineWidgets(ctx, s)
		widget := s.create(ctx, fmt.Sprintf("{apiVersion: %s/v1, kind: Widget, metadata: {name: w}}", group))
		s.track(widget)
		Eventually(s.messages).Should(ContainSubstring(`its health cannot be seen: allow the deployer to "get", "list" and "watch" "widgets" in API group "` + group + `"`))

		s.patch(ctx, widget, `{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Busy","message":"painting"}]}}`, "status")
		s.allow(ctx, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{"widgets"}, Verbs: []string{"get", "list", "watch"}})
		Eventually(s.messages).Should(Equal("Widget w: painting"))
		s.patch(ctx, widget, `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`, "status")
		Eventually(s.report).Should(healthy)
	})

	It("says that a kind is not known", func(ctx context.Context) {
		s := newScene(ctx)
		unknown := health.Expected{Kind: (&unstructured.Unstructured{Object: map[string]any{"apiVersion": "no.such/v1", "kind": "Thing"}}).GroupVersionKind()}
		unknown.Ref.Kind, unknown.Ref.Name = "Thing", "x"
		Expect(s.tracker.Track(key, []health.Expected{unknown}, s.reader)).To(MatchError(ContainSubstring(`watch Thing "x"`)))
		_, tracked := s.tracker.Report(key)
		Expect(tracked).To(BeFalse())
	})
})

func named(object health.Expected) client.Object {
	made := &unstructured.Unstructured{}
	made.SetGroupVersionKind(object.Kind)
	made.SetNamespace(object.Ref.Namespace)
	made.SetName(object.Ref.Name)
	return made
}

func pendingPod(ctx context.Context, namespace string) *corev1.Pod {
	pods := &corev1.PodList{}
	Expect(admin.List(ctx, pods, client.InNamespace(namespace))).To(Succeed())
	for i := range pods.Items {
		if pods.Items[i].Spec.NodeName == "" && len(pods.Items[i].Status.Conditions) > 0 {
			return &pods.Items[i]
		}
	}
	return nil
}

// defineWidgets makes a kind of the test's own, which nobody may read yet.
func defineWidgets(ctx context.Context, s *scene) (group string) {
	group = s.target.Namespace + ".example.org"
	keep := true
	definition := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "widgets." + group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: "Widget", Plural: "widgets", Singular: "widget"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				Schema:       &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &keep}}}},
		},
	}
	Expect(admin.Create(ctx, definition)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(admin.Delete(ctx, definition)).To(Succeed()) })
	Eventually(func() error {
		_, err := mapper.RESTMapping(schema.GroupKind{Group: group, Kind: "Widget"}, "v1")
		return err
	}).Should(Succeed())
	return group
}

func (s *scene) allow(ctx context.Context, rule rbacv1.PolicyRule) {
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "more", Namespace: s.target.Namespace}, Rules: []rbacv1.PolicyRule{rule}}
	Expect(admin.Create(ctx, role)).To(Succeed())
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "more", Namespace: s.target.Namespace},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "more"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: s.target.Namespace, Name: s.target.ServiceAccountName}}})).To(Succeed())
	s.awaitRight(ctx, authorizationv1.ResourceAttributes{Namespace: s.target.Namespace, Verb: "watch", Group: rule.APIGroups[0], Resource: rule.Resources[0]})
}
