// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

type auditExport struct {
	*session
	output *output
	all    bool
}

func newAuditExport(s *session) *cobra.Command {
	e := &auditExport{session: s}
	cmd := &cobra.Command{
		Use:   "export [ENVIRONMENT…]",
		Short: "Print the history of Environments, to be kept or verified elsewhere",
		Long: `Print the audit records of each Environment of the project, or of those that are named, as lines of JSON: first how far each history has come, as the
Environment's status says, so that a truncation is found later, too; then each record, as the API server has it. With -o it is the list of the records alone.`,
		Example: `  kubectl assent audit export > shop.jsonl
  kubectl assent audit export production | kubectl assent audit verify -f -`,
	}
	e.output = addOutput(cmd)
	s.completes(cmd, anyEnvironment, manyNames)
	cmd.Flags().BoolVarP(&e.all, "all-projects", "A", false, "Of all projects.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return e.run(cmd.Context(), args) }
	return cmd
}

func (e *auditExport) run(ctx context.Context, named []string) error {
	c, err := e.connect()
	if err != nil {
		return err
	}
	var options []client.ListOption
	if !e.all {
		options = append(options, client.InNamespace(c.project))
	}
	wanted := func(environment string) bool { return len(named) == 0 || slices.Contains(named, environment) }
	list := &v1alpha1.AuditRecordList{Items: []v1alpha1.AuditRecord{}}
	lines := json.NewEncoder(e.Out)
	lines.SetEscapeHTML(false)
	if e.output.forPeople() {
		environments, err := c.environments(ctx, options...)
		if err != nil {
			return err
		}
		for i := range environments {
			if head := report.HeadOf(&environments[i]); wanted(head.Environment) && head.Sequence > 0 {
				if err := lines.Encode(head); err != nil {
					return err
				}
			}
		}
	}
	err = c.records(ctx, func(record *v1alpha1.AuditRecord) error {
		if !wanted(record.Spec.Environment) {
			return nil
		}
		if !e.output.forPeople() {
			list.Items = append(list.Items, *record)
			return nil
		}
		record.APIVersion, record.Kind, record.ManagedFields = v1alpha1.SchemeGroupVersion.String(), "AuditRecord", nil
		return lines.Encode(record)
	}, options...)
	if err != nil || e.output.forPeople() {
		return err
	}
	return e.output.print(e.Out, c.scheme, list)
}
