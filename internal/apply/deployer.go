// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
)

const (
	// parallel is how many requests a Deployer has under way at once.
	parallel = 16
	// requestTimeout ends a request that hangs; the caller tries again.
	requestTimeout = 30 * time.Second
)

// PromotionIdentity names the promotion that requests are made for.
type PromotionIdentity struct {
	Namespace, Name string
	UID             types.UID
}

// String is the identity as requests carry it: NAMESPACE/NAME/UID.
func (p PromotionIdentity) String() string {
	return p.Namespace + "/" + p.Name + "/" + string(p.UID)
}

// Factory makes Deployers.
type Factory struct {
	config *rest.Config
	mapper meta.RESTMapper
}

// NewFactory makes a Factory of the operator's own configuration. The mapper has to look again when it does not know a kind, as
// controller-runtime's does, or to be resettable.
func NewFactory(config *rest.Config, mapper meta.RESTMapper) *Factory {
	// The API server's priority and fairness is the limit; a second one here would only slow rollouts down.
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.RateLimiter = nil
	return &Factory{config: config, mapper: mapper}
}

// Scope tells the scope of a kind that the cluster knows; see plan.ScopeLookup.
func (f *Factory) Scope(kind schema.GroupVersionKind) (meta.RESTScopeName, error) {
	mapping, err := f.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return "", err
	}
	return mapping.Scope.Name(), nil
}

// As makes the deployer of a target, acting for one promotion. It does not ask whether the service account is there: see CheckDeployer.
func (f *Factory) As(target v1alpha1.Target, promotion PromotionIdentity) (*Deployer, error) {
	config := rest.CopyConfig(f.config)
	// The API server adds a service account's groups itself when none are given.
	config.Impersonate = rest.ImpersonationConfig{
		UserName: Username(target),
		Extra:    map[string][]string{v1alpha1.ExtraPromotion: {promotion.String()}},
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for %q: %w", Username(target), err)
	}
	names, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for the metadata that %q may read: %w", Username(target), err)
	}
	return &Deployer{client: client, metadata: names, mapper: f.mapper, target: target}, nil
}

// Username is the deployer as the API server knows it.
func Username(target v1alpha1.Target) string {
	return "system:serviceaccount:" + target.Namespace + ":" + target.ServiceAccountName
}

var serviceAccounts = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}

// CheckDeployer tells whether the deployer's service account exists, as the operator: the API server lets a missing one be impersonated.
// Its error is an *Error of kind DeployerError when it is missing, and says what to create.
func (f *Factory) CheckDeployer(ctx context.Context, target v1alpha1.Target) error {
	client, err := dynamic.NewForConfig(f.config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err = client.Resource(serviceAccounts).Namespace(target.Namespace).Get(ctx, target.ServiceAccountName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return newError(problem{kind: DeployerError, cause: err, message: fmt.Sprintf(
			"the deployer %q of namespace %q does not exist: create the service account and bind it to a Role with what the Release's objects need, or correct `spec.target` of the Environment",
			target.ServiceAccountName, target.Namespace)})
	}
	if err != nil {
		return fmt.Errorf("look for the deployer %q in namespace %q: %w", target.ServiceAccountName, target.Namespace, err)
	}
	return nil
}

// Deployer reads and writes as the service account of a target, for one promotion.
type Deployer struct {
	client   dynamic.Interface
	metadata metadata.Interface
	mapper   meta.RESTMapper
	target   v1alpha1.Target
}

// Reader is the deployer's own client, for the watches that the operator has no right to.
func (d *Deployer) Reader() dynamic.Interface {
	return d.client
}

// resource is where a kind's objects are read and written; an empty version means the preferred one.
func (d *Deployer) resource(kind schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	var versions []string
	if kind.Version != "" {
		versions = append(versions, kind.Version)
	}
	mapping, err := d.mapper.RESTMapping(kind.GroupKind(), versions...)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return d.client.Resource(mapping.Resource).Namespace(namespace), nil
	}
	return d.client.Resource(mapping.Resource), nil
}

// metadataOf is where a kind's objects are read and written by who needs nothing but their metadata back.
func (d *Deployer) metadataOf(kind schema.GroupVersionKind, namespace string) (metadata.ResourceInterface, error) {
	mapping, err := d.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return d.metadata.Resource(mapping.Resource).Namespace(namespace), nil
	}
	return d.metadata.Resource(mapping.Resource), nil
}

// live reads an object; nil when it is not there.
func live(ctx context.Context, resource dynamic.ResourceInterface, name string) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	object, err := resource.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return object, err
}

// dryRun asks what would come of applying an object over whatever is there.
func dryRun(ctx context.Context, resource dynamic.ResourceInterface, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return patch(ctx, object, trying, resource.Patch)
}

// tryWrite is dryRun for who asks only whether it would be accepted, and over which version.
func tryWrite(ctx context.Context, writes metadata.ResourceInterface, object *unstructured.Unstructured) (*metav1.PartialObjectMetadata, error) {
	return patch(ctx, object, trying, writes.Patch)
}

var trying = metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, Force: ptr.To(true)}

// create applies an object that is not there. It takes no field from anybody: what somebody else has created since is a conflict.
func create(ctx context.Context, writes metadata.ResourceInterface, object *unstructured.Unstructured) (*metav1.PartialObjectMetadata, error) {
	return patch(ctx, object, metav1.PatchOptions{}, writes.Patch)
}

// overwrite applies an object over one version of it. It is a conflict when that is not the version that is there.
func overwrite(ctx context.Context, writes metadata.ResourceInterface, object, over *unstructured.Unstructured) (*metav1.PartialObjectMetadata, error) {
	versioned := &unstructured.Unstructured{Object: maps.Clone(object.Object)}
	said, _ := object.Object["metadata"].(map[string]any)
	named := maps.Clone(said)
	named["uid"], named["resourceVersion"] = string(over.GetUID()), over.GetResourceVersion()
	versioned.Object["metadata"] = named
	return patch(ctx, versioned, metav1.PatchOptions{Force: ptr.To(true)}, writes.Patch)
}

// sending is the method of a client that sends a patch. The metadata client's has the API server answer with the metadata alone.
type sending[T any] func(ctx context.Context, name string, kind types.PatchType, content []byte, options metav1.PatchOptions, subresources ...string) (T, error)

// patch applies an object as the whole of what Assent says about it.
func patch[T any](ctx context.Context, object *unstructured.Unstructured, options metav1.PatchOptions, send sending[T]) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	content, err := object.MarshalJSON()
	if err != nil {
		var none T
		return none, fmt.Errorf("encode as JSON: %w", err)
	}
	options.FieldManager = v1alpha1.FieldManager
	return send(ctx, object.GetName(), types.ApplyPatchType, content, options)
}

// each works on all items, `parallel` at a time, and returns the problems in the items' order.
func each[T any](items []T, work func(index int, item T) *problem) error {
	problems := make([]*problem, len(items))
	slots := make(chan struct{}, parallel)
	var group sync.WaitGroup
	for i, item := range items {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			problems[i] = work(i, item)
		})
	}
	group.Wait()
	return joinProblems(problems)
}

func kindOf(ref v1alpha1.ObjectReference) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: ref.Group, Kind: ref.Kind}
}

func describe(object *unstructured.Unstructured) string {
	return plan.Describe(plan.Reference(object))
}
