// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"maps"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

const (
	// pageSize is how many objects one answer of the API server holds at most.
	pageSize = 500
	// The API server limits requests by itself, and fairly; a limit here would only make whoever asks wait.
	queriesPerSecond = -1
)

// connection is to the API server, as the caller.
type connection struct {
	client.WithWatch
	scheme *runtime.Scheme
	// project is the namespace of --namespace or of the context.
	project string
}

// connect asks the API server nothing: which kinds there are is known.
func (s *session) connect() (*connection, error) {
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	project, _, err := s.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS, config.UserAgent = queriesPerSecond, "kubectl-assent"
	scheme, err := person.NewScheme()
	if err != nil {
		return nil, err
	}
	live, err := client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: person.NewMapper()})
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	return &connection{WithWatch: live, scheme: scheme, project: project}, nil
}

// whoami is the caller, as the API server finds them.
func (c *connection) whoami(ctx context.Context) (v1alpha1.Person, error) {
	return person.Whoami(ctx, c)
}

// actor is the caller, who writes.
func (c *connection) actor(ctx context.Context) (person.Actor, error) {
	me, err := c.whoami(ctx)
	return person.Actor{Client: c, Me: me}, err
}

// anonymous is the caller for writes that name nobody: the API server is not asked who it is.
func (c *connection) anonymous() person.Actor { return person.Actor{Client: c} }

// may says whether the caller holds a verb on one Environment.
func (c *connection) may(ctx context.Context, verb, project, environment string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: project, Verb: verb, Group: v1alpha1.GroupName, Version: v1alpha1.SchemeGroupVersion.Version, Resource: "environments", Name: environment,
		},
	}}
	if err := c.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking whether you may %s on environment %q: %w", verb, environment, err)
	}
	return review.Status.Allowed, nil
}

// read gets one object of the project.
func (c *connection) read(ctx context.Context, name string, object client.Object) error {
	err := c.Get(ctx, client.ObjectKey{Namespace: c.project, Name: name}, object)
	if !apierrors.IsNotFound(err) || person.IsMissingAPI(err) {
		return err
	}
	kinds, _, kindErr := c.scheme.ObjectKinds(object)
	if kindErr != nil {
		return err
	}
	kind := lowerCase[kinds[0].Kind]
	return fmt.Errorf("%s %q does not exist in project %q: see `kubectl get %ss --namespace %s`, or name the project by --namespace",
		kind, name, c.project, kind, c.project)
}

// lowerCase are the kinds as sentences name them.
var lowerCase = map[string]string{"Release": "release", "Environment": "environment", "Promotion": "promotion", "AuditRecord": "auditrecord"}

// pages lists objects page by page, each into a list of its own: one that is decoded into again keeps what the next page leaves out.
func pages[L client.ObjectList](ctx context.Context, c *connection, empty func() L, visit func(L), options ...client.ListOption) error {
	return person.Pages(ctx, c, empty, func(page L) error {
		visit(page)
		return nil
	}, options...)
}

// completionTime is empty of the Promotions that have not ended.
const completionTime = "status.completionTime"

// open visits the Promotions that have not ended, page by page; to one Environment alone, if it is named. Those that have ended are left out by the API server: they
// are most of them.
func (c *connection) open(ctx context.Context, environment string, visit func(*v1alpha1.Promotion), options ...client.ListOption) error {
	fields := client.MatchingFields{}
	if environment != "" {
		fields["spec.environment"] = environment
	}
	some := func(page *v1alpha1.PromotionList) {
		for i := range page.Items {
			if !report.Ended(&page.Items[i]) {
				visit(&page.Items[i])
			}
		}
	}
	empty := func() *v1alpha1.PromotionList { return &v1alpha1.PromotionList{} }
	narrow := maps.Clone(fields)
	narrow[completionTime] = ""
	err := pages(ctx, c, empty, some, append(options, narrow)...)
	if apierrors.IsBadRequest(err) { // the definitions in the cluster are older than this plugin: the field cannot be chosen by
		return pages(ctx, c, empty, some, append(options, fields)...)
	}
	return err
}
