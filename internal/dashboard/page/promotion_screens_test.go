// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page_test

import (
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
)

func TestScreensOfPromotionsAndEnvironmentsAreCurrent(t *testing.T) {
	c := looking("alice", "shop-owners")
	for name, make := range map[string]func() (page.View, error){
		"promotion": func() (page.View, error) {
			return page.Promotion(c, seen(awaiting(), page.Rights{page.RightApprove: true, page.RightChange: true}))
		},
		"environment": func() (page.View, error) {
			return page.Environment(c, page.EnvironmentSeen{
				Environment: production(), Promotions: []*v1alpha1.Promotion{rolling()}, Records: history(), Rights: page.Rights{page.RightRollback: true, page.RightHold: true},
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			view, err := make()
			if err == nil {
				view, err = view.InFrame(c, &page.World{}, 2)
			}
			if err != nil {
				t.Fatal(err)
			}
			page.CheckScreen(t, name, c, view)
		})
	}
}
