// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package latency

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/apply"
	"github.com/assent-dev/assent/internal/audit"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/test/bench/floor"
	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/bench/scene"
	"github.com/assent-dev/assent/test/cluster"
)

// parallel is how many requests the floor has under way at once: as many as a rollout.
const parallel = 16

// noDigest stands where the operator would have computed one.
const noDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// bare is the floor. Its Promotions name nothing that is there: the operator sleeps from their creation to their deletion.
type bare struct {
	scene *scene.Scene
}

func (b *bare) contender() measure.Contender { return measure.Floor }

func (b *bare) place(ctx context.Context) (*scene.Place, error) {
	return b.scene.Bare(ctx)
}

func (b *bare) leave(ctx context.Context, _ *scene.Place) error {
	return b.scene.Rest(ctx)
}

func (b *bare) roll(ctx context.Context, place *scene.Place, v version) (measured finish, err error) {
	if err := b.scene.Operator.Pause(); err != nil {
		return measured, err
	}
	defer func() { err = errors.Join(err, b.scene.Operator.Resume()) }()
	asked, err := b.ask(ctx, place, v)
	if err != nil {
		return measured, err
	}
	job, err := b.job(place, asked, v)
	if err != nil {
		return measured, err
	}
	ctx, cancel := context.WithTimeout(ctx, scene.Patience)
	defer cancel()
	process, err := floor.Start(ctx, floor.Order{
		Kubeconfig: filepath.Join(b.scene.Dir, "kubeconfig"), Parallel: parallel, Project: place.Project, Jobs: []floor.Job{job},
	})
	if err != nil {
		return measured, err
	}
	if err := b.scene.Rest(ctx); err != nil {
		return measured, err
	}
	log, err := b.scene.Cluster.Requests()
	if err != nil {
		return measured, err
	}
	if err := b.scene.Approve(ctx, asked); err != nil {
		return measured, err
	}
	done, err := process.Next()
	if err := errors.Join(err, process.Wait()); err != nil {
		return measured, err
	}
	measured.ready = done.Ready
	if measured.began, err = approvedAt(log, asked); err != nil {
		return measured, err
	}
	if measured.written, err = lastWrite(log, place, v.objects, cluster.Request.ByOperator); err != nil {
		return measured, err
	}
	if err := b.scene.As(cluster.Admin).Delete(ctx, asked); err != nil {
		return measured, fmt.Errorf("deleting the floor's promotion: %w", err)
	}
	return measured, b.scene.Rest(ctx)
}

// ask is bob's; with a plan in status, as the guard wants to see it before anybody approves.
func (b *bare) ask(ctx context.Context, place *scene.Place, v version) (*v1alpha1.Promotion, error) {
	asked := cluster.NewPromotion(place.Project, v.name, v.name, scene.Production)
	if err := b.scene.As(cluster.Bob).Create(ctx, asked); err != nil {
		return nil, fmt.Errorf("asking for the floor's promotion: %w", err)
	}
	config, err := b.scene.Cluster.ControllerConfig(ctx)
	if err != nil {
		return nil, err
	}
	operator, err := b.scene.Cluster.ClientFor(config)
	if err != nil {
		return nil, err
	}
	asked.Status.ObservedGeneration = asked.Generation
	nothing := v1alpha1.ObjectIdentity{Name: "nothing", UID: "nothing"}
	asked.Status.Plan = v1alpha1.Plan{
		Digest: noDigest, RenderedDigest: noDigest, Objects: ptr.To(int32(v.objects)), PlannedTime: metav1.Now(),
		Inputs: v1alpha1.PlanInputs{Release: nothing, ReleaseDigest: noDigest, Environment: nothing, EnvironmentDigest: noDigest, GuardDigest: noDigest},
	}
	apimeta.SetStatusCondition(&asked.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonAwaitingApproval, Message: "needs 1 approval",
	})
	if err := operator.Status().Update(ctx, asked, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
		return nil, fmt.Errorf("writing the status of the floor's promotion: %w", err)
	}
	return asked, nil
}

// job that the floor is to do: the same writes as the operator's, but for what the operator computes.
func (b *bare) job(place *scene.Place, asked *v1alpha1.Promotion, v version) (floor.Job, error) {
	objects, err := placed(place, v.manifests)
	if err != nil {
		return floor.Job{}, err
	}
	job := floor.Job{
		Project: place.Project, Name: asked.Name, Deployer: apply.Username(place.Target), Deployments: place.Target.Namespace,
		Extra: apply.PromotionIdentity{Namespace: asked.Namespace, Name: asked.Name, UID: asked.UID}.String(),
	}
	var references []v1alpha1.ObjectReference
	for _, object := range objects {
		content, err := object.MarshalJSON()
		if err != nil {
			return job, err
		}
		references = append(references, plan.Reference(object))
		job.Writes = append(job.Writes, floor.Write{Path: pathOf(object), Body: content})
	}
	job.Intent, err = intentOf(place, asked, v, references)
	return job, err
}

// placed are the objects as the operator would write them.
func placed(place *scene.Place, manifests string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for text := range strings.SplitSeq(manifests, "---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	err := plan.Place(objects, plan.PlaceOptions{
		Target: place.Target, Project: place.Project, Environment: scene.Production,
		Scope: func(schema.GroupVersionKind) (apimeta.RESTScopeName, error) {
			return apimeta.RESTScopeNameNamespace, nil
		},
	})
	plan.Sort(objects)
	return objects, err
}

// pathOf a ConfigMap or a Deployment, with what server-side apply wants to know.
func pathOf(object *unstructured.Unstructured) string {
	query := url.Values{"fieldManager": {v1alpha1.FieldManager}, "force": {"true"}}
	kind := object.GroupVersionKind()
	prefix := "/apis/" + kind.Group + "/" + kind.Version
	if kind.Group == "" {
		prefix = "/api/" + kind.Version
	}
	return fmt.Sprintf("%s/namespaces/%s/%ss/%s?%s", prefix, object.GetNamespace(), strings.ToLower(kind.Kind), object.GetName(), query.Encode())
}

// intentOf a promotion, as the operator would put it on record.
func intentOf(place *scene.Place, asked *v1alpha1.Promotion, v version, objects []v1alpha1.ObjectReference) ([]byte, error) {
	head := v1alpha1.AuditHead{}
	if v.name != "creating" {
		head = v1alpha1.AuditHead{Sequence: 1, Head: noDigest}
	}
	now := metav1.NewTime(time.Now().UTC().Truncate(time.Second))
	record, err := audit.Seal(place.Project, head, v1alpha1.AuditRecordSpec{
		Environment: scene.Production, Type: v1alpha1.AuditIntent, Time: now, Promotion: v1alpha1.ObjectIdentity{Name: asked.Name, UID: string(asked.UID)},
		RequestedBy: asked.Spec.RequestedBy, PlanDigest: noDigest, RenderedDigest: noDigest, Target: place.Target, Objects: objects, DecidedBy: cluster.Alice,
		Release:   v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: v.name, UID: string(asked.UID)}, Version: v.name, Digest: noDigest},
		Decisions: []v1alpha1.AuditedDecision{{User: cluster.Alice, Groups: []string{"shop-owners", "system:authenticated"}, Decision: v1alpha1.DecisionApproved, Time: now}},
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(record)
}
