// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
	"github.com/assent-dev/assent/internal/report"
)

// lookCloser adds to each Environment in which something does not work what its pods say, read as the caller. Who may not read them is told so there.
func (s *session) lookCloser(ctx context.Context, c *connection, environments []v1alpha1.Environment, standings *report.Standings) {
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return // the connection was made by it
	}
	for i := range standings.Items {
		if item := &standings.Items[i]; item.InTrouble() {
			item.Trouble = person.Trouble(ctx, c, config, &environments[i])
		}
	}
}
