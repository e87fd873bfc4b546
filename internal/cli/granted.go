// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// fewPlaces are asked about one by one; for more in one project the API server is asked for all rules that hold there.
const fewPlaces = 2

// granted says on which of many Environments the caller holds a verb, as the API server says.
func (c *connection) granted(ctx context.Context, verb string, places []place) (map[place]bool, error) {
	projects := map[string][]place{}
	for _, at := range places {
		projects[at.project] = append(projects[at.project], at)
	}
	var mu sync.Mutex
	found := make(map[place]bool, len(places))
	questions, asked := errgroup.WithContext(ctx)
	questions.SetLimit(together)
	for project, places := range projects {
		questions.Go(func() error {
			allowed, err := c.grantedIn(asked, verb, project, places)
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

func (c *connection) grantedIn(ctx context.Context, verb, project string, places []place) (map[place]bool, error) {
	found := make(map[place]bool, len(places))
	if len(places) > fewPlaces {
		rules, whole, err := c.rules(ctx, project)
		if err != nil {
			return nil, err
		}
		if whole {
			for _, at := range places {
				found[at] = covers(rules, verb, at.environment)
			}
			return found, nil
		}
	}
	for _, at := range places {
		allowed, err := c.may(ctx, verb, project, at.environment)
		if err != nil {
			return nil, err
		}
		found[at] = allowed
	}
	return found, nil
}

// rules of the caller in a project, and whether these are all: an authorizer that asks elsewhere cannot list what it would answer, and some clusters let nobody ask.
func (c *connection) rules(ctx context.Context, project string) (rules []authorizationv1.ResourceRule, whole bool, err error) {
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: project}}
	err = c.Create(ctx, review)
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
