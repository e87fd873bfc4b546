// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/person"
)

var request = person.Request{Project: "shop", Release: "shop-1.0.0", Environment: "production", Type: v1alpha1.PromotionTypePromote, Reason: "the first"}

func TestWhoeverAsksIsNamed(t *testing.T) {
	s := newServer(t)
	asked, err := s.alice().Ask(t.Context(), request)
	must(t, err)
	found := s.read(t, "shop-1.0.0-production")
	if asked.Already || found.Spec.Reason != "the first" || !reflect.DeepEqual(found.Spec.RequestedBy, alice) || len(found.Spec.Approvals) != 0 {
		t.Errorf("asked: %+v", found.Spec)
	}
}

func TestAskingAgainTakesUpWhatHasNotEnded(t *testing.T) {
	later := metav1.NewTime(time.Date(2031, 3, 10, 20, 0, 0, 0, time.UTC))
	at := func(p *v1alpha1.Promotion) { p.Spec.NotBeforeTime = later }
	other := func(p *v1alpha1.Promotion) { p.Spec.Release = "shop-1.0.0-production" }
	deleted := func(p *v1alpha1.Promotion) {
		p.DeletionTimestamp, p.Finalizers = &later, []string{"assent.dev/rollout"}
	}
	tomorrow := request
	tomorrow.NotBefore = later
	back := request
	back.Type = v1alpha1.PromotionTypeRollback
	for name, test := range map[string]struct {
		present         *v1alpha1.Promotion
		request         person.Request
		name            string
		already, sooner bool
	}{
		"it waits":                           {newPromotion(), request, "shop-1.0.0-production", true, false},
		"it has ended":                       {newPromotion(endedAs(v1alpha1.ReasonSucceeded)), request, "shop-1.0.0-production-2", false, false},
		"it asks for something else":         {newPromotion(other), request, "shop-1.0.0-production-2", false, false},
		"it is being deleted":                {newPromotion(deleted), request, "shop-1.0.0-production-2", false, false},
		"a rollback has a name of its own":   {newPromotion(), back, "shop-1.0.0-production-rollback", false, false},
		"it may start before the time asked": {newPromotion(), tomorrow, "shop-1.0.0-production", true, true},
		"it starts at the time asked":        {newPromotion(at), tomorrow, "shop-1.0.0-production", true, false},
		"it starts later than asked":         {newPromotion(at), request, "shop-1.0.0-production", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			asked, err := newServer(t, test.present).alice().Ask(t.Context(), test.request)
			must(t, err)
			if asked.Promotion.Name != test.name || asked.Already != test.already || asked.Sooner != test.sooner {
				t.Errorf("asked: %q, already %v, sooner %v", asked.Promotion.Name, asked.Already, asked.Sooner)
			}
		})
	}
}

func TestANameThatWouldBeTooLongIsCutAndToldApart(t *testing.T) {
	s := newServer(t)
	long := request
	long.Release = "shop-" + strings.Repeat("1", 240)
	first, err := s.alice().Ask(t.Context(), long)
	must(t, err)
	long.Release += "2"
	second, err := s.alice().Ask(t.Context(), long)
	must(t, err)
	if strings.HasPrefix(second.Promotion.Name, first.Promotion.Name) || len(first.Promotion.Name) > 245 || second.Already {
		t.Errorf("the names are %q and %q", first.Promotion.Name, second.Promotion.Name)
	}
}

func TestARollbackGoesBackToWhatHasSucceededThere(t *testing.T) {
	status := v1alpha1.EnvironmentStatus{Releases: []v1alpha1.SucceededRelease{{Name: "shop-0.9.0"}, {Name: "shop-1.0.0"}, {Name: "shop-1.1.0"}}}
	status.Current.Release, status.Previous.Release = "shop-1.1.0", "shop-1.0.0"
	first := v1alpha1.EnvironmentStatus{}
	first.Current.Release = "shop-1.0.0"
	for name, test := range map[string]struct {
		status      v1alpha1.EnvironmentStatus
		named, want string
		err         string
	}{
		"the previous one, where none is named": {status, "", "shop-1.0.0", ""},
		"the one that is named":                 {status, "shop-0.9.0", "shop-0.9.0", ""},
		"one that has never succeeded there":    {status, "shop-2.0.0", "", `release "shop-2.0.0" has not succeeded in environment "production", and nothing can go back to it`},
		"nothing ran before":                    {first, "", "", `nothing ran in environment "production" before "shop-1.0.0": there is nothing to go back to`},
		"nothing has succeeded":                 {v1alpha1.EnvironmentStatus{}, "shop-1.0.0", "", `nothing has succeeded in environment "production" yet: there is nothing to go back to`},
	} {
		t.Run(name, func(t *testing.T) {
			environment := &v1alpha1.Environment{Status: test.status}
			environment.Name = "production"
			got, err := person.Back(environment, test.named)
			if got != test.want || (err == nil) != (test.err == "") || (err != nil && (err.Error() != test.err || !is[*person.NoWayBack](err))) {
				t.Errorf("back to %q: %v", got, err)
			}
		})
	}
}
