// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// onHold is an Environment that somebody has stopped.
func (w *world) onHold(ctx context.Context) *v1alpha1.Environment {
	GinkgoHelper()
	environment := w.environment(ctx)
	environment.Spec.Hold.Reason = "incident 4711"
	Expect(w.as(cluster.Mallory).Update(ctx, environment)).To(Succeed())
	return environment
}

// annotated is an Environment that somebody has stopped by its annotation.
func (w *world) annotated(ctx context.Context) *v1alpha1.Environment {
	GinkgoHelper()
	environment := w.environment(ctx)
	environment.Annotations = map[string]string{v1alpha1.AnnotationHold: "incident 4711"}
	Expect(w.as(cluster.Mallory).Update(ctx, environment)).To(Succeed())
	return environment
}

// blocked is a Release that somebody knows to be bad.
func (w *world) blocked(ctx context.Context) *v1alpha1.Release {
	GinkgoHelper()
	release := w.release(ctx)
	release.Spec.Blocked.Reason = "loses orders"
	Expect(w.as(cluster.Mallory).Update(ctx, release)).To(Succeed())
	return release
}

// heldProject is the project's namespace, on hold.
func (w *world) heldProject(ctx context.Context) *corev1.Namespace {
	GinkgoHelper()
	namespace := &corev1.Namespace{}
	Expect(w.as(cluster.Admin).Get(ctx, client.ObjectKey{Name: w.project.Name}, namespace)).To(Succeed())
	before := namespace.DeepCopy()
	namespace.Annotations = map[string]string{v1alpha1.AnnotationHold: "incident 4711"}
	Expect(w.as(cluster.Admin).Patch(ctx, namespace, client.MergeFrom(before))).To(Succeed())
	return namespace
}

func onHold(ctx context.Context, w *world) client.Object      { return w.onHold(ctx) }
func annotated(ctx context.Context, w *world) client.Object   { return w.annotated(ctx) }
func blocked(ctx context.Context, w *world) client.Object     { return w.blocked(ctx) }
func heldProject(ctx context.Context, w *world) client.Object { return w.heldProject(ctx) }

func holdText(text string) func(*unstructured.Unstructured) {
	return set(text, "metadata", "annotations", v1alpha1.AnnotationHold)
}

var (
	noHold     = unset("spec", "hold")
	noHoldText = unset("metadata", "annotations", v1alpha1.AnnotationHold)
	noBlock    = unset("spec", "blocked")
)

var holds = []attack{
	{"G14", "a user resumes an Environment", cluster.Mallory, onHold, noHold, changes, false},
	{"G14", "a user leaves no word of a hold's reason", cluster.Mallory, onHold, set(" \t", "spec", "hold", "reason"), changes, false},
	{"G14", "who set an Environment up resumes it", cluster.Dave, onHold, noHold, changes, false},
	{"G14", "a user takes a hold's annotation away", cluster.Mallory, annotated, noHoldText, changes, false},
	{"G14", "a user empties a hold's annotation", cluster.Mallory, annotated, holdText(""), changes, false},
	{"G14", "a user leaves no word in a hold's annotation", cluster.Mallory, annotated, holdText(" \n\t"), changes, false},
	{"G14", "the operator takes a hold's annotation away", operator, annotated, noHoldText, changes, false},
	{"G14", "a user deletes an Environment that is on hold", cluster.Mallory, onHold, nil, deletions, false},
	{"G14", "a user deletes an Environment that its annotation holds", cluster.Mallory, annotated, nil, deletions, false},

	{"G14", "a user unblocks a Release", cluster.Mallory, blocked, noBlock, changes, false},
	{"G14", "who created a Release unblocks it", cluster.Bob, blocked, noBlock, changes, false},
	{"G14", "a user leaves no word of a block's reason", cluster.Mallory, blocked, set("  ", "spec", "blocked", "reason"), changes, false},
	{"G14", "a user deletes a blocked Release", cluster.Mallory, blocked, nil, deletions, false},

	{"G14", "a user who may resume one Environment resumes the project", cluster.Dave, heldProject, noHoldText, namespaceChanges, false},
	{"G14", "a user leaves no word of a project's hold", cluster.Mallory, heldProject, holdText("  "), namespaceTexts, false},
	{"G14", "a user empties a project's hold", cluster.Mallory, heldProject, holdText(""), namespaceTexts, false},
	{"G14", "a user resumes a project", cluster.Mallory, heldProject, noHoldText, namespaceChanges, false},
}

