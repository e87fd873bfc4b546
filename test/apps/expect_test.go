// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/audit"
)

// expectRunning compares what runs with the release: each of its objects is there as the API server would make it of the manifests, and nothing else is there that a
// rollout brought. Every object is healthy, and the Environment says so.
func (l *life) expectRunning(ctx context.Context, made release) {
	GinkgoHelper()
	wanted := made.objects(ctx)
	Expect(wanted).NotTo(BeEmpty())
	kinds := map[schema.GroupVersionKind]bool{}
	var names []string
	for _, object := range wanted {
		kinds[object.GroupVersionKind()] = true
		names = append(names, reference(object))
		l.expectAsWritten(ctx, object)
	}
	Expect(l.brought(ctx, kinds)).To(ConsistOf(names), "what a rollout brought, and what the release holds")
	Eventually(func(g Gomega) {
		environment := &v1alpha1.Environment{}
		g.Expect(l.admin.Get(ctx, client.ObjectKey{Namespace: l.project.Name, Name: environmentName}, environment)).To(Succeed())
		g.Expect(environment.Status.Current.Version).To(Equal(made.version))
		g.Expect(environment.Status.Inventory).To(HaveLen(len(wanted)))
		for _, condition := range environment.Status.Conditions {
			g.Expect(string(condition.Status)).To(Equal("True"), condition.Type+": "+condition.Message)
		}
	}).WithContext(ctx).Should(Succeed())
}

func reference(object *unstructured.Unstructured) string {
	return object.GroupVersionKind().GroupKind().String() + " " + object.GetName()
}

// objects of the release, as kubectl makes them.
func (r release) objects(ctx context.Context) []*unstructured.Unstructured {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	r.unfold(folder)
	kinds, err := kustomizations(folder)
	Expect(err).NotTo(HaveOccurred())
	if len(kinds) == 0 {
		return plain(folder)
	}
	output, err := exec.CommandContext(ctx, filepath.Join(scene.Dir(), "bin", "kubectl"), "kustomize", folder).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		Fail(string(failed.Stderr))
	}
	Expect(err).NotTo(HaveOccurred())
	return decoded(string(output))
}

// plain manifests in a folder.
func plain(folder string) []*unstructured.Unstructured {
	GinkgoHelper()
	var objects []*unstructured.Unstructured
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		text, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		objects = append(objects, decoded(string(text))...)
	}
	return objects
}

func decoded(text string) []*unstructured.Unstructured {
	GinkgoHelper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		Expect(err).NotTo(HaveOccurred())
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// expectAsWritten asks the API server what an object would be if its manifest were applied by somebody else: it must be that already.
func (l *life) expectAsWritten(ctx context.Context, object *unstructured.Unstructured) {
	GinkgoHelper()
	object = object.DeepCopy()
	if namespaced, err := l.admin.IsObjectNamespaced(object); err == nil && namespaced {
		object.SetNamespace(l.target.Namespace)
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	Expect(l.admin.Get(ctx, client.ObjectKeyFromObject(object), live)).To(Succeed(), reference(object))
	Expect(l.admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.DryRunAll, client.ForceOwnership, client.FieldOwner("somebody-else"))).To(Succeed())
	Expect(stripped(object)).To(Equal(stripped(live)), reference(object)+" must run as its manifest says")
}

// stripped of what changes with every write.
func stripped(object *unstructured.Unstructured) map[string]any {
	object = object.DeepCopy()
	object.SetManagedFields(nil)
	object.SetResourceVersion("")
	unstructured.RemoveNestedField(object.Object, "status")
	return object.Object
}

// brought are the objects of some kinds, and of the usual ones, that carry the Environment's labels.
func (l *life) brought(ctx context.Context, kinds map[schema.GroupVersionKind]bool) []string {
	GinkgoHelper()
	for _, usual := range []schema.GroupVersionKind{
		{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Secret"}, {Version: "v1", Kind: "Service"}, {Version: "v1", Kind: "ServiceAccount"},
		{Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "apps", Version: "v1", Kind: "StatefulSet"}, {Group: "apps", Version: "v1", Kind: "DaemonSet"},
		{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}, {Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
		{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}, {Group: "batch", Version: "v1", Kind: "Job"}, {Group: "batch", Version: "v1", Kind: "CronJob"},
	} {
		kinds[usual] = true
	}
	var found []string
	for kind := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		Expect(l.admin.List(ctx, list, client.MatchingLabels{v1alpha1.LabelProject: l.project.Name, v1alpha1.LabelEnvironment: environmentName})).To(Succeed())
		for i := range list.Items {
			found = append(found, reference(&list.Items[i]))
		}
	}
	return found
}

// expectOnRecord verifies the history, and that it tells of this promotion.
func (l *life) expectOnRecord(ctx context.Context, asked *v1alpha1.Promotion) {
	GinkgoHelper()
	environment := &v1alpha1.Environment{}
	Expect(l.admin.Get(ctx, client.ObjectKey{Namespace: l.project.Name, Name: environmentName}, environment)).To(Succeed())
	records := &v1alpha1.AuditRecordList{}
	Expect(l.admin.List(ctx, records, client.InNamespace(l.project.Name), client.MatchingFields{"spec.environment": environmentName})).To(Succeed())
	Expect(audit.Verify(records.Items, environment.Status.Audit)).To(BeEmpty())
	var types []v1alpha1.AuditType
	for _, record := range records.Items {
		if record.Spec.Promotion.UID == string(asked.UID) {
			types = append(types, record.Spec.Type)
			Expect(record.Spec.PlanDigest).To(Equal(asked.Status.Plan.Digest))
		}
	}
	Expect(types).To(Equal([]v1alpha1.AuditType{v1alpha1.AuditIntent, v1alpha1.AuditSucceeded}))
}
