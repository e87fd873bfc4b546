// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cli/report"
)

func newStatus(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status [ENVIRONMENT…]",
		GroupID: groupSee,
		Short:   "Show what runs in an Environment, how it is, and what is on its way there",
		Long: `Show what runs in each Environment of the project, or in those that are named: the Release, whether it is healthy and as it was approved, holds, overrides that
nobody has acknowledged, and each Promotion on its way with what it waits for or what fails.`,
		Example: `  kubectl assent status production`,
	}
	output := addOutput(cmd)
	s.completes(cmd, anyEnvironment, manyNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := s.connect()
		if err != nil {
			return err
		}
		standings, err := c.standings(cmd.Context(), args)
		switch {
		case err != nil:
			return err
		case !output.forPeople():
			return output.print(s.Out, c.scheme, standings)
		case len(standings.Items) == 0:
			s.say("No Environments in project %q: name another project by --namespace.", c.project)
		default:
			fmt.Fprint(s.Out, standings.Text(s.style(), now()))
		}
		return nil
	}
	return cmd
}

// standings of the Environments that are named, in that order; of all, where none is.
func (c *connection) standings(ctx context.Context, named []string) (report.Standings, error) {
	standings := report.Standings{TypeMeta: metav1.TypeMeta{APIVersion: report.APIVersion, Kind: "Standings"}, Items: []report.Standing{}}
	var environments []v1alpha1.Environment
	for _, name := range named {
		environment := &v1alpha1.Environment{}
		if err := c.read(ctx, name, environment); err != nil {
			return standings, err
		}
		environments = append(environments, *environment)
	}
	options := []client.ListOption{client.InNamespace(c.project)}
	if len(named) == 0 {
		all, err := c.environments(ctx, options...)
		if err != nil {
			return standings, err
		}
		environments = all
	} else if len(named) == 1 {
		options = append(options, client.MatchingFields{"spec.environment": named[0]})
	}
	promotions := map[string][]v1alpha1.Promotion{}
	err := pages(ctx, c, func() *v1alpha1.PromotionList { return &v1alpha1.PromotionList{} }, func(page *v1alpha1.PromotionList) {
		for _, promotion := range page.Items {
			if !report.Ended(&promotion) {
				promotions[promotion.Spec.Environment] = append(promotions[promotion.Spec.Environment], promotion)
			}
		}
	}, options...)
	for i := range environments {
		standings.Items = append(standings.Items, report.Stand(&environments[i], promotions[environments[i].Name]))
	}
	return standings, err
}

func (c *connection) environments(ctx context.Context, options ...client.ListOption) ([]v1alpha1.Environment, error) {
	var found []v1alpha1.Environment
	err := pages(ctx, c, func() *v1alpha1.EnvironmentList { return &v1alpha1.EnvironmentList{} }, func(page *v1alpha1.EnvironmentList) {
		found = slices.Concat(found, page.Items)
	}, options...)
	return found, err
}

func newMatrix(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "matrix",
		GroupID: groupSee,
		Short:   "Show which version of each application runs in which stage",
		Long: `Show which version of each application runs in which stage, since when, and what is out of the ordinary: not healthy, drifted, on hold, or with Promotions that
wait. Stages stand in the order in which Releases go through them.`,
		Example: `  kubectl assent matrix
  kubectl assent matrix -A -o json`,
		Args: names(0, 0, "nothing"),
	}
	output := addOutput(cmd)
	all := cmd.Flags().BoolP("all-projects", "A", false, "Of all projects.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := s.connect()
		if err != nil {
			return err
		}
		var options []client.ListOption
		if !*all {
			options = append(options, client.InNamespace(c.project))
		}
		environments, err := c.environments(cmd.Context(), options...)
		if err != nil {
			return err
		}
		matrix := report.Arrange(environments)
		switch {
		case !output.forPeople():
			return output.print(s.Out, c.scheme, matrix)
		case len(environments) == 0:
			s.say("No Environments in project %q: name another project by --namespace, or give -A.", c.project)
		default:
			fmt.Fprint(s.Out, matrix.Table(*all || output.wide, now()).Text(s.style()))
		}
		return nil
	}
	return cmd
}
