// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
)

type holdCommand struct {
	*session
	output  *output
	project bool
	reason  string
}

func newHold(s *session) *cobra.Command {
	h := &holdCommand{session: s}
	cmd := &cobra.Command{
		Use:     "hold ENVIRONMENT… --reason REASON",
		GroupID: groupDecide,
		Short:   "Emergency stop: no rollout starts in an Environment, or in a whole project",
		Long: `Emergency stop: no rollout starts any more, until somebody resumes. What has started goes on; approvals stand.

Whoever may change the Environment, or the namespace, may hold; going on needs the verb "resume".`,
		Example: `  kubectl assent hold production --reason "incident 4711"
  kubectl assent hold --project --reason "the data centre moves"`,
	}
	h.output = addOutput(cmd)
	s.completes(cmd, anyEnvironment, manyNames)
	cmd.Flags().BoolVar(&h.project, "project", false, "Hold the whole project: every Environment of the namespace.")
	cmd.Flags().StringVar(&h.reason, "reason", "", "Why, as people read it.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(h.reason) == "" {
			return misused(cmd, fmt.Errorf("say why by --reason: whoever waits reads it"))
		}
		return h.run(cmd, args, "held", h.stopProject, h.stop)
	}
	return cmd
}

func newResume(s *session) *cobra.Command {
	h := &holdCommand{session: s}
	cmd := &cobra.Command{
		Use:     "resume ENVIRONMENT…",
		GroupID: groupDecide,
		Short:   "Lift the hold of an Environment, or of a whole project",
		Long: `Lift the hold of an Environment, both that of its spec and that of its annotation, or with --project that of the namespace. What was held goes on by itself.

It needs the verb "resume" on the Environment, for a project on all of them, as the ClusterRole assent-admin has it.`,
		Example: `  kubectl assent resume production
  kubectl assent resume --project`,
	}
	h.output = addOutput(cmd)
	s.completes(cmd, anyEnvironment, manyNames)
	cmd.Flags().BoolVar(&h.project, "project", false, "Lift the hold of the project. Environments that are held by themselves stay so.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return h.run(cmd, args, "resumed", h.goOnProject, h.goOn)
	}
	return cmd
}

// run changes the project or each Environment that is named, and prints what has become of it.
func (h *holdCommand) run(
	cmd *cobra.Command, args []string, done string,
	project func(context.Context, *connection) (client.Object, error), one func(context.Context, *connection, string) (client.Object, error),
) error {
	if (len(args) == 0) != h.project {
		return misused(cmd, fmt.Errorf("name Environments, or give --project"))
	}
	c, err := h.connect()
	if err != nil {
		return err
	}
	if h.project {
		changed, err := project(cmd.Context(), c)
		if err != nil {
			return err
		}
		h.say("namespace/%s %s", c.project, done)
		return h.result(c, changed)
	}
	var failed []error
	for _, name := range args {
		changed, err := one(cmd.Context(), c, name)
		if err == nil {
			h.say("environment.assent.dev/%s %s", name, done)
			err = h.result(c, changed)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return several(failed)
}

func (h *holdCommand) result(c *connection, changed client.Object) error {
	if h.output.forPeople() {
		return nil
	}
	return h.output.print(h.Out, c.scheme, changed)
}

func (h *holdCommand) stop(ctx context.Context, c *connection, name string) (client.Object, error) {
	environment := &v1alpha1.Environment{}
	if err := c.read(ctx, name, environment); err != nil {
		return nil, err
	}
	if before := environment.Spec.Hold.Reason; before != "" {
		h.say("environment %q was on hold already: %s", name, before)
	}
	return environment, c.anonymous().Hold(ctx, environment, h.reason)
}

func (h *holdCommand) stopProject(ctx context.Context, c *connection) (client.Object, error) {
	return c.anonymous().HoldProject(ctx, c.project, h.reason)
}

func (h *holdCommand) goOn(ctx context.Context, c *connection, name string) (client.Object, error) {
	environment := &v1alpha1.Environment{}
	if err := c.read(ctx, name, environment); err != nil {
		return nil, err
	}
	err := c.anonymous().Resume(ctx, environment)
	var free *person.Free
	if errors.As(err, &free) {
		return nil, fmt.Errorf("%w; whether its project is, `kubectl assent status %s` says", err, name)
	}
	return environment, err
}

func (h *holdCommand) goOnProject(ctx context.Context, c *connection) (client.Object, error) {
	return c.anonymous().ResumeProject(ctx, c.project)
}
