// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/assent-dev/assent/internal/person"
)

// Problem is what a page says where something was not done.
type Problem struct {
	// Status of the answer.
	Status int
	Title  string
	// Message says what is the matter; where the API server has refused, in its own words.
	Message string
	// Next is what to do now, and Link the page for it; both may be empty.
	Next, Link string
}

// tell a problem: as a page, or to scripts as JSON.
func (a *Actions) tell(w http.ResponseWriter, r *http.Request, problem Problem) {
	accepted := r.Header.Get("Accept")
	if !strings.Contains(accepted, "application/json") || strings.Contains(accepted, "text/html") {
		a.Tell(w, r, problem)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(problem.Status)
	// What cannot be sent any more is told to nobody: the browser is gone.
	_ = json.NewEncoder(w).Encode(map[string]string{"error": problem.Message, "next": problem.Next, "link": problem.Link})
}

// notSignedIn: nobody acts.
type notSignedIn struct {
	signIn string
	err    error
}

func (e *notSignedIn) Error() string {
	return "nobody has signed in, or not for long enough: " + e.err.Error()
}

// impossible: there can be no object of that name.
type impossible struct{ target }

func (e *impossible) Error() string {
	return fmt.Sprintf("there is no %q in project %q", e.name, e.project)
}

// sooner: the Promotion that is there already may start before the time that was asked for.
type sooner struct{ promotion, page string }

func (e *sooner) Error() string {
	return fmt.Sprintf("promotion %q has asked for it already, and is not scheduled as late as you ask", e.promotion)
}

// explain an error to whoever has sent a form from a page, or about it.
func explain(err error, page string) Problem {
	var unsigned *notSignedIn
	var wrong invalid
	var strange *unreadable
	var nowhere *impossible
	switch {
	case errors.As(err, &unsigned):
		return Problem{http.StatusUnauthorized, "You are not signed in", err.Error(), "Sign in, and do it again.", unsigned.signIn}
	case errors.As(err, &wrong):
		return Problem{http.StatusUnprocessableEntity, "The form is not complete", err.Error(), "Go back, and change it.", page}
	case errors.As(err, &strange):
		return Problem{strange.status, "The form cannot be read", err.Error(), "Send it from its page.", page}
	case errors.As(err, &nowhere):
		return Problem{http.StatusNotFound, "It does not exist", err.Error(), "Look at what there is.", ""}
	}
	if problem, is := outdated(err, page); is {
		return problem
	}
	if problem, is := answered(err, page); is {
		return problem
	}
	return unanswered(err, page)
}

// outdated: what was meant does not go any more, or goes on by itself.
func outdated(err error, page string) (Problem, bool) {
	conflict := func(title, next, link string) (Problem, bool) {
		return Problem{http.StatusConflict, title, err.Error(), next, link}, true
	}
	var changed *person.PlanChanged
	var replaced *person.Replaced
	var over *person.Ended
	var started *person.Started
	var unplanned *person.Unplanned
	var undecided *person.Undecided
	var free *person.Free
	var early *sooner
	var none *person.NoWayBack
	switch {
	case errors.As(err, &changed):
		problem := Problem{http.StatusConflict, "The plan has changed", "the plan has changed since this page was opened, and nothing was decided", "Look at the new one.", page}
		if changed.Refusal != nil {
			problem.Message += ". The API server says: " + changed.Refusal.Error()
		}
		return problem, true
	case errors.As(err, &replaced):
		return conflict("It is another one now", "Look at the new one.", page)
	case errors.As(err, &over):
		return conflict("It has ended", "Look at how it has ended.", page)
	case errors.As(err, &started):
		return conflict("Its rollout has started", "Look at how it goes; it can be cancelled there.", page)
	case errors.As(err, &unplanned):
		return conflict("There is no plan yet", "Look at the plan when it is there.", page)
	case errors.As(err, &undecided), errors.As(err, &free):
		return conflict("There is nothing to take back", "Look at how it is now.", page)
	case errors.As(err, &early):
		return conflict("It is asked for already", "Look at it: cancel it, and ask again, or leave it as it is.", early.page)
	case errors.As(err, &none):
		return Problem{http.StatusUnprocessableEntity, "There is no way back", "`release` cannot be gone back to: " + err.Error(), "Choose another release.", page}, true
	default:
		return Problem{}, false
	}
}

// answered by the API server, which has refused. What it says is shown as it came.
func answered(err error, page string) (Problem, bool) {
	var refusal apierrors.APIStatus
	if !errors.As(err, &refusal) {
		return Problem{}, false
	}
	said := refusal.Status().Message
	switch {
	case apierrors.IsUnauthorized(err):
		return Problem{http.StatusUnauthorized, "You are not signed in any more", said, "Sign in again, and do it again.", page}, true
	case apierrors.IsForbidden(err):
		return Problem{http.StatusForbidden, "You may not do this", said, "", page}, true
	case person.IsMissingAPI(err):
		return Problem{http.StatusServiceUnavailable, "Assent is not installed", said, "Ask an administrator of the cluster.", ""}, true
	case apierrors.IsNotFound(err), apierrors.IsGone(err):
		return Problem{http.StatusNotFound, "It does not exist", said, "Look at what there is.", ""}, true
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return Problem{http.StatusConflict, "It has changed meanwhile", said, "Look at how it is now, and do it again.", page}, true
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return Problem{http.StatusUnprocessableEntity, "The API server does not take it", said, "Go back, and change it.", page}, true
	case apierrors.IsTooManyRequests(err), apierrors.IsServiceUnavailable(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err):
		return Problem{http.StatusServiceUnavailable, "The API server is busy", said, unsure, page}, true
	default:
		return Problem{http.StatusBadGateway, "The API server has failed", said, unsure, page}, true
	}
}

// unsure is what to do where nobody knows whether something was done.
const unsure = "Open the page again in a moment: what is not done then can be done again."

// unanswered: the API server was not reached, or has not answered in time.
func unanswered(err error, page string) Problem {
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Problem{http.StatusServiceUnavailable, "The API server does not answer", "the API server has not answered in time", unsure, page}
	case errors.As(err, &network):
		return Problem{http.StatusBadGateway, "The API server cannot be reached", "the API server cannot be reached: " + err.Error(), unsure, page}
	default:
		return Problem{http.StatusInternalServerError, "It could not be done", err.Error(), unsure, page}
	}
}
