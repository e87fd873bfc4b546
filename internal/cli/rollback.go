// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cli/report"
)

type rollbackCommand struct {
	*session
	waiting
	consent
	output  *output
	release string
	reason  string
}

func newRollback(s *session) *cobra.Command {
	r := &rollbackCommand{session: s}
	cmd := &cobra.Command{
		Use:     "rollback ENVIRONMENT",
		GroupID: groupDeliver,
		Short:   "Ask to go back to the previous Release of an Environment, or to another that has succeeded there",
		Long: `Ask to go back to the Release that ran in an Environment before, or to another that has succeeded there: create a Promotion of type Rollback, wait a moment
for its plan, and show what it would change. It does not wait for upstream Environments, soaking and windows; whether it needs approvals the Environment says.

It needs the verb "rollback" on the Environment, as the ClusterRole assent-promoter has it.`,
		Example: `  kubectl assent rollback production --reason "1.1.0 loses orders"
  kubectl assent rollback production --to shop-1.0.0 --yes --wait`,
		Args: names(1, 1, "one Environment, such as `kubectl assent rollback production`"),
	}
	r.output = addOutput(cmd)
	s.completes(cmd, anyEnvironment, 1)
	cmd.Flags().StringVar(&r.release, "to", "", "The Release to go back to, instead of the previous one.")
	cmd.Flags().StringVar(&r.reason, "reason", "", "Why; shown to the people who decide, and kept in the history.")
	s.completesFlag(cmd, "to", anyRelease)
	r.addYes(cmd)
	r.addWait(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := r.consents(cmd, r.session); err != nil {
			return err
		}
		return r.run(cmd.Context(), args[0])
	}
	return cmd
}

func (r *rollbackCommand) run(ctx context.Context, name string) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	environment := &v1alpha1.Environment{}
	if err := c.read(ctx, name, environment); err != nil {
		return err
	}
	release, err := r.back(environment)
	if err != nil {
		return err
	}
	agreed, err := r.given(r.session, fmt.Sprintf("Roll %s back from %s to %s?", name, environment.Status.Current.Release, release))
	if err != nil {
		return err
	}
	if !agreed {
		return fmt.Errorf("nothing was asked for")
	}
	promotion, err := r.ask(ctx, c, &v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{Name: stableName(release, name, "rollback")},
		Spec:       v1alpha1.PromotionSpec{Release: release, Environment: name, Type: v1alpha1.PromotionTypeRollback, Reason: r.reason},
	})
	if err != nil {
		return err
	}
	return r.finish(ctx, c, promotion, r.output, r.waiting, isPlanned, func(planned *v1alpha1.Promotion) {
		if planned.Status.Plan.Digest != "" {
			fmt.Fprint(r.Out, report.Differ(planned).Text(r.style())+"\n")
		}
		fmt.Fprint(r.Out, report.Explain(planned).Text(r.style(), now()))
	})
}

// back is the Release to go back to.
func (r *rollbackCommand) back(environment *v1alpha1.Environment) (string, error) {
	status := environment.Status
	succeeded := func(release string) bool {
		return slices.ContainsFunc(status.Releases, func(s v1alpha1.SucceededRelease) bool { return s.Name == release })
	}
	switch {
	case status.Current.Release == "":
		return "", fmt.Errorf("nothing has succeeded in environment %q yet: there is nothing to go back to", environment.Name)
	case r.release == "" && status.Previous.Release == "":
		return "", fmt.Errorf("nothing ran in environment %q before %q: there is nothing to go back to", environment.Name, status.Current.Release)
	case r.release == "":
		return status.Previous.Release, nil
	case !succeeded(r.release):
		return "", fmt.Errorf("release %q has not succeeded in environment %q, and nothing can go back to it; those that have are in `kubectl assent history --environment %s`",
			r.release, environment.Name, environment.Name)
	default:
		return r.release, nil
	}
}