var _ = Describe("what is stopped", Ordered, ContinueOnFailure, Label("objects", "projects"), func() {
	BeforeAll(func(ctx context.Context) { scene.install(ctx) })

	for _, stopped := range []struct {
		name string
		on   func(context.Context, *world) client.Object
		lift func(*unstructured.Unstructured)
		text func(*unstructured.Unstructured)
	}{
		{"an Environment on hold", onHold, noHold, set("incident 4712", "spec", "hold", "reason")},
		{"an Environment held by its annotation", annotated, noHoldText, holdText("incident 4712")},
		{"a blocked Release", blocked, noBlock, set("loses customers", "spec", "blocked", "reason")},
		{"a held project", heldProject, noHoldText, holdText("incident 4712")},
	} {
		It("may be given another reason by whoever may update it: "+stopped.name, func(ctx context.Context) {
			a := attack{on: stopped.on, by: cluster.Mallory, change: stopped.text}
			for _, by := range changes {
				Expect(a.try(ctx, scene, by)).To(Succeed(), by.name)
			}
		})

		It("is resumed by an owner of the project: "+stopped.name, func(ctx context.Context) {
			a := attack{on: stopped.on, by: projectOwner, change: stopped.lift}
			for _, by := range changes {
				Expect(a.try(ctx, scene, by)).To(Succeed(), by.name)
			}
		})

		It("may be labelled by whoever may update it: "+stopped.name, func(ctx context.Context) {
			a := attack{on: stopped.on, by: cluster.Mallory, change: label}
			for _, by := range changes {
				Expect(Or(Succeed(), MatchError(errNoEffect)).Match(a.try(ctx, scene, by))).To(BeTrue(), by.name)
			}
		})
	}

	for _, on := range []func(context.Context, *world) client.Object{onHold, annotated, blocked} {
		It("is deleted by an owner of the project, and by the namespace controller", func(ctx context.Context) {
			Expect(scene.as(projectOwner).Delete(ctx, on(ctx, scene))).To(Succeed())
			Expect(scene.as(namespaceController).Delete(ctx, on(ctx, scene))).To(Succeed())
		})
	}

	It("is resumed alone by whoever may resume it by its name", func(ctx context.Context) {
		environment := scene.onHold(ctx)
		Expect(scene.project.Allow(ctx, cluster.Alice, verb(v1alpha1.VerbResume, environment.Name))).To(Succeed())
		environment.Spec.Hold.Reason = ""
		Eventually(func() error { return scene.as(cluster.Alice).Update(ctx, environment) }).WithTimeout(patience).Should(Succeed())
		Expect(scene.as(cluster.Alice).Delete(ctx, scene.onHold(ctx))).To(deniedBy("G14"))
	})

	It("includes no namespace without the annotation, whatever is written to it", func(ctx context.Context) {
		namespace := scene.heldProject(ctx)
		namespace.Annotations = nil
		Expect(scene.as(projectOwner).Update(ctx, namespace)).To(Succeed())
		for _, change := range []func(){
			func() { namespace.Annotations = map[string]string{"mine": "there"} },
			func() { namespace.Annotations[v1alpha1.AnnotationHold] = "" },
			func() { delete(namespace.Annotations, v1alpha1.AnnotationHold) },
			func() { namespace.Annotations[v1alpha1.AnnotationHold] = "incident 4711" },
		} {
			change()
			Expect(scene.as(cluster.Mallory).Update(ctx, namespace)).To(Succeed())
		}
	})
})
