// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/report"
)

// againstLive compares a diff with what runs now, read as the caller.
func (s *session) againstLive(ctx context.Context, c *connection, promotion *v1alpha1.Promotion, difference report.Difference) (report.Difference, error) {
	if difference.Ended {
		return difference, fmt.Errorf("promotion %q has ended, and its diff is not kept: see what runs now by `kubectl assent status %s`", promotion.Name, promotion.Spec.Environment)
	}
	environment := &v1alpha1.Environment{}
	if err := c.read(ctx, promotion.Spec.Environment, environment); err != nil {
		return difference, err
	}
	if environment.Spec.Target.Cluster != (v1alpha1.TargetCluster{}) {
		return difference, fmt.Errorf("environment %q runs in another cluster, which this kubeconfig does not speak of: look there by kubectl", environment.Name)
	}
	live, err := s.anything()
	if err != nil {
		return difference, err
	}
	found := make([]report.Found, len(difference.Changes))
	questions, asked := errgroup.WithContext(ctx)
	questions.SetLimit(together)
	for i, change := range difference.Changes {
		questions.Go(func() error {
			found[i] = look(asked, live, change.ObjectReference)
			return nil
		})
	}
	if err := questions.Wait(); err != nil {
		return difference, err
	}
	answers := map[v1alpha1.ObjectReference]report.Found{}
	for i, change := range difference.Changes {
		answers[change.ObjectReference] = found[i]
	}
	return difference.Against(answers), nil
}

// anything reads objects of every kind that the API server has.
func (s *session) anything() (client.Client, error) {
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	mapper, err := s.flags.ToRESTMapper()
	if err != nil {
		return nil, fmt.Errorf("asking which kinds there are: %w", err)
	}
	scheme, err := person.NewScheme()
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme, Mapper: mapper})
}

// look at one object. What cannot be seen is no reason not to look at the others.
func look(ctx context.Context, live client.Client, ref v1alpha1.ObjectReference) report.Found {
	mapping, err := live.RESTMapper().RESTMapping(schema.GroupKind{Group: ref.Group, Kind: ref.Kind})
	if err != nil {
		return report.Found{Unknown: err.Error()}
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(mapping.GroupVersionKind)
	err = live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return report.Found{}
	case err != nil:
		return report.Found{Unknown: err.Error()}
	default:
		return report.Found{Text: plan.Shown(object)}
	}
}
