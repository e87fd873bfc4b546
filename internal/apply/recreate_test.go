// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/test/cluster"
)

// immutables are objects with a field that cannot be changed, in which BEFORE stands for a value, and what the API server calls the field.
var immutables = []struct{ kind, field, before, after, manifest string }{
	{"Deployment", "spec.selector", "one", "two", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a%s}, spec: {replicas: 0, selector: {matchLabels: {app: VALUE}}, template: {metadata: {labels: {app: VALUE}}, spec: {containers: [{name: c, image: i}]}}}}`},
	{"DaemonSet", "spec.selector", "one", "two", `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a%s}, spec: {selector: {matchLabels: {app: VALUE}}, template: {metadata: {labels: {app: VALUE}}, spec: {nodeSelector: {no: where}, containers: [{name: c, image: i}]}}}}`},
	{"StatefulSet", "spec.volumeClaimTemplates", "1Gi", "2Gi", `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a%s}, spec: {serviceName: s, replicas: 0, selector: {matchLabels: {app: s}}, template: {metadata: {labels: {app: s}}, spec: {containers: [{name: c, image: i}]}}, volumeClaimTemplates: [{metadata: {name: v}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: VALUE}}}}]}}`},
	{"StatefulSet", "spec.serviceName", "s", "t", `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a%s}, spec: {serviceName: VALUE, replicas: 0, selector: {matchLabels: {app: s}}, template: {metadata: {labels: {app: s}}, spec: {containers: [{name: c, image: i}]}}}}`},
	{"Service", "spec.clusterIPs[0]", "selector: {a: b}", "clusterIP: None", `{apiVersion: v1, kind: Service, metadata: {name: a%s}, spec: {ports: [{port: 80}], VALUE}}`},
	{"PersistentVolumeClaim", "spec", "fast", "slow", `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a%s}, spec: {storageClassName: VALUE, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`},
	{"ConfigMap", "data", "one", "two", `{apiVersion: v1, kind: ConfigMap, metadata: {name: a%s}, immutable: true, data: {a: VALUE}}`},
	{"Secret", "data", "one", "two", `{apiVersion: v1, kind: Secret, metadata: {name: a%s}, immutable: true, stringData: {a: VALUE}}`},
	{"Secret", "type", "a.b/c", "a.b/d", `{apiVersion: v1, kind: Secret, metadata: {name: a%s}, type: VALUE}`},
	{"RoleBinding", "roleRef", "one", "two", `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: a%s}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: VALUE}}`},
	{"Pod", "spec", "one", "two", `{apiVersion: v1, kind: Pod, metadata: {name: a%s}, spec: {schedulerName: nobody, containers: [{name: c, image: i, env: [{name: e, value: VALUE}]}]}}`},
}

const recreate = ", annotations: {assent.dev/immutable: Recreate}"

var _ = Describe("An object that cannot be changed", func() {
	for _, test := range immutables {
		before := func(metadata string) string {
			return strings.ReplaceAll(fmt.Sprintf(test.manifest, metadata), "VALUE", test.before)
		}
		after := func(metadata string) string {
			return strings.ReplaceAll(fmt.Sprintf(test.manifest, metadata), "VALUE", test.after)
		}

		It(fmt.Sprintf("is refused or created again: `%s` of a %s", test.field, test.kind), func(ctx context.Context) {
			p := newPlace(ctx, operator)
			p.allowBindings(ctx, test.kind)
			first, err := p.deployer.Apply(ctx, p.objects(before("")))
			Expect(err).NotTo(HaveOccurred())
			writes := p.writes.Load()
			refused := MatchError(And(
				ContainSubstring(test.kind), ContainSubstring("differs in what cannot be changed (`%s`): undo the change, give the object another name, or allow with the annotation "+
					"`assent.dev/immutable: Recreate` on it", test.field)))
			Expect(p.deployer.Compare(ctx, p.objects(after("")))).Error().To(And(haveKind(apply.ImmutableError), refused))
			Expect(p.deployer.Apply(ctx, p.objects(after("")))).Error().To(And(haveKind(apply.ImmutableError), refused))
			Expect(p.writes.Load()).To(Equal(writes), "nothing is deleted that nobody has allowed to be")

			allowed := p.objects(after(recreate))
			pairs, err := p.deployer.Compare(ctx, allowed)
			Expect(err).NotTo(HaveOccurred())
			Expect(plan.Changes(pairs)).To(ConsistOf(HaveField("Action", v1alpha1.ChangeRecreate)))
			Expect(plan.Diff(pairs)).To(ContainSubstring("(deleted and created again)"))
			Expect(p.writes.Load()).To(Equal(writes), "looking changes nothing")
			result, err := p.deployer.Apply(ctx, allowed, apply.Findings(pairs)...)
			Expect(err).NotTo(HaveOccurred())
			Expect(result.Objects[0].Changed).To(BeTrue())
			Expect(result.Objects[0].UID).NotTo(Equal(first.Objects[0].UID))
			Expect(p.writes.Load()-writes).To(BeNumerically("~", 3, 1), "one delete, one write, and one more delete for each time that its controller was faster")

			again, err := p.deployer.Apply(ctx, allowed)
			Expect(err).NotTo(HaveOccurred())
			Expect(again.Changed()).To(BeZero())
			Expect(again.Objects[0].UID).To(Equal(result.Objects[0].UID))
		})
	}

	It("is not deleted when something else is wrong with it", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		manifest := fmt.Sprintf(immutables[0].manifest, recreate)
		Expect(p.deployer.Apply(ctx, p.objects(strings.ReplaceAll(manifest, "VALUE", "one")))).Error().NotTo(HaveOccurred())
		writes := p.writes.Load()
		broken := p.objects(strings.ReplaceAll(strings.Replace(manifest, "replicas: 0", "replicas: -1", 1), "VALUE", "two"))
		Expect(p.deployer.Apply(ctx, broken)).Error().To(And(haveKind(apply.RefusedError), MatchError(ContainSubstring("spec.replicas"))))
		Expect(p.writes.Load()).To(Equal(writes))
	})

	It("is not taken for one because of what a value says", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		service := "{apiVersion: v1, kind: Service, metadata: {name: a" + recreate + "}, spec: {type: ClusterIP, sessionAffinity: '%s', ports: [{port: 80}]}}"
		Expect(p.deployer.Apply(ctx, p.objects(fmt.Sprintf(service, "None")))).Error().NotTo(HaveOccurred())
		Expect(p.deployer.Compare(ctx, p.objects(fmt.Sprintf(service, "x: field is immutable")))).Error().To(haveKind(apply.RefusedError))
	})

	It("is not deleted when it was not applied by this Environment", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "a"}, Immutable: new(true), Data: map[string]string{"a": "x"}}
		Expect(admin.Create(ctx, theirs)).To(Succeed())
		ours := p.objects("{apiVersion: v1, kind: ConfigMap, metadata: {name: a" + recreate + "}, immutable: true, data: {a: two}}")
		for _, err := range []error{second(p.deployer.Compare(ctx, ours)), second(p.deployer.Apply(ctx, ours))} {
			Expect(err).To(And(haveKind(apply.ImmutableError), MatchError(ContainSubstring("delete it yourself before the rollout; it was not applied by this Environment"))))
		}
		Expect(p.writes.Load()).To(BeZero())
	})

	It("is not deleted by a deployer that may not, and that is said before anybody approves", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		powerful, err := local.Config(cluster.Admin)
		Expect(err).NotTo(HaveOccurred())
		limited := placeAt(v1alpha1.Target{Namespace: p.target.Namespace, ServiceAccountName: "no-delete"}, powerful)
		limited.allow(ctx, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "create", "patch"}})
		manifest := "{apiVersion: v1, kind: ConfigMap, metadata: {name: a" + recreate + "}, immutable: true, data: {a: %s}}"
		Expect(limited.deployer.Apply(ctx, limited.objects(fmt.Sprintf(manifest, "one")))).Error().NotTo(HaveOccurred())
		_, err = limited.deployer.Compare(ctx, limited.objects(fmt.Sprintf(manifest, "two")))
		Expect(err).To(And(haveKind(apply.DeployerError), MatchError(ContainSubstring(`may not delete ConfigMap "a"`))))
		_, err = limited.deployer.Apply(ctx, limited.objects(fmt.Sprintf(manifest, "two")))
		Expect(err).To(And(haveKind(apply.DeployerError), MatchError(ContainSubstring(`may not watch ConfigMap "a"`))), "a deletion whose end cannot be seen is not begun")
		Expect(p.configMap(ctx, "a")).To(HaveKeyWithValue("a", "one"))
	})

	It("is never a definition, which would take its objects along", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		definition := customResourceDefinition(ctx, p)
		Expect(p.deployer.Apply(ctx, p.objects(definition.manifest))).Error().NotTo(HaveOccurred())
		changed := strings.Replace(definition.manifest, "scope: Namespaced", "scope: Cluster", 1)
		changed = strings.Replace(changed, "metadata: {", "metadata: {annotations: {assent.dev/immutable: Recreate}, ", 1)
		Expect(p.deployer.Apply(ctx, p.objects(changed))).Error().To(And(haveKind(apply.ImmutableError),
			MatchError(ContainSubstring("(`spec.scope`): undo the change, give the object another name, or delete it yourself before the rollout; a rollout never deletes a CustomResourceDefinition"))))
	})

	It("shows what changes, and not the defaults that come back by themselves", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objects(migrate("", "registry/shop:1")))).Error().NotTo(HaveOccurred())
		pairs, err := p.deployer.Compare(ctx, p.objects(migrate("", "registry/shop:2")))
		Expect(err).NotTo(HaveOccurred())
		Expect(changedLines(plan.Diff(pairs))).To(Equal([]string{"-      - image: registry/shop:1", "+      - image: registry/shop:2"}))

		Expect(p.deployer.Apply(ctx, p.objects("{apiVersion: v1, kind: Service, metadata: {name: a"+recreate+"}, spec: {ports: [{port: 80}]}}"))).Error().NotTo(HaveOccurred())
		pairs, err = p.deployer.Compare(ctx, p.objects("{apiVersion: v1, kind: Service, metadata: {name: a"+recreate+"}, spec: {clusterIP: None, ports: [{port: 80}]}}"))
		Expect(err).NotTo(HaveOccurred())
		Expect(changedLines(plan.Diff(pairs))).To(ConsistOf(MatchRegexp(`-  clusterIP: 1`), Equal("+  clusterIP: None"), Equal("-  clusterIPs:"), MatchRegexp("-  - 1")))
	})

	It("is created when an earlier process was stopped after its deletion", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		manifest := "{apiVersion: v1, kind: ConfigMap, metadata: {name: a" + recreate + ", finalizers: [example.com/held]}, immutable: true, data: {a: %s}}"
		Expect(p.deployer.Apply(ctx, p.objects(fmt.Sprintf(manifest, "one")))).Error().NotTo(HaveOccurred())
		old := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "a"}}

		stopped, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- second(p.deployer.Apply(stopped, p.objects(fmt.Sprintf(manifest, "two")))) }()
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(old), old)).To(Succeed())
			g.Expect(old.DeletionTimestamp).NotTo(BeNil())
		}).Should(Succeed())
		Consistently(done, 500*time.Millisecond).ShouldNot(Receive(), "it waits until the object is gone")
		stop()
		var err error
		Eventually(done).Should(Receive(&err))
		Expect(err).To(And(haveKind(apply.TransientError), MatchError(ContainSubstring(
			`ConfigMap "a" has been deleted so that it can be created again, and is not gone yet: its finalizers "example.com/held" are not removed`))))

		go func() { done <- second(p.deployer.Apply(ctx, p.objects(fmt.Sprintf(manifest, "two")))) }()
		Consistently(done, 200*time.Millisecond).ShouldNot(Receive())
		Expect(admin.Patch(ctx, old, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
		Eventually(done, "10s").Should(Receive(BeNil()))
		Expect(p.configMap(ctx, "a")).To(HaveKeyWithValue("a", "two"))
	})

	It("is not deleted when somebody has written it since it was looked at, but looked at again", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		manifest := "{apiVersion: v1, kind: ConfigMap, metadata: {name: a" + recreate + "}, immutable: true, data: {a: %s}}"
		Expect(p.deployer.Apply(ctx, p.objects(fmt.Sprintf(manifest, "one")))).Error().NotTo(HaveOccurred())
		changed := p.objects(fmt.Sprintf(manifest, "two"))
		looked, err := p.deployer.Compare(ctx, changed)
		Expect(err).NotTo(HaveOccurred())
		theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "a"}}
		Expect(admin.Patch(ctx, theirs, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"assent.dev/environment":"staging"}}}`)))).To(Succeed())
		Expect(p.deployer.Apply(ctx, changed, apply.Findings(looked)...)).Error().To(haveKind(apply.ForeignError))
		Expect(p.configMap(ctx, "a")).To(HaveKeyWithValue("a", "one"))
	})
})

