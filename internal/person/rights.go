// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// fewPlaces are asked about one by one; for more in one project the API server is asked for all rules that hold there.
	fewPlaces = 2
	// questionsAtOnce is how many are put to the API server at the same time.
	questionsAtOnce = 16
)

// Asker puts questions to the API server about the rights of whoever asks: reviews, which are answered by being created. A client is one.
type Asker interface {
	Create(ctx context.Context, review client.Object, options ...client.CreateOption) error
}

// Place is one Environment of one project.
type Place struct{ Project, Environment string }

// May says whether the person holds a verb on one Environment.
func May(ctx context.Context, as Asker, verb, project, environment string) (bool, error) {
	allowed, err := Allowed(ctx, as, authorizationv1.ResourceAttributes{Namespace: project, Verb: verb, Resource: "environments", Name: environment})
	if err != nil {
		return false, fmt.Errorf("asking whether you may %s on environment %q: %w", verb, environment, err)
	}
	return allowed, nil
}

// Allowed says whether the person may do something with a kind of Assent's own. An empty namespace stands for all of them, and an empty name for all objects.
func Allowed(ctx context.Context, as Asker, what authorizationv1.ResourceAttributes) (bool, error) {
	what.Group, what.Version = v1alpha1.GroupName, v1alpha1.SchemeGroupVersion.Version
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what}}
	if err := as.Create(ctx, review); err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

// Granted says on which of many Environments the person holds a verb, as the API server says.
func Granted(ctx context.Context, as Asker, verb string, places []Place) (map[Place]bool, error) {
	projects := map[string][]Place{}
	for _, at := range places {
		projects[at.Project] = append(projects[at.Project], at)
	}
	var mu sync.Mutex
	found := make(map[Place]bool, len(places))
	questions, asked := errgroup.WithContext(ctx)
	questions.SetLimit(questionsAtOnce)
	for project, places := range projects {
		questions.Go(func() error {
			allowed, err := grantedIn(asked, as, verb, project, places)
			mu.Lock()
			defer mu.Unlock()
			for at, is := range allowed {
				found[at] = is
			}
			return err
		})
	}
	return found, questions.Wait()
}

func grantedIn(ctx context.Context, as Asker, verb, project string, places []Place) (map[Place]bool, error) {
	found := make(map[Place]bool, len(places))
	if len(places) > fewPlaces {
		rules, whole, err := rules(ctx, as, project)
		if err != nil {
			return nil, err
		}
		if whole {
			for _, at := range places {
				found[at] = covers(rules, verb, at.Environment)
			}
			return found, nil
		}
	}
	for _, at := range places {
		allowed, err := May(ctx, as, verb, project, at.Environment)
		if err != nil {
			return nil, err
		}
		found[at] = allowed
	}
	return found, nil
}

// rules of the person in a project, and whether these are all: an authorizer that asks elsewhere cannot list what it would answer, and some clusters let nobody ask.
func rules(ctx context.Context, as Asker, project string) (rules []authorizationv1.ResourceRule, whole bool, err error) {
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: project}}
	err = as.Create(ctx, review)
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("asking what you may do in project %q: %w", project, err)
	}
	return review.Status.ResourceRules, !review.Status.Incomplete, nil
}

// covers says whether a rule grants the verb on an Environment.
func covers(rules []authorizationv1.ResourceRule, verb, environment string) bool {
	has := func(list []string, one string) bool { return slices.Contains(list, one) || slices.Contains(list, "*") }
	return slices.ContainsFunc(rules, func(rule authorizationv1.ResourceRule) bool {
		return has(rule.Verbs, verb) && has(rule.APIGroups, v1alpha1.GroupName) && has(rule.Resources, "environments") &&
			(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, environment))
	})
}
