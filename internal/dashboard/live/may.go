// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"slices"

	"github.com/assent-dev/assent/internal/dashboard/page"
	"github.com/assent-dev/assent/internal/person"
)

// May says on which Environments the viewer holds a verb.
func (v *Viewer) May(ctx context.Context, verb string, environments []page.Place) (map[page.Place]bool, error) {
	places := make([]person.Place, 0, len(environments))
	for _, at := range environments {
		places = append(places, person.Place(at))
	}
	granted, err := person.Granted(ctx, v.asker(), verb, places)
	if err != nil {
		return nil, err
	}
	found := make(map[page.Place]bool, len(granted))
	for at, allowed := range granted {
		found[page.Place(at)] = allowed
	}
	return found, nil
}

// SeesAll says whether the viewer may see all projects, and not only single ones.
func (v *Viewer) SeesAll() bool {
	v.hub.mu.Lock()
	defer v.hub.mu.Unlock()
	return slices.Contains(v.id.scopes, everything)
}