var _ = Describe("A Job", func() {
	It("is created again when it changes, with none of its old pods left", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objects(migrate("", "registry/shop:1")))).Error().NotTo(HaveOccurred())
		old := p.job(ctx)
		Eventually(func() []string { return p.podsOf(ctx, old.UID) }).Should(HaveLen(1))

		changed := p.objects(migrate("", "registry/shop:2"))
		pairs, err := p.deployer.Compare(ctx, changed)
		Expect(err).NotTo(HaveOccurred())
		Expect(plan.Changes(pairs)).To(ConsistOf(HaveField("Action", v1alpha1.ChangeRecreate)))
		result, err := p.deployer.Apply(ctx, changed, apply.Findings(pairs)...)
		Expect(err).NotTo(HaveOccurred())
		Expect(p.podsOf(ctx, old.UID)).To(BeEmpty(), "the old pods must be gone when the new Job begins")
		Expect(result.Objects[0].UID).To(Equal(p.job(ctx).UID))
		Expect(p.job(ctx).Spec.Template.Spec.Containers[0].Image).To(Equal("registry/shop:2"))
		Expect(second(p.deployer.Apply(ctx, changed))).NotTo(HaveOccurred())
		Expect(p.job(ctx).UID).To(Equal(result.Objects[0].UID))
	})

	It("runs anew for each promotion when its Release says so, and once when one is resumed", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		manifest := migrate(", annotations: {assent.dev/rerun: Always}", "registry/shop:1")
		Expect(p.deployer.Apply(ctx, p.objectsFor("one", manifest))).Error().NotTo(HaveOccurred())
		first := p.job(ctx).UID
		Expect(p.deployer.Apply(ctx, p.objectsFor("one", manifest))).Error().NotTo(HaveOccurred())
		Expect(p.job(ctx).UID).To(Equal(first))

		next := p.objectsFor("two", manifest)
		pairs, err := p.deployer.Compare(ctx, next)
		Expect(err).NotTo(HaveOccurred())
		Expect(plan.Changes(pairs)).To(ConsistOf(HaveField("Action", v1alpha1.ChangeRecreate)))
		Expect(changedLines(plan.Diff(pairs))).To(Equal([]string{"-    assent.dev/promotion-uid: one", "+    assent.dev/promotion-uid: two"}))
		Expect(p.deployer.Apply(ctx, next, apply.Findings(pairs)...)).Error().NotTo(HaveOccurred())
		second := p.job(ctx).UID
		Expect(second).NotTo(Equal(first))
		Expect(p.deployer.Apply(ctx, next)).Error().NotTo(HaveOccurred())
		Expect(p.job(ctx).UID).To(Equal(second))
	})

	It("is not run anew over one that somebody else has made", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		theirs := p.objects(migrate("", "registry/shop:1"))[0]
		theirs.SetLabels(nil)
		Expect(admin.Create(ctx, theirs)).To(Succeed())
		_, err := p.deployer.Apply(ctx, p.objectsFor("one", migrate(", annotations: {assent.dev/rerun: Always}", "registry/shop:1")))
		Expect(err).To(And(haveKind(apply.ImmutableError), MatchError(ContainSubstring("has to run anew, and the one that is there was not applied by this Environment"))))
	})
})

