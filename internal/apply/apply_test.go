// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/test/cluster"
)

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry/shop}]}`

var _ = Describe("Apply", func() {
	It("makes the objects run as they say, and writes nothing when they do", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		objects := p.objects(web + "\n---\n" + configMap("settings", "blue") + "\n---\n" +
			"{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: b}}\n---\n" +
			"{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}")
		result, err := p.deployer.Apply(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Objects).To(HaveLen(4))
		Expect(result.Changed()).To(Equal(4))
		Expect(p.writes.Load()).To(BeEquivalentTo(4))
		Expect(p.configMap(ctx, "settings")).To(HaveKeyWithValue("value", "blue"))

		deployment := &appsv1.Deployment{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: "web"}, deployment)).To(Succeed())
		applied := result.Objects[3]
		Expect(applied.Ref).To(Equal(p.ref("apps", "Deployment", "web")))
		Expect(applied.Kind).To(Equal(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}))
		Expect(applied.UID).To(Equal(deployment.UID))
		Expect(applied.Generation).To(Equal(deployment.Generation))
		Expect(deployment.Labels).To(And(HaveKeyWithValue(v1alpha1.LabelEnvironment, "production"), HaveKeyWithValue(v1alpha1.LabelProject, "shop")))

		again, err := p.deployer.Apply(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		Expect(again.Changed()).To(BeZero())
		Expect(p.writes.Load()).To(BeEquivalentTo(4), "unchanged objects must cost no write")
		for i := range again.Objects {
			Expect(again.Objects[i].UID).To(Equal(result.Objects[i].UID))
		}

		objects = p.objects(web + "\n---\n" + configMap("settings", "green"))
		changed, err := p.deployer.Apply(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		Expect(changed.Changed()).To(Equal(1))
		Expect(p.writes.Load()).To(BeEquivalentTo(5))
		Expect(p.configMap(ctx, "settings")).To(HaveKeyWithValue("value", "green"))
	})

	It("does not try again what was looked at before, unless somebody has written it since", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		objects := p.objects(configMap("settings", "blue") + "\n---\n" + configMap("other", "blue"))
		Expect(p.deployer.Apply(ctx, objects)).Error().NotTo(HaveOccurred())
		looked, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		tries := p.tries.Load()
		result, err := p.deployer.Apply(ctx, objects, apply.Findings(looked)...)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Changed()).To(BeZero())
		Expect(p.tries.Load()).To(Equal(tries))

		changed := &corev1.ConfigMap{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: "settings"}, changed)).To(Succeed())
		changed.Annotations = map[string]string{"somebody": "else"}
		Expect(admin.Update(ctx, changed)).To(Succeed())
		result, err = p.deployer.Apply(ctx, objects, apply.Findings(looked)...)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Changed()).To(BeZero(), "what somebody else adds is theirs, and no reason to write")
		Expect(p.tries.Load()).To(Equal(tries + 1))

		changed.Data["value"] = "red"
		Expect(admin.Update(ctx, changed)).To(Succeed())
		result, err = p.deployer.Apply(ctx, objects, apply.Findings(looked)...)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Changed()).To(Equal(1))
		Expect(p.configMap(ctx, "settings")).To(HaveKeyWithValue("value", "blue"))
	})

	It("writes what was seen to differ without reading it again, unless somebody has written it since", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objects(configMap("settings", "blue")+"\n---\n"+configMap("other", "blue")))).Error().NotTo(HaveOccurred())
		objects := p.objects(configMap("settings", "green") + "\n---\n" + configMap("other", "green") + "\n---\n" + configMap("new", "green"))
		looked, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "other"}}
		Expect(admin.Patch(ctx, theirs, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"value":"red","theirs":"x"}}`)))).To(Succeed())

		reads, tries, writes := p.reads.Load(), p.tries.Load(), p.writes.Load()
		result, err := p.deployer.Apply(ctx, objects, apply.Findings(looked)...)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Changed()).To(Equal(3))
		Expect(p.reads.Load()-reads).To(BeEquivalentTo(2), "that `new` is still absent, and how `other` is now; `settings` is as it was")
		Expect(p.tries.Load()-tries).To(BeEquivalentTo(1), "what `other` would be now")
		Expect(p.writes.Load()-writes).To(BeEquivalentTo(4), "one of them is refused, for an object that is not what was looked at any more")
		Expect(p.configMap(ctx, "settings")).To(Equal(map[string]string{"value": "green"}))
		Expect(p.configMap(ctx, "other")).To(Equal(map[string]string{"value": "green", "theirs": "x"}))
	})

	It("leaves alone what another Environment has written since it was looked at", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objects(configMap("changes", "ours")+"\n---\n"+configMap("same", "ours")))).Error().NotTo(HaveOccurred())
		objects := p.objects(configMap("new", "mine") + "\n---\n" + configMap("changes", "mine") + "\n---\n" + configMap("same", "ours"))
		looked, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())

		for _, name := range []string{"changes", "same"} {
			Expect(admin.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: name}})).To(Succeed())
		}
		staging := apply.Owner{Project: "shop", Environment: "staging"}
		Expect(p.deployer.Apply(ctx, p.objectsOf(staging, configMap("new", "theirs")+"\n---\n"+configMap("changes", "theirs")+"\n---\n"+configMap("same", "ours")))).Error().NotTo(HaveOccurred())
		_, err = p.deployer.Apply(ctx, objects, apply.Findings(looked)...)
		Expect(err).To(And(haveKind(apply.ForeignError), MatchError(And(
			ContainSubstring(`ConfigMap "new" belongs to Environment "staging"`), ContainSubstring(`ConfigMap "changes" belongs`), ContainSubstring(`ConfigMap "same" belongs`)))))
		for name, value := range map[string]string{"new": "theirs", "changes": "theirs", "same": "ours"} {
			Expect(p.configMap(ctx, name)).To(HaveKeyWithValue("value", value))
		}
	})

	It("lists what is taken instead of reading each object that it creates, and leaves alone what another Environment has created since", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		var ours []string
		for i := range 10 {
			ours = append(ours, configMap(fmt.Sprintf("new-%d", i), "mine"))
		}
		objects := p.objects(strings.Join(ours, "\n---\n"))
		looked, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		staging := apply.Owner{Project: "shop", Environment: "staging"}
		Expect(p.deployer.Apply(ctx, p.objectsOf(staging, configMap("new-3", "theirs")))).Error().NotTo(HaveOccurred())
		Expect(admin.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "new-4"}, Data: map[string]string{"value": "nobody's"}})).To(Succeed())

		reads := p.reads.Load()
		result, err := p.deployer.Apply(ctx, objects, apply.Findings(looked)...)
		Expect(err).To(And(haveKind(apply.ForeignError), MatchError(ContainSubstring(`ConfigMap "new-3" belongs to Environment "staging"`))))
		Expect(result.Changed()).To(Equal(9))
		Expect(p.reads.Load()-reads).To(BeEquivalentTo(3), "one list, and the two that are there after all")
		Expect(p.configMap(ctx, "new-3")).To(HaveKeyWithValue("value", "theirs"))
		Expect(p.configMap(ctx, "new-4")).To(HaveKeyWithValue("value", "mine"), "what is no Environment's is taken over, as it would have been before")
	})

	It("creates what was absent just before without reading it, and reads what was absent a while ago", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		objects := p.objects(configMap("a", "x"))
		looked, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		for _, step := range []struct {
			at    time.Time
			reads int
		}{{time.Now(), 0}, {time.Now().Add(-time.Second), 1}, {time.Time{}, 1}} {
			reads := p.reads.Load()
			Expect(p.deployer.Apply(ctx, objects, apply.LookedAt(step.at, apply.Findings(looked))...)).Error().NotTo(HaveOccurred())
			Expect(p.reads.Load() - reads).To(BeEquivalentTo(step.reads))
			Expect(admin.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "a"}})).To(Succeed())
		}
	})

	It("reads each object that it creates when the deployer may not list", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		powerful, err := local.Config(cluster.Admin)
		Expect(err).NotTo(HaveOccurred())
		limited := placeAt(v1alpha1.Target{Namespace: p.target.Namespace, ServiceAccountName: "no-list"}, powerful)
		limited.allow(ctx, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "create", "patch"}})
		objects := limited.objects(configMap("a", "x") + "\n---\n" + configMap("b", "x") + "\n---\n" + configMap("c", "x") + "\n---\n" + configMap("d", "x"))
		looked, err := limited.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		reads := limited.reads.Load()
		Expect(limited.deployer.Apply(ctx, objects, apply.Findings(looked)...)).Error().NotTo(HaveOccurred())
		Expect(limited.reads.Load()-reads).To(BeEquivalentTo(5), "a list that is refused, and each of the four")
	})

	It("makes again what somebody has deleted since it was looked at", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objects(configMap("changes", "blue")+"\n---\n"+configMap("same", "blue")))).Error().NotTo(HaveOccurred())
		objects := p.objects(configMap("changes", "green") + "\n---\n" + configMap("same", "blue"))
		looked, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		for _, name := range []string{"changes", "same"} {
			Expect(admin.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: name}})).To(Succeed())
		}
		result, err := p.deployer.Apply(ctx, objects, apply.Findings(looked)...)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Changed()).To(Equal(2))
		Expect(p.configMap(ctx, "changes")).To(HaveKeyWithValue("value", "green"))
		Expect(p.configMap(ctx, "same")).To(HaveKeyWithValue("value", "blue"))
	})

	It("takes over what somebody else has created since it was looked at, as it would have before", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		objects := p.objects(configMap("settings", "blue"))
		looked, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		Expect(admin.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "settings"}, Data: map[string]string{"value": "red"}})).To(Succeed())
		Expect(p.deployer.Apply(ctx, objects, apply.Findings(looked)...)).Error().NotTo(HaveOccurred())
		Expect(p.configMap(ctx, "settings")).To(HaveKeyWithValue("value", "blue"))
	})

	It("takes a field back that somebody else has changed", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		objects := p.objects(configMap("settings", "blue"))
		Expect(p.deployer.Apply(ctx, objects)).Error().NotTo(HaveOccurred())
		other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "settings"}}
		Expect(admin.Patch(ctx, other, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"value":"red","theirs":"x"}}`)))).To(Succeed())
		Expect(p.deployer.Apply(ctx, objects)).Error().NotTo(HaveOccurred())
		Expect(p.configMap(ctx, "settings")).To(Equal(map[string]string{"value": "blue", "theirs": "x"}))
	})

	It("owns each field that a release says, so that it goes when a later release no longer says it", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objects(configMap("settings", "blue")))).Error().NotTo(HaveOccurred())
		other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.target.Namespace, Name: "settings"}}
		Expect(admin.Patch(ctx, other, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"added":"x"}}`)))).To(Succeed())

		said := p.objects("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {value: blue, added: x}}")
		pairs, err := p.deployer.Compare(ctx, said)
		Expect(err).NotTo(HaveOccurred())
		Expect(plan.Changes(pairs)).To(BeEmpty(), "nothing that people can see changes")
		Expect(p.deployer.Apply(ctx, said)).Error().NotTo(HaveOccurred())
		fields := &corev1.ConfigMap{}
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(other), fields)).To(Succeed())
		Expect(ownedBy(fields.ManagedFields, v1alpha1.FieldManager)).To(ContainSubstring(`f:added`))
	})

	It("removes a key of a Secret that was written as a string", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		Expect(p.deployer.Apply(ctx, p.objects("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: x, b: z}}"))).Error().NotTo(HaveOccurred())
		Expect(p.deployer.Apply(ctx, p.objects("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: x}}"))).Error().NotTo(HaveOccurred())
		secret := &corev1.Secret{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: "s"}, secret)).To(Succeed())
		Expect(secret.Data).To(Equal(map[string][]byte{"a": []byte("x")}))
	})

	It("tells what was applied when an object is refused, and begins no later wave", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		result, err := p.deployer.Apply(ctx, p.objects(configMap("good", "x")+"\n---\n"+configMap("bad_name", "x")+"\n---\n"+web))
		Expect(err).To(MatchError(ContainSubstring(`ConfigMap "bad_name" is refused by the API server`)))
		Expect(result.Objects).To(HaveLen(1))
		Expect(result.Objects[0].Ref.Name).To(Equal("good"))
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: p.target.Namespace, Name: "web"}, &appsv1.Deployment{})).NotTo(Succeed())
	})

	It("brings a kind along and objects of that kind in one release", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		definition := customResourceDefinition(ctx, p)
		objects := p.objects(definition.manifest + "\n---\n" + definition.object("first"))

		pairs, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		Expect(plan.Changes(pairs)).To(HaveExactElements(
			HaveField("Action", v1alpha1.ChangeCreate), HaveField("Action", v1alpha1.ChangeCreate)))

		result, err := p.deployer.Apply(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Changed()).To(Equal(2))
		again, err := p.deployer.Apply(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		Expect(again.Changed()).To(BeZero())
		Expect(p.deployer.Compare(ctx, p.objects(definition.unknownField("second")))).Error().To(
			MatchError(ContainSubstring(`.spec.colour: field not declared in schema`)), "a field that would be dropped must be refused")
	})

	It("brings a role and its binding in one release", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		p.allowEverywhere(ctx, rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: []string{"get", "create", "patch"}})
		objects := p.objects(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: web}]`)
		pairs, err := p.deployer.Compare(ctx, objects)
		Expect(err).NotTo(HaveOccurred())
		Expect(plan.Changes(pairs)).To(HaveLen(2))
		Expect(p.deployer.Apply(ctx, objects)).Error().NotTo(HaveOccurred())
	})

	It("carries the promotion's identity on every request", func(ctx context.Context) {
		p := newPlace(ctx, operator)
		objects := p.objects(configMap("settings", "blue"))
		Expect(p.deployer.Compare(ctx, objects)).Error().NotTo(HaveOccurred())
		Expect(p.deployer.Apply(ctx, objects)).Error().NotTo(HaveOccurred())
		Expect(p.deployer.Prune(ctx, []v1alpha1.ObjectReference{p.ref("", "ConfigMap", "settings")}, owner)).Error().NotTo(HaveOccurred())
		Eventually(func() []string { return auditedVerbs(p.target.Namespace) }).Should(ContainElements("get", "patch", "delete"))
	})
})

// auditedVerbs are the verbs of all requests for ConfigMaps of a namespace, as the API server's audit log has them; it fails for one that was
// not made as the deployer with the promotion's identity.
func auditedVerbs(namespace string) []string {
	log, err := os.Open(filepath.Join(local.Dir(), "audit.log"))
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = log.Close() }()
	var verbs []string
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), "/namespaces/"+namespace+"/configmaps/settings") {
			continue
		}
		event := struct {
			Verb             string
			ImpersonatedUser struct {
				Username string
				Groups   []string
				Extra    map[string][]string
			}
		}{}
		if json.Unmarshal(lines.Bytes(), &event) != nil {
			continue // the last line is still being written
		}
		Expect(event.ImpersonatedUser.Username).To(Equal("system:serviceaccount:" + namespace + ":assent-deployer"))
		Expect(event.ImpersonatedUser.Groups).To(ContainElement("system:serviceaccounts:" + namespace))
		Expect(event.ImpersonatedUser.Extra).To(HaveKeyWithValue("assent.dev/promotion", ConsistOf("shop/to-production/7d0a")))
		verbs = append(verbs, event.Verb)
	}
	return verbs
}

func ownedBy(entries []metav1.ManagedFieldsEntry, manager string) string {
	for _, entry := range entries {
		if entry.Manager == manager {
			return entry.FieldsV1.String()
		}
	}
	return ""
}

// definition is a kind of the test's own.
type definition struct {
	group, manifest string
}

// customResourceDefinition invents a kind that the deployer may define and use.
func customResourceDefinition(ctx context.Context, p *place) definition {
	made := definition{group: p.target.Namespace + ".example.com"}
	made.manifest = fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}]`, made.group)
	all := []string{"get", "list", "watch", "create", "patch", "delete"}
	p.allowEverywhere(ctx,
		rbacv1.PolicyRule{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: all},
		rbacv1.PolicyRule{APIGroups: []string{made.group}, Resources: []string{"widgets"}, Verbs: all})
	DeferCleanup(func(ctx context.Context) {
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "widgets." + made.group}}
		Expect(client.IgnoreNotFound(admin.Delete(ctx, crd))).To(Succeed())
	})
	return made
}

func (d definition) object(name string) string {
	return fmt.Sprintf("{apiVersion: %s/v1, kind: Widget, metadata: {name: %s}, spec: {size: 3}}", d.group, name)
}

func (d definition) unknownField(name string) string {
	return fmt.Sprintf("{apiVersion: %s/v1, kind: Widget, metadata: {name: %s}, spec: {colour: red}}", d.group, name)
}
