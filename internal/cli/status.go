// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

func newStatus(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status [ENVIRONMENT…]",
		GroupID: groupSee,
		Short:   "Show what runs in an Environment, how it is, and what is on its way there",
		Long: `Show what runs in each Environment of the project, or in those that are named: the Release, whether it is healthy and as it was approved, holds, overrides that
nobody has acknowledged, and each Promotion on its way with what it waits for or what fails.

Where something does not work in an Environment that is named, its pods are looked at, as you: why they are not ready, their last warning, and the last lines of the
container that does not run.`,
		Example: `  kubectl assent status production
  kubectl assent status production --watch`,
	}
	output := addOutput(cmd)
	s.completes(cmd, anyEnvironment, manyNames)
	var stays watching
	stays.addWatch(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := s.connect()
		if err != nil {
			return err
		}
		if stays.watch {
			return s.stayAtStatus(cmd.Context(), c, output, args)
		}
		standings, err := s.standings(cmd.Context(), c, args)
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

// stayAtStatus shows the Environments that are named, and those alone that there are.
func (s *session) stayAtStatus(ctx context.Context, c *connection, output *output, named []string) error {
	for _, name := range named {
		if err := c.read(ctx, name, &v1alpha1.Environment{}); err != nil {
			return err
		}
	}
	m, err := c.mirror(ctx, client.InNamespace(c.project))
	if err != nil {
		return err
	}
	return s.stay(ctx, m, output, func(context.Context) (shown, error) {
		environments, promotions := m.now()
		standings := stand(chosen(environments, named), promotions)
		return shown{standings, func(style report.Style, now time.Time) string {
			if len(standings.Items) == 0 {
				return fmt.Sprintf("No Environments in project %q.\n", c.project)
			}
			return standings.Text(style, now)
		}}, nil
	})
}

// chosen Environments in the order in which they are named; all, by name, where none is.
func chosen(environments map[place]v1alpha1.Environment, named []string) []v1alpha1.Environment {
	var found []v1alpha1.Environment
	for _, environment := range environments {
		if len(named) == 0 || slices.Contains(named, environment.Name) {
			found = append(found, environment)
		}
	}
	slices.SortFunc(found, func(a, b v1alpha1.Environment) int {
		return cmp.Or(cmp.Compare(slices.Index(named, a.Name), slices.Index(named, b.Name)), strings.Compare(a.Name, b.Name))
	})
	return found
}

// standings of the Environments that are named, in that order; of all, where none is.
func (s *session) standings(ctx context.Context, c *connection, named []string) (report.Standings, error) {
	var environments []v1alpha1.Environment
	for _, name := range named {
		environment := &v1alpha1.Environment{}
		if err := c.read(ctx, name, environment); err != nil {
			return report.Standings{}, err
		}
		environments = append(environments, *environment)
	}
	project, only := client.InNamespace(c.project), ""
	if len(named) == 0 {
		all, err := c.environments(ctx, project)
		if err != nil {
			return report.Standings{}, err
		}
		environments = all
	} else if len(named) == 1 {
		only = named[0]
	}
	var promotions []v1alpha1.Promotion
	err := c.open(ctx, only, func(p *v1alpha1.Promotion) { promotions = append(promotions, *p) }, project)
	standings := stand(environments, promotions)
	if err == nil && len(named) > 0 {
		s.lookCloser(ctx, c, environments, &standings)
	}
	return standings, err
}

// stand are Environments of one project, each with its Promotions.
func stand(environments []v1alpha1.Environment, promotions []v1alpha1.Promotion) report.Standings {
	standings := report.Standings{TypeMeta: metav1.TypeMeta{APIVersion: report.APIVersion, Kind: "Standings"}, Items: []report.Standing{}}
	of := map[string][]v1alpha1.Promotion{}
	for _, promotion := range promotions {
		of[promotion.Spec.Environment] = append(of[promotion.Spec.Environment], promotion)
	}
	for i := range environments {
		standings.Items = append(standings.Items, report.Stand(&environments[i], of[environments[i].Name]))
	}
	return standings
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
wait. Stages stand in the order in which Releases go through them. On a terminal that is too narrow for the table there is a block for each application.`,
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
			width := 0 // what is printed elsewhere than on a terminal is always the same table
			if s.prints() {
				width, _ = s.size()
			}
			fmt.Fprint(s.Out, matrix.Text(s.style(), *all || output.wide, width, now()))
		}
		return nil
	}
	return cmd
}
