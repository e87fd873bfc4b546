// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"slices"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// Cost is what a promotion has cost in writes of the operator, refused ones included.
type Cost struct {
	Promotion string
	// Objects are changes by the deployer.
	Objects int
	// Records are audit records of the promotion, Status the writes of its status.
	Records, Status int
	// Environment are the writes of its Environment's status between its creation and its last write. Those for other promotions are among them.
	Environment int
}

// Beside is what was written beside the objects; the design allows for six.
func (c Cost) Beside() int { return c.Records + c.Status + c.Environment }

// String is one line of a report.
func (c Cost) String() string {
	return fmt.Sprintf("promotion %q: %d objects, and %d writes beside them (%d records, %d of its status, %d of the environment's)",
		c.Promotion, c.Objects, c.Beside(), c.Records, c.Status, c.Environment)
}

// Costs of every promotion of the scene, by name.
func (e *Evidence) Costs() ([]Cost, error) {
	told, err := e.tell()
	if err != nil {
		return nil, err
	}
	var costs []Cost
	for _, uid := range sorted(told.promotions) {
		states := told.promotions[uid].states
		costs = append(costs, told.cost(uid, &states[0].object, states[0].version, states[len(states)-1].version))
	}
	slices.SortFunc(costs, func(a, b Cost) int {
		if a.Promotion < b.Promotion {
			return -1
		}
		return 1
	})
	return costs, nil
}

func (s *story) cost(uid string, p *v1alpha1.Promotion, first, last int64) Cost {
	cost := Cost{Promotion: p.Name, Records: len(s.recordsOf(uid))}
	named := fmt.Sprintf("%s/%s/%s", s.Scene.Project, p.Name, uid)
	for i := range s.Requests {
		request := &s.Requests[i]
		switch {
		case !request.ByOperator():
		case slices.Contains(request.ImpersonatedUser.Extra[v1alpha1.ExtraPromotion], named):
			cost.Objects++
		case request.ObjectRef.Resource == "promotions" && request.ObjectRef.Name == p.Name && request.ObjectRef.Subresource == "status":
			cost.Status++
		}
	}
	if known := s.environments[p.Spec.Environment]; known != nil {
		for _, each := range known.states {
			if each.by != nil && each.by.ByOperator() && each.version > first && each.version <= last {
				cost.Environment++
			}
		}
	}
	return cost
}