func migrate(metadata, image string) string {
	return fmt.Sprintf(`{apiVersion: batch/v1, kind: Job, metadata: {name: migrate%s}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: %q}]}}}}`, metadata, image)
}

func second[T any](_ T, err error) error { return err }

// changedLines of a diff, without its headers.
func changedLines(diff string) []string {
	var lines []string
	for _, line := range strings.Split(diff, "\n") {
		if len(line) > 1 && (line[0] == '-' || line[0] == '+') && !strings.HasPrefix(line, "--- ") && !strings.HasPrefix(line, "+++ ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func (p *place) job(ctx context.Context) *batchv1.Job {
	found := &batchv1.Job{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: "migrate"}, found)).To(Succeed())
	return found
}

func (p *place) podsOf(ctx context.Context, job types.UID) []string {
	pods := &corev1.PodList{}
	Expect(admin.List(ctx, pods, client.InNamespace(p.target.Namespace), client.MatchingLabels{batchv1.ControllerUidLabel: string(job)})).To(Succeed())
	var names []string
	for _, pod := range pods.Items {
		names = append(names, pod.Name)
	}
	return names
}

// objectsFor are the objects as one promotion places them.
func (p *place) objectsFor(uid types.UID, text string) []*unstructured.Unstructured {
	all := p.parsed(text)
	options := p.options(owner)
	options.PromotionUID = uid
	Expect(plan.Place(all, options)).To(Succeed())
	plan.Sort(all)
	return all
}

// allowBindings lets the deployer write what a kind needs beyond its usual rights.
func (p *place) allowBindings(ctx context.Context, kind string) {
	if kind != "RoleBinding" {
		return
	}
	p.allowEverywhere(ctx, rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings", "roles"},
		Verbs: []string{"get", "create", "patch", "watch", "delete", "bind", "escalate"}})
	for _, name := range []string{"one", "two"} {
		Expect(admin.Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.target.Namespace}})).To(Succeed())
	}
}
