// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

func newRelease(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "release",
		GroupID: groupDeliver,
		Short:   "Create, list, block and unblock Releases",
		Args:    names(0, 0, "one of create, list, block and unblock"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misused(cmd, fmt.Errorf("name one of create, list, block and unblock"))
		},
	}
	cmd.AddCommand(newReleaseCreate(s), newReleaseList(s), newReleaseBlock(s), newReleaseUnblock(s))
	return cmd
}

func newReleaseList(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the Releases of a project, the newest first",
		Example: `  kubectl assent release list
  kubectl assent release list --application shop -o wide`,
		Args: names(0, 0, "nothing"),
	}
	output := addOutput(cmd)
	application := cmd.Flags().String("application", "", "Those of one application alone.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := s.connect()
		if err != nil {
			return err
		}
		options := []client.ListOption{client.InNamespace(c.project)}
		if *application != "" {
			options = append(options, client.MatchingFields{"spec.application": *application})
		}
		list := &v1alpha1.ReleaseList{Items: []v1alpha1.Release{}}
		err = pages(cmd.Context(), c, func() *v1alpha1.ReleaseList { return &v1alpha1.ReleaseList{} }, func(page *v1alpha1.ReleaseList) {
			list.Items = append(list.Items, page.Items...)
		}, options...)
		if err != nil {
			return err
		}
		report.NewestFirst(list.Items)
		switch {
		case !output.forPeople():
			return output.print(s.Out, c.scheme, list)
		case len(list.Items) == 0:
			s.say("No Releases in project %q: create one by `kubectl assent release create`, or name another project by --namespace.", c.project)
		default:
			fmt.Fprint(s.Out, report.Releases(list.Items, output.wide, now()).Text(s.style()))
		}
		return nil
	}
	return cmd
}

func newReleaseBlock(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "block RELEASE --reason REASON",
		Short: "Mark a Release as known to be bad: it is promoted nowhere any more",
		Long: `Mark a Release as known to be bad: it is promoted nowhere any more, and not by a rollback either. Where it runs now is shown.

Whoever may change the Release may block it; unblocking needs the verb "unblock".`,
		Example: `  kubectl assent release block shop-1.1.0 --reason "loses orders, incident 4711"`,
		Args:    names(1, 1, "one Release, such as `kubectl assent release block shop-1.1.0 --reason …`"),
	}
	output := addOutput(cmd)
	s.completes(cmd, anyRelease, 1)
	reason := cmd.Flags().String("reason", "", "Why, as people read it.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(*reason) == "" {
			return misused(cmd, fmt.Errorf("say why by --reason: whoever wants to promote it reads it"))
		}
		return s.changeRelease(cmd.Context(), args[0], output, "blocked", func(ctx context.Context, by person.Actor, release *v1alpha1.Release) error {
			return by.Block(ctx, release, *reason)
		})
	}
	return cmd
}

func newReleaseUnblock(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "unblock RELEASE",
		Short:   "Let a blocked Release be promoted again",
		Long:    `Let a blocked Release be promoted again. It needs the verb "unblock" on the Release, as the ClusterRole assent-admin has it.`,
		Example: `  kubectl assent release unblock shop-1.1.0`,
		Args:    names(1, 1, "one Release, such as `kubectl assent release unblock shop-1.1.0`"),
	}
	output := addOutput(cmd)
	s.completes(cmd, anyRelease, 1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.changeRelease(cmd.Context(), args[0], output, "unblocked", func(ctx context.Context, by person.Actor, release *v1alpha1.Release) error {
			return by.Unblock(ctx, release)
		})
	}
	return cmd
}

// changeRelease changes one, and prints what has become of it.
func (s *session) changeRelease(
	ctx context.Context, name string, output *output, done string, change func(context.Context, person.Actor, *v1alpha1.Release) error,
) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	release := &v1alpha1.Release{}
	if err := c.read(ctx, name, release); err != nil {
		return err
	}
	if err := change(ctx, c.anonymous(), release); err != nil {
		return err
	}
	s.say("release.assent.dev/%s %s", name, done)
	if output.forPeople() {
		return nil
	}
	return output.print(s.Out, c.scheme, release)
}
