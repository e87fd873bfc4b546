// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

const formatCSV = "csv"

type historyCommand struct {
	*session
	output      *output
	all         bool
	environment string
	release     string
	user        string
	since       time.Duration
	limit       int
}

func newHistory(s *session) *cobra.Command {
	h := &historyCommand{session: s}
	cmd := &cobra.Command{
		Use:     "history",
		GroupID: groupSee,
		Short:   "List who has rolled out what, where, when and why, and how long it took",
		Long: `List what has happened, the newest first, as the audit records tell it: who asked, who decided, what came of it, why, and how long the rollout took.

-o csv writes comma-separated values.`,
		Example: `  kubectl assent history
  kubectl assent history --environment production --since 720h -o csv`,
		Args: names(0, 0, "nothing"),
	}
	h.output = addOutput(cmd)
	h.output.also = []string{formatCSV}
	flags := cmd.Flags()
	flags.BoolVarP(&h.all, "all-projects", "A", false, "Of all projects.")
	flags.StringVar(&h.environment, "environment", "", "Of one Environment.")
	flags.StringVar(&h.release, "release", "", "Of one Release.")
	s.completesFlag(cmd, "environment", anyEnvironment)
	s.completesFlag(cmd, "release", anyRelease)
	flags.StringVar(&h.user, "user", "", "What this user has asked for, decided on, overridden or acknowledged.")
	flags.DurationVar(&h.since, "since", 0, "Not older than that, such as 24h.")
	flags.IntVar(&h.limit, "limit", 50, "At most so many; 0 for all.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return h.run(cmd.Context()) }
	return cmd
}

func (h *historyCommand) run(ctx context.Context) error {
	c, err := h.connect()
	if err != nil {
		return err
	}
	var options []client.ListOption
	if !h.all {
		options = append(options, client.InNamespace(c.project))
	}
	if h.environment != "" {
		options = append(options, client.MatchingFields{"spec.environment": h.environment})
	}
	history, err := h.tell(ctx, c, options)
	if err != nil {
		return err
	}
	switch {
	case *h.output.flags.OutputFormat == formatCSV:
		return history.CSV(h.Out)
	case !h.output.forPeople():
		return h.output.print(h.Out, c.scheme, history)
	case len(history.Items) == 0:
		h.say("Nothing has happened, as far as you have asked.")
	default:
		fmt.Fprint(h.Out, history.Table(h.output.wide || h.all).Text(h.style()))
	}
	return nil
}

// tell what was asked for. Where that is just the newest of all, it is found by names and times, and little else is read.
func (h *historyCommand) tell(ctx context.Context, c *connection, options []client.ListOption) (report.History, error) {
	if h.release == "" && h.user == "" && h.limit > 0 && h.limit <= person.MostNewest {
		records, err := person.Newest(ctx, c, h.limit, options...)
		return h.cut(report.Tell(records)), err
	}
	var records []v1alpha1.AuditRecord
	err := c.records(ctx, func(record *v1alpha1.AuditRecord) error {
		records = append(records, *record)
		return nil
	}, options...)
	return h.cut(report.Tell(records)), err
}

// cut off what is not asked for.
func (h *historyCommand) cut(history report.History) report.History {
	history.Items = slices.DeleteFunc(history.Items, func(item report.Happening) bool { return !h.wants(item) })
	if h.limit > 0 {
		history.Items = history.Items[:min(h.limit, len(history.Items))]
	}
	return history
}

func (h *historyCommand) wants(item report.Happening) bool {
	return (h.release == "" || item.Release == h.release) && (h.since == 0 || now().Sub(item.Time.Time) <= h.since) &&
		(h.user == "" || item.RequestedBy == h.user || item.OverriddenBy == h.user || item.AcknowledgedBy == h.user || slices.Contains(item.DecidedBy, h.user))
}
