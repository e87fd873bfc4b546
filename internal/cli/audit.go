// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newAudit(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "audit",
		GroupID: groupSee,
		Short:   "Verify and export the history of Environments",
		Args:    names(0, 0, "one of verify and export"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misused(cmd, fmt.Errorf("name one of verify and export"))
		},
	}
	cmd.AddCommand(newAuditVerify(s), newAuditExport(s))
	return cmd
}
