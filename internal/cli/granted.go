// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"

	"github.com/assent-dev/assent/internal/person"
)

// granted says on which of many Environments the caller holds a verb, as the API server says.
func (c *connection) granted(ctx context.Context, verb string, places []place) (map[place]bool, error) {
	asked := make([]person.Place, 0, len(places))
	for _, at := range places {
		asked = append(asked, person.Place{Project: at.project, Environment: at.environment})
	}
	answers, err := person.Granted(ctx, c, verb, asked)
	found := make(map[place]bool, len(answers))
	for at, allowed := range answers {
		found[place{at.Project, at.Environment}] = allowed
	}
	return found, err
}
