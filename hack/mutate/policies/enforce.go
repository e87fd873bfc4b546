// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// fieldManager is the one that the suites install the guard as, so that what is left out is removed.
	fieldManager = "assent-install"
	// sentinel is the name of what tells that a change is in force.
	sentinel = "mutate-sentinel"
	// The API server looks for changed policies once a second.
	patience = time.Minute
	interval = 150 * time.Millisecond
)

// errInvalid says that the API server refuses a mutant: nobody could install it.
var errInvalid = errors.New("the API server refuses it")

// guard is the guard of one cluster, which is changed and put back.
type guard struct {
	admin client.Client
	// root of the copy of the repository that the suite reads.
	root    string
	shipped []manifest
	// replaced is the path of the file that a mutant has changed.
	replaced string
	markers  int
}

// enforce puts back what another mutant has changed, changes what this one does, and returns once that is in force.
func (g *guard) enforce(ctx context.Context, m mutant) error {
	// What changed the same file is replaced as a whole.
	if g.replaced != m.changed.path {
		if err := g.putBack(ctx); err != nil {
			return err
		}
	}
	g.replaced = m.changed.path
	if err := g.write(m.changed); err != nil {
		return err
	}
	if !installed(m.changed) {
		return nil
	}
	if err := g.apply(ctx, m.changed); err != nil {
		if apierrors.IsInvalid(err) {
			return fmt.Errorf("%w: %w", errInvalid, err)
		}
		return err
	}
	return g.waitUntilInForce(ctx, strings.HasPrefix(m.changed.path, "config/guard/stamping/"))
}

// putBack makes the guard the shipped one, which is in force some time later.
func (g *guard) putBack(ctx context.Context) error {
	for _, shipped := range g.shipped {
		if g.replaced != shipped.path {
			continue
		}
		if err := g.write(shipped); err != nil {
			return err
		}
		if !installed(shipped) {
			continue
		}
		if err := g.apply(ctx, shipped); err != nil {
			return err
		}
	}
	g.replaced = ""
	return nil
}

// installed says that the file is one of this cluster's guard, and not of a remote one's.
func installed(m manifest) bool {
	return strings.HasPrefix(m.path, "config/guard/")
}

func (g *guard) write(m manifest) error {
	content, err := m.bytes()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.root, m.path), content, 0o600); err != nil {
		return fmt.Errorf("changing the copy of the guard: %w", err)
	}
	return nil
}

// apply makes the cluster's objects what the file says, and deletes those that were in the shipped one and are not in this.
func (g *guard) apply(ctx context.Context, m manifest) error {
	for _, object := range m.objects {
		applied := object.DeepCopy()
		err := g.admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner(fieldManager), client.ForceOwnership)
		if err != nil {
			return fmt.Errorf("applying %s %q: %w", object.GetKind(), object.GetName(), err)
		}
	}
	for _, shipped := range g.shipped {
		if shipped.path != m.path {
			continue
		}
		for _, object := range shipped.objects {
			if slices.ContainsFunc(m.objects, func(kept *unstructured.Unstructured) bool { return kept.GetName() == object.GetName() }) {
				continue
			}
			if err := client.IgnoreNotFound(g.admin.Delete(ctx, object.DeepCopy())); err != nil {
				return fmt.Errorf("deleting %s %q: %w", object.GetKind(), object.GetName(), err)
			}
		}
	}
	return nil
}

// waitUntilInForce makes a sentinel, which refuses or labels one write alone, and waits until it does. The API server learns of policies and of
// bindings of a kind in the order of their changes, and puts all that it knows in force at once: what was changed before is in force too.
func (g *guard) waitUntilInForce(ctx context.Context, stamping bool) error {
	if err := g.removeSentinels(ctx); err != nil {
		return err
	}
	g.markers++
	name := fmt.Sprintf("%s-%d-%d", sentinel, os.Getpid(), g.markers)
	made, probe := refusing(name), g.refuses
	if stamping {
		made, probe = labelling(name), g.labels
	}
	for _, object := range made {
		if err := g.admin.Create(ctx, object); err != nil {
			return fmt.Errorf("creating the sentinel: %w", err)
		}
	}
	var last error
	err := wait.PollUntilContextTimeout(ctx, interval, patience, true, func(ctx context.Context) (bool, error) {
		last = probe(ctx, name)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting until a change of the guard is in force: %w: %w", err, last)
	}
	return nil
}

// labels is nil when the sentinel of that name labels.
func (g *guard) labels(ctx context.Context, name string) error {
	labelled := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault}}
	if err := g.admin.Create(ctx, labelled, client.DryRunAll); err != nil {
		return err
	}
	if labelled.Labels[sentinel] != name {
		return errors.New("the sentinel does not label")
	}
	return nil
}

// refuses is nil when the sentinel of that name refuses.
func (g *guard) refuses(ctx context.Context, name string) error {
	refused := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault}}
	switch err := g.admin.Create(ctx, refused, client.DryRunAll); {
	case err == nil:
		return errors.New("the sentinel does not refuse")
	case strings.Contains(err.Error(), sentinel):
		return nil
	default:
		return err
	}
}

// creations in the namespace default of ConfigMaps alone are what sentinels judge.
func creations() *admissionregistrationv1.MatchResources {
	return &admissionregistrationv1.MatchResources{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: metav1.NamespaceDefault}},
		ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
		}}},
	}
}

func refusing(name string) []client.Object {
	meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{sentinel: name}}
	return []client.Object{
		&admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: meta, Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: creations(),
			Validations:      []admissionregistrationv1.Validation{{Expression: fmt.Sprintf("object.metadata.name != %q", name), Message: sentinel}},
		}},
		&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta, Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		}},
	}
}

func labelling(name string) []client.Object {
	meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{sentinel: name}}
	label := fmt.Sprintf(`object.metadata.name == %q ? [JSONPatch{op: "add", path: "/metadata/labels", value: {%q: %q}}] : []`, name, sentinel, name)
	return []client.Object{
		&admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: meta, Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: creations(), ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch, JSONPatch: &admissionregistrationv1.JSONPatch{Expression: label},
			}},
		}},
		&admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: meta, Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{
			PolicyName: name,
		}},
	}
}

func (g *guard) removeSentinels(ctx context.Context) error {
	for _, object := range append(refusing(""), labelling("")...) {
		if err := g.admin.DeleteAllOf(ctx, object, client.HasLabels{sentinel}); err != nil {
			return fmt.Errorf("removing the sentinel: %w", err)
		}
	}
	return nil
}
