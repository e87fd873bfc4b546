// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// version of the plugin; `make cli` sets it.
var version = "unknown"

// Run carries one command line out and returns the exit code: 0 done, 1 error, 2 rejected or ended otherwise, 3 timed out waiting, 4 not permitted.
func Run(ctx context.Context, streams genericiooptions.IOStreams, args []string) int {
	s := newSession(streams)
	root := newRoot(s) //nolint:contextcheck // cobra hands the context to the command that is run
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return int(exitDone)
	}
	fmt.Fprintf(streams.ErrOut, "error: %s\n", explained(err))
	return int(exitOf(err))
}

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-assent",
		Short: "Promote Releases, decide on plans, and see what waits for whom",
		Long: `Promote Releases, decide on plans, and see what waits for whom.

It acts as you, through the Kubernetes API alone: what you may do is what RBAC says.

Exit codes: 0 done, 1 error, 2 rejected or ended otherwise, 3 timed out waiting, 4 not permitted.`,
		Version:       version,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl assent"},
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	s.flags.AddFlags(root.PersistentFlags())
	root.PersistentFlags().BoolVar(&s.noColor, "no-color", false, "Print no colours; they are printed on terminals alone, and not where NO_COLOR is set.")
	root.SetFlagErrorFunc(misused)
	root.AddGroup(&cobra.Group{ID: groupDeliver, Title: "Deliver:"}, &cobra.Group{ID: groupDecide, Title: "Decide:"}, &cobra.Group{ID: groupSee, Title: "See:"})
	for _, command := range commands(s) {
		root.AddCommand(command)
	}
	return root
}

// The groups of commands, as the help shows them.
const (
	groupDeliver = "deliver"
	groupDecide  = "decide"
	groupSee     = "see"
)

func commands(s *session) []*cobra.Command {
	return []*cobra.Command{
		newRelease(s), newPromote(s), newRollback(s), newApprove(s), newReject(s), newWithdraw(s), newInbox(s), newCancel(s), newHold(s), newResume(s),
		newOverride(s), newAcknowledge(s), newWhy(s), newDiff(s), newHistory(s), newStatus(s), newMatrix(s), newCanI(s), newAudit(s), newSimulate(s), newUI(s),
	}
}

// newConfigFlags are kubectl's own flags about the cluster and the user. Its --namespace is the project here.
func newConfigFlags() *genericclioptions.ConfigFlags {
	return genericclioptions.NewConfigFlags(true)
}

// names accepts a number of names as arguments, and says what is missing otherwise.
func names(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return misused(cmd, fmt.Errorf("name %s", what))
		case most >= least && len(args) > most:
			return misused(cmd, fmt.Errorf("name %s; %d names were given", what, len(args)))
		default:
			return nil
		}
	}
}
