// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/plan"
)

// workOf is what the floor has to do to roll Promotions out: as the operator has rolled out the model, with the same records, the same objects and the
// same status. The operator must not run until it is done.
func (c *Crowd) workOf(ctx context.Context, waiting []*v1alpha1.Promotion) (map[string]Rollout, error) {
	like, err := c.model(ctx)
	if err != nil {
		return nil, err
	}
	environments := map[types.NamespacedName]*v1alpha1.Environment{}
	for _, project := range c.projects {
		var all v1alpha1.EnvironmentList
		if err := c.admin.List(ctx, &all, client.InNamespace(project)); err != nil {
			return nil, err
		}
		for i := range all.Items {
			environments[client.ObjectKeyFromObject(&all.Items[i])] = &all.Items[i]
		}
	}
	work := map[string]Rollout{}
	for _, p := range waiting {
		one := rolling{model: like, asked: p, environment: environments[types.NamespacedName{Namespace: p.Namespace, Name: p.Spec.Environment}]}
		if one.environment == nil {
			return nil, fmt.Errorf("promotion %q of project %q has no environment", p.Name, p.Namespace)
		}
		if work[p.Namespace+"/"+p.Name], err = one.encode(); err != nil {
			return nil, err
		}
	}
	return work, nil
}

// model is what the operator has left behind where it has rolled something out itself.
type model struct {
	promotion     *v1alpha1.Promotion
	environment   *v1alpha1.Environment
	intent, ended *v1alpha1.AuditRecord
}

// model finds what the operator has done in the first Environment last.
func (c *Crowd) model(ctx context.Context) (model, error) {
	var found model
	at := c.places[0]
	found.environment, found.promotion = &v1alpha1.Environment{}, &v1alpha1.Promotion{}
	if err := c.admin.Get(ctx, types.NamespacedName{Namespace: at.project, Name: at.name}, found.environment); err != nil {
		return found, err
	}
	if err := c.admin.Get(ctx, types.NamespacedName{Namespace: at.project, Name: found.environment.Status.Current.Promotion}, found.promotion); err != nil {
		return found, err
	}
	var records v1alpha1.AuditRecordList
	if err := c.admin.List(ctx, &records, client.InNamespace(at.project), client.MatchingLabels{v1alpha1.LabelPromotionUID: string(found.promotion.UID)}); err != nil {
		return found, err
	}
	for i := range records.Items {
		record := &records.Items[i]
		if record.Spec.Type == v1alpha1.AuditIntent {
			found.intent = record
		}
		if record.Spec.Type == v1alpha1.AuditSucceeded {
			found.ended = record
		}
	}
	if found.intent == nil || found.ended == nil {
		return found, fmt.Errorf("promotion %q has no intent and no success on record, so that nothing can be done like it", found.promotion.Name)
	}
	return found, nil
}

// rolling is a Promotion that the floor is to roll out like the model.
type rolling struct {
	model
	asked       *v1alpha1.Promotion
	environment *v1alpha1.Environment
}

// version that is rolled out.
func (r rolling) version() string { return strings.TrimPrefix(r.asked.Spec.Release, "shop-") }

func (r rolling) encode() (Rollout, error) {
	project, current := r.asked.Namespace, r.asked.Status.Plan
	entry := r.intent.Spec
	entry.Environment, entry.Target, entry.Objects = r.environment.Name, r.environment.Spec.Target, r.objects()
	entry.Time = metav1.Now().Rfc3339Copy()
	entry.Promotion = v1alpha1.ObjectIdentity{Name: r.asked.Name, UID: string(r.asked.UID)}
	entry.RequestedBy, entry.Fallback = r.asked.Spec.RequestedBy, current.Fallback
	entry.Release.ObjectIdentity, entry.Release.Version, entry.Release.Digest = current.Inputs.Release, r.version(), current.Inputs.ReleaseDigest
	entry.PlanDigest, entry.RenderedDigest = current.Digest, current.RenderedDigest
	intent, err := audit.Seal(project, r.environment.Status.Audit, entry)
	if err != nil {
		return Rollout{}, err
	}
	entry.Type, entry.Reason, entry.Objects, entry.Decisions, entry.DecidedBy = v1alpha1.AuditSucceeded, r.ended.Spec.Reason, nil, nil, ""
	end, err := audit.Seal(project, audit.HeadOf(intent), entry)
	if err != nil {
		return Rollout{}, err
	}
	var work Rollout
	records := "/apis/assent.dev/v1alpha1/namespaces/" + project + "/auditrecords"
	status := "/apis/assent.dev/v1alpha1/namespaces/" + project + "/promotions/" + r.asked.Name + "/status"
	write := func(into *Write, method, path string, body any) {
		*into = Write{Method: method, Path: path, Type: "application/json"}
		if into.Body, err = json.Marshal(body); err != nil {
			err = fmt.Errorf("encoding %s %s: %w", method, path, err)
		}
	}
	write(&work.Start, http.MethodPut, status, r.written(r.started()))
	write(&work.Intent, http.MethodPost, records, intent)
	write(&work.Outcome, http.MethodPost, records, end)
	write(&work.Environment, http.MethodPut, "/apis/assent.dev/v1alpha1/namespaces/"+project+"/environments/"+r.environment.Name+"/status", r.after(intent, end))
	write(&work.End, http.MethodPut, status, r.written(r.succeeded()))
	if err != nil {
		return work, err
	}
	work.Applies, err = r.applies()
	return work, err
}

