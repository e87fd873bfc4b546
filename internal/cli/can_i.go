// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

func newCanI(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "can-i [ENVIRONMENT…]",
		GroupID: groupSee,
		Short:   "Say what you may do, Environment by Environment",
		Long: `Say which of the deciding verbs you hold on each Environment of the project, or on those that are named: promote, rollback, approve, override, resume. The API
server is asked for each, so that the answer is true for every kind of authorisation. Whether an approval of yours counts, the rules of the Environment say.`,
		Example: `  kubectl assent can-i
  kubectl assent can-i production -o jsonpath='{.items[0].approve}'`,
	}
	output := addOutput(cmd)
	s.completes(cmd, anyEnvironment, manyNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := s.connect()
		if err != nil {
			return err
		}
		rights, err := c.rights(cmd.Context(), args)
		switch {
		case err != nil:
			return err
		case !output.forPeople():
			return output.print(s.Out, c.scheme, rights)
		case len(rights.Items) == 0:
			s.say("No Environments in project %q: name another project by --namespace.", c.project)
		default:
			fmt.Fprint(s.Out, rights.Table().Text(s.style()))
		}
		return nil
	}
	return cmd
}

// rights of the caller on Environments; on all of the project, where none is named.
func (c *connection) rights(ctx context.Context, environments []string) (report.Rights, error) {
	me, err := c.whoami(ctx)
	if err != nil {
		return report.Rights{}, err
	}
	if len(environments) == 0 {
		err := pages(ctx, c, func() *v1alpha1.EnvironmentList { return &v1alpha1.EnvironmentList{} }, func(page *v1alpha1.EnvironmentList) {
			for i := range page.Items {
				environments = append(environments, page.Items[i].Name)
			}
		}, client.InNamespace(c.project))
		if err != nil {
			return report.Rights{}, fmt.Errorf("listing Environments (name some, to ask about those): %w", err)
		}
	}
	rights := report.NewRights(me.Username, c.project, environments)
	questions, asked := errgroup.WithContext(ctx)
	questions.SetLimit(together)
	for i := range rights.Items {
		for verb, held := range rights.Items[i].Verbs() {
			questions.Go(func() error {
				allowed, err := c.may(asked, verb, c.project, rights.Items[i].Environment)
				*held = allowed
				return err
			})
		}
	}
	return rights, questions.Wait()
}
