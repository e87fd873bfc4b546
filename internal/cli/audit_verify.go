// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

type auditVerify struct {
	*session
	output  *output
	all     bool
	files   []string
	archive []string
}

func newAuditVerify(s *session) *cobra.Command {
	v := &auditVerify{session: s}
	cmd := &cobra.Command{
		Use:   "verify [ENVIRONMENT…]",
		Short: "Verify that the history of Environments is what was written",
		Long: `Verify the hash chain of each Environment's audit records, and that it reaches as far as the Environment's status says. An edit, a gap, a fork and a
truncation are found, and named by the record with what was expected.

With --filename it looks at no cluster: it reads what "kubectl assent audit export" has written, what "kubectl get auditrecords -o json" prints, or the lines that
were shipped from the operator's standard output. With --archive it verifies what has been archived and what is left in the cluster as one.

The exit code is 1 where anything is wrong. The end of a history can be missing without a trace where no status is known: of an Environment that was deleted,
and of lines that were shipped.`,
		Example: `  kubectl assent audit verify
  kubectl assent audit verify production -o json
  kubectl assent audit verify --filename production.jsonl`,
	}
	v.output = addOutput(cmd)
	s.completes(cmd, anyEnvironment, manyNames)
	cmd.Flags().BoolVarP(&v.all, "all-projects", "A", false, "Of all projects.")
	cmd.Flags().StringSliceVarP(&v.files, "filename", "f", nil, "Verify what is in this file instead of a cluster; - is standard input.")
	cmd.Flags().StringSliceVar(&v.archive, "archive", nil, "Verify what is in this file and in the cluster as one history.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(v.files) > 0 && (v.all || len(v.archive) > 0) {
			return misused(cmd, fmt.Errorf("--filename looks at no cluster: leave --all-projects and --archive out, or --filename"))
		}
		return v.run(cmd.Context(), args)
	}
	return cmd
}

func (v *auditVerify) run(ctx context.Context, environments []string) error {
	found, err := v.gather(ctx)
	if err != nil {
		return err
	}
	for _, name := range environments {
		if !found.Have(name) {
			return fmt.Errorf("there is no history of an environment %q: see `kubectl get environments`, or name the project by --namespace", name)
		}
	}
	if len(environments) > 0 {
		found.Of(environments)
	}
	verified := found.Verify()
	if v.output.forPeople() {
		if len(verified.Items) == 0 {
			v.say("There is no history: name another project by --namespace, or give -A.")
			return nil
		}
		fmt.Fprint(v.Out, verified.Text(v.style()))
	} else if err := v.output.print(v.Out, nil, verified); err != nil {
		return err
	}
	return unsound(verified)
}

// unsound is an error that says what to do where a history is not what was written.
func unsound(verified report.Verification) error {
	wrong := len(verified.Unsound())
	switch {
	case wrong == 0:
		return nil
	case verified.Archived():
		return fmt.Errorf("the history of %d of %d Environments is not whole. If its beginning was archived, verify both as one by --archive FILE; else keep what is there by "+
			"`kubectl assent audit export`, and compare it with the lines that were shipped from the operator's standard output", wrong, len(verified.Items))
	default:
		return fmt.Errorf("the history of %d of %d Environments is not what was written. Keep what is there by `kubectl assent audit export`, compare it with the lines that "+
			"were shipped from the operator's standard output, and see in the API server's audit log who has written auditrecords. (A plugin that is older than the operator "+
			"finds edits everywhere: see `kubectl assent --version`.)", wrong, len(verified.Items))
	}
}

// gather records and heads, from files or from the cluster.
func (v *auditVerify) gather(ctx context.Context) (report.Pasts, error) {
	found := report.Pasts{}
	files := append(append([]string{}, v.files...), v.archive...)
	for _, name := range files {
		if err := v.readFile(name, found); err != nil {
			return nil, err
		}
	}
	if len(v.files) == 0 {
		c, err := v.connect()
		if err != nil {
			return nil, err
		}
		if err := c.pasts(ctx, found, v.all); err != nil {
			return nil, err
		}
		if !v.all {
			found.Only(c.project)
		}
	}
	return found, nil
}

func (v *auditVerify) readFile(name string, into report.Pasts) error {
	from := v.In
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the file that whoever runs this has named
		if err != nil {
			return fmt.Errorf("reading the history: %w", err)
		}
		defer file.Close() //nolint:errcheck // it is only read
		from = file
	}
	others, err := readHistory(from, into)
	if err != nil {
		return fmt.Errorf("reading the history from %q: %w", name, err)
	}
	if others > 0 {
		v.say("%d other things in %q were left out.", others, name)
	}
	return nil
}

// pasts are the Environments' heads, and then their records: a history may be ahead of the status that was read before it, and never behind.
func (c *connection) pasts(ctx context.Context, into report.Pasts, allProjects bool) error {
	var options []client.ListOption
	if !allProjects {
		options = append(options, client.InNamespace(c.project))
	}
	environments, err := c.environments(ctx, options...)
	if err != nil {
		return err
	}
	for i := range environments {
		into.Expect(report.HeadOf(&environments[i]))
	}
	return c.records(ctx, func(record *v1alpha1.AuditRecord) error {
		into.Add(record)
		return nil
	}, options...)
}

// records of the history, page by page.
func (c *connection) records(ctx context.Context, visit func(*v1alpha1.AuditRecord) error, options ...client.ListOption) error {
	return person.Records(ctx, c, visit, options...)
}