// written is the Promotion with a status, in whatever version it has by then.
func (r rolling) written(status v1alpha1.PromotionStatus) *v1alpha1.Promotion {
	written := r.asked.DeepCopy()
	written.ResourceVersion, written.ManagedFields, written.Status = versionPlace, nil, status
	written.APIVersion, written.Kind = v1alpha1.SchemeGroupVersion.String(), "Promotion"
	return written
}

func (r rolling) started() v1alpha1.PromotionStatus {
	status := *r.asked.Status.DeepCopy()
	status.StartTime, status.Blockers = metav1.Now(), nil
	status.Approvals = r.succeeded().Approvals
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRollingOut, Message: "the rollout has started; decisions are closed",
	})
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRollingOut, Message: "the rollout is running",
	})
	return status
}

func (r rolling) succeeded() v1alpha1.PromotionStatus {
	status := *r.promotion.Status.DeepCopy()
	status.Plan = r.asked.Status.Plan
	status.Plan.Diff = ""
	for i := range status.Approvals.Counted {
		status.Approvals.Counted[i].PlanDigest = status.Plan.Digest
	}
	return status
}

// after is the Environment after the rollout: what the model's says, said of this one.
func (r rolling) after(intent, end *v1alpha1.AuditRecord) *v1alpha1.Environment {
	written := r.environment.DeepCopy()
	written.ManagedFields = nil
	written.APIVersion, written.Kind = v1alpha1.SchemeGroupVersion.String(), "Environment"
	like := r.model.environment
	status := *like.Status.DeepCopy()
	status.Stage, status.Waiting, status.WaitingCount = r.environment.Status.Stage, r.environment.Status.Waiting, r.environment.Status.WaitingCount
	status.Previous, status.Audit, status.Inventory = r.environment.Status.Current, audit.HeadOf(end), intent.Spec.Objects
	status.Current = v1alpha1.Deployment{
		Release: intent.Spec.Release.Name, Version: r.version(), Promotion: r.asked.Name, Digest: intent.Spec.PlanDigest,
		StartedTime: intent.Spec.Time, SinceTime: end.Spec.Time,
	}
	for i := range status.Releases[:min(1, len(status.Releases))] {
		status.Releases[i].Name, status.Releases[i].UID, status.Releases[i].Version = intent.Spec.Release.Name, intent.Spec.Release.UID, r.version()
	}
	said := strings.NewReplacer(
		like.Status.Current.Promotion, r.asked.Name, like.Status.Current.Release, intent.Spec.Release.Name,
		like.Spec.Target.Namespace, r.environment.Spec.Target.Namespace)
	for i := range status.Conditions {
		status.Conditions[i].Message = said.Replace(status.Conditions[i].Message)
	}
	written.Status = status
	return written
}

// objects of the model, in the Environment's own target namespace.
func (r rolling) objects() []v1alpha1.ObjectReference {
	refs := slices.Clone(r.intent.Spec.Objects)
	for i := range refs {
		refs[i].Namespace = r.environment.Spec.Target.Namespace
	}
	return refs
}

// applies are the four objects as the operator applies them.
func (r rolling) applies() ([]Write, error) {
	var objects []*unstructured.Unstructured
	for _, text := range strings.Split(manifests(r.version()), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
			return nil, fmt.Errorf("reading the manifests: %w", err)
		}
		objects = append(objects, object)
	}
	target := r.environment.Spec.Target
	err := plan.Place(objects, plan.PlaceOptions{
		Target: target, Project: r.asked.Namespace, Environment: r.environment.Name, PromotionUID: r.asked.UID,
		Scope: func(schema.GroupVersionKind) (meta.RESTScopeName, error) { return meta.RESTScopeNameNamespace, nil },
	})
	if err != nil {
		return nil, err
	}
	writes := make([]Write, len(objects))
	for i, object := range objects {
		body, err := object.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("encoding the manifests: %w", err)
		}
		root := "/api/v1"
		if group := object.GroupVersionKind().Group; group != corev1.GroupName {
			root = "/apis/" + object.GetAPIVersion()
		}
		writes[i] = Write{
			Method: http.MethodPatch, Type: string(types.ApplyPatchType), Body: body, As: apply.Username(target),
			For:  apply.PromotionIdentity{Namespace: r.asked.Namespace, Name: r.asked.Name, UID: r.asked.UID}.String(),
			Path: fmt.Sprintf("%s/namespaces/%s/%ss/%s?fieldManager=%s&force=true", root, target.Namespace, strings.ToLower(object.GetKind()), object.GetName(), v1alpha1.FieldManager),
		}
	}
	return writes, nil
}
