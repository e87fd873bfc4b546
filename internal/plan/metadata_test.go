// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/internal/plan"
)

// withTemplates are the kinds that pods are made of, and where their templates are.
var withTemplates = map[string][]string{
	"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {metadata: %s}}}":                                    {"spec.template"},
	"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a}, spec: {template: {metadata: %s}}}":                                   {"spec.template"},
	"{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a}, spec: {template: {metadata: %s}}}":                                     {"spec.template"},
	"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: a}, spec: {template: {metadata: %s}}}":                                    {"spec.template"},
	"{apiVersion: v1, kind: ReplicationController, metadata: {name: a}, spec: {template: {metadata: %s}}}":                              {"spec.template"},
	"{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {template: {metadata: %s}}}":                                          {"spec.template"},
	"{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {metadata: %s}}}}}":               {"spec.jobTemplate", "spec.jobTemplate.spec.template"},
	"{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {metadata: %s, spec: {template: {spec: {a: b}}}}}}": {"spec.jobTemplate", "spec.jobTemplate.spec.template"},
	"{apiVersion: v1, kind: Pod, metadata: %s, spec: {}}":                                                                               {""},
	"{apiVersion: v1, kind: ConfigMap, metadata: %s}":                                                                                   {""},
}

func labelsAt(object *unstructured.Unstructured, path string) map[string]string {
	fields := append(strings.FieldsFunc(path, func(r rune) bool { return r == '.' }), "metadata", "labels")
	labels, _, _ := unstructured.NestedStringMap(object.Object, fields...)
	return labels
}

func TestALockIsOnTheObjectsAndOnWhatIsMadeOfThem(t *testing.T) {
	locked := production()
	locked.Lock = true
	for manifest, paths := range withTemplates {
		for _, metadata := range []string{"{name: a, labels: {app: x}}", "{name: a}", "{name: a, labels: null}"} {
			text := fmt.Sprintf(manifest, metadata)
			t.Run(text, func(t *testing.T) {
				g := NewWithT(t)
				placed := objects(t, text)
				g.Expect(plan.Place(placed, locked)).To(Succeed())
				for _, path := range append(paths, "") {
					g.Expect(labelsAt(placed[0], path)).To(HaveKeyWithValue("assent.dev/lock", "production"), path)
				}
				again := placed[0].DeepCopy()
				g.Expect(plan.Place([]*unstructured.Unstructured{again}, locked)).To(Succeed())
				g.Expect(again).To(Equal(placed[0]), "placing twice is placing once")

				unlocked := objects(t, text)
				g.Expect(plan.Place(unlocked, production())).To(Succeed())
				for _, path := range append(paths, "") {
					g.Expect(labelsAt(unlocked[0], path)).NotTo(HaveKey("assent.dev/lock"))
				}
			})
		}
	}
}

func TestALockTakesTemplatesThatAreEmptyOrMissing(t *testing.T) {
	g := NewWithT(t)
	locked := production()
	locked.Lock = true
	placed := objects(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {metadata: null}}}\n---\n"+
		"{apiVersion: apps/v1, kind: Deployment, metadata: {name: b}, spec: {}}")
	g.Expect(plan.Place(placed, locked)).To(Succeed())
	g.Expect(labelsAt(placed[0], "spec.template")).To(HaveKey("assent.dev/lock"))
	g.Expect(placed[1].Object["spec"]).To(BeEmpty(), "the API server says what is missing")
}

func TestNoReleaseSaysItselfWhatItsPodsAre(t *testing.T) {
	locked := production()
	locked.Lock = true
	for manifest := range withTemplates {
		for name, options := range map[string]plan.PlaceOptions{"locked": locked, "not locked": production()} {
			for metadata, message := range map[string]string{
				"{name: a, labels: {assent.dev/lock: staging}}":         `sets the label "assent.dev/lock"`,
				"{name: a, labels: {assent.dev/environment: staging}}":  `sets the label "assent.dev/environment"`,
				"{name: a, annotations: {assent.dev/hold: x}}":          `sets the annotation "assent.dev/hold"`,
				"{name: a, annotations: {assent.dev/promotion-uid: x}}": `sets the annotation "assent.dev/promotion-uid"`,
			} {
				g := NewWithT(t)
				text := fmt.Sprintf(manifest, metadata)
				g.Expect(plan.Place(objects(t, text), options)).To(MatchError(ContainSubstring(message)), "%s: %s", name, text)
			}
		}
	}
	g := NewWithT(t)
	g.Expect(plan.Place(objects(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {metadata: {labels: {assent.dev/lock: x}}}}}"), locked)).
		To(MatchError(ContainSubstring("sets the label \"assent.dev/lock\" in `spec.template.metadata`: remove it")))
}
