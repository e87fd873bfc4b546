// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/report"
)

// PlanChanged says that the plan is another one than the one that was looked at. Nothing was written.
type PlanChanged struct {
	Promotion string
	// Refusal is what the API server says, where it was asked.
	Refusal error
}

func (e *PlanChanged) Error() string {
	return fmt.Sprintf("the plan of promotion %q has changed since it was shown, and nothing was decided", e.Promotion)
}

// Replaced says that what was looked at was deleted, and that another one of its name was created. Nothing was written.
type Replaced struct{ Kind, Name string }

func (e *Replaced) Error() string {
	return fmt.Sprintf("%s %q was deleted and created again meanwhile", e.Kind, e.Name)
}

// Ended says that the Promotion has, and nothing changes it any more.
type Ended struct{ Promotion, State, Message string }

func (e *Ended) Error() string {
	return fmt.Sprintf("promotion %q has ended as %s: %s", e.Promotion, e.State, e.Message)
}

// ended is an error of a Promotion that has.
func ended(promotion *v1alpha1.Promotion) error {
	if !report.Ended(promotion) {
		return nil
	}
	state, message := report.State(promotion)
	return &Ended{promotion.Name, state, message}
}

// Started says that the rollout has: decisions are closed.
type Started struct{ Promotion string }

func (e *Started) Error() string {
	return fmt.Sprintf("the rollout of promotion %q has started, and decisions are closed", e.Promotion)
}

// Unplanned says that there is no plan to decide on.
type Unplanned struct{ Promotion string }

func (e *Unplanned) Error() string {
	return fmt.Sprintf("promotion %q has no plan yet", e.Promotion)
}

// Undecided says that there is no decision of this person to withdraw.
type Undecided struct {
	Promotion, User string
	// Meanwhile says that there was one a moment ago.
	Meanwhile bool
}

func (e *Undecided) Error() string {
	text := fmt.Sprintf("promotion %q has no decision of yours (%q) to withdraw", e.Promotion, e.User)
	if e.Meanwhile {
		text += " any more"
	}
	return text
}

// Free says that there is nothing to lift.
type Free struct {
	Kind, Name string
	// From is what it is free from: such as "on hold".
	From string
}

func (e *Free) Error() string { return fmt.Sprintf("%s %q is not %s", e.Kind, e.Name, e.From) }

// NoWayBack says that there is no Release that a rollback could go back to, or that it is not the one that is named.
type NoWayBack struct {
	Environment string
	// Release that is named; empty where none is.
	Release string
	because string
}

func (e *NoWayBack) Error() string { return e.because }

// IsMissingAPI tells a kind that is not there, because Assent is not installed, from an object that is not there: only the latter has a name.
func IsMissingAPI(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == ""
}
