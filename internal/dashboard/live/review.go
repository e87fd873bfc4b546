// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/assent-dev/assent/internal/person"
)

const (
	// questionsAtOnce is how many are put to the API server at the same time for one identity.
	questionsAtOnce = 16
	// reviewPatience is how long a review may take.
	reviewPatience = 15 * time.Second
	// doubtful is for how long after the API server was away a denial is not believed at once.
	doubtfulFor = 20 * time.Second
	// soon is after how long a review that has failed is made again at first, and how close reviews follow each other at most.
	soon = time.Second
	// longest is after how long a request is made again that fails again and again.
	longest = 5 * time.Second
)

var (
	// ErrForbidden is for whoever may see no project, of those that there was reason to ask about.
	ErrForbidden = errors.New("forbidden: you may see no project")
	// ErrUnauthorized is for a token that is empty, has expired, or that the API server does not accept.
	ErrUnauthorized = errors.New("unauthorized: the API server does not accept the token")
	// ErrClosed is for a viewer that has left, or whose Hub has ended.
	ErrClosed = errors.New("closed")
)

// review asks what an identity may see, and goes by the answers. What was answered recently is not asked again, unless it is to be anew.
func (h *Hub) review(ctx context.Context, id *identity, anew bool) error {
	select {
	case id.asking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-id.asking }()
	old := h.options.Keep / 2
	if anew {
		old = 0
	}
	err := h.consult(ctx, id, old)
	h.mu.Lock()
	defer h.mu.Unlock()
	if errors.Is(err, ErrUnauthorized) {
		h.expel(id, ErrUnauthorized)
		return err
	}
	h.settle(id, err == nil && !id.doubtful) //nolint:contextcheck // whoever asks ends before what is read does
	return err
}

// consult the API server: about everything first, and about single projects where that is denied. Answers that are not as old as that do.
func (h *Hub) consult(ctx context.Context, id *identity, old time.Duration) error {
	doubted := false
	for _, of := range []func(*identity, time.Duration) []scope{h.dueAll, h.dueProjects} {
		h.mu.Lock()
		due, put := of(id, old), h.clock.Now()
		h.mu.Unlock()
		answers, err := ask(ctx, id.connection, due)
		h.mu.Lock()
		doubt := put.Sub(h.away) < doubtfulFor
		doubted = id.learn(answers, put, doubt) || doubted
		id.doubtful = doubted || (id.doubtful && err != nil)
		if apierrors.IsUnauthorized(err) && !doubt {
			err = ErrUnauthorized
		} else if unavailable(err) && ctx.Err() == nil {
			h.away = h.clock.Now()
		}
		h.mu.Unlock()
		if err != nil {
			return fmt.Errorf("asking what you may see: %w", err)
		}
	}
	return nil
}

// unavailable says of an error whether the API server has not answered, or not as one that is at work. A refusal is an answer: whoever is refused again and again does
// not keep others from being refused.
func unavailable(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err != nil
	}
	code := status.Status().Code
	return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests
}

func (h *Hub) dueAll(id *identity, old time.Duration) []scope {
	return id.due([]scope{everything}, h.clock.Now(), old, nil)
}

func (h *Hub) dueProjects(id *identity, old time.Duration) []scope {
	if id.answers[everything].allowed {
		return nil
	}
	var held, known []string
	for _, one := range id.scopes {
		held = append(held, string(one))
	}
	for _, f := range h.feeds {
		if f.has != nil {
			known = append(known, f.has.Projects...)
		}
	}
	return id.due(candidates(held, h.options.Projects, id.asked, known), h.clock.Now(), old, h.options.Projects)
}

// ask whether scopes may be seen. With an error, some answers may be there all the same.
func ask(ctx context.Context, as person.Asker, scopes []scope) (map[scope]bool, error) {
	limited, cancel := context.WithTimeout(ctx, reviewPatience)
	defer cancel()
	var mu sync.Mutex
	answers := map[scope]bool{}
	room := make(chan struct{}, questionsAtOnce)
	questions, asked := errgroup.WithContext(limited)
	for _, one := range scopes {
		questions.Go(func() error {
			allowed, err := maySee(asked, as, one, room)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			answers[one] = allowed
			return nil
		})
	}
	return answers, questions.Wait()
}

// maySee asks whether all that is followed may be listed and watched. Most denials need one question.
func maySee(ctx context.Context, as person.Asker, where scope, room chan struct{}) (bool, error) {
	var first, others []authorizationv1.ResourceAttributes
	for _, of := range kinds {
		for _, verb := range []string{"list", "watch"} {
			others = append(others, authorizationv1.ResourceAttributes{Namespace: string(where), Verb: verb, Resource: of.resource()})
		}
	}
	first, others = others[:1], others[1:]
	for _, some := range [][]authorizationv1.ResourceAttributes{first, others} {
		if allowed, err := allAllowed(ctx, as, some, room); !allowed || err != nil {
			return false, err
		}
	}
	return true, nil
}

func allAllowed(ctx context.Context, as person.Asker, what []authorizationv1.ResourceAttributes, room chan struct{}) (bool, error) {
	answers := make([]bool, len(what))
	questions, asked := errgroup.WithContext(ctx)
	for i, one := range what {
		questions.Go(func() error {
			select {
			case room <- struct{}{}:
			case <-asked.Done():
				return asked.Err()
			}
			defer func() { <-room }()
			allowed, err := person.Allowed(asked, as, one)
			if apierrors.IsForbidden(err) { // they may not even ask
				allowed, err = false, nil
			}
			answers[i] = allowed
			return err
		})
	}
	if err := questions.Wait(); err != nil {
		return false, err
	}
	for _, allowed := range answers {
		if !allowed {
			return false, nil
		}
	}
	return true, nil
}

// watchOver an identity: it is reviewed for as long as it has a viewer.
func (h *Hub) watchOver(ctx context.Context, id *identity) {
	defer h.running.Done()
	retry := backoff{first: soon, most: longest}
	wait, anew := h.untilReview(), false
	for {
		timer := h.clock.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C():
		case <-id.again:
			timer.Stop()
			anew = true
		}
		err := h.review(ctx, id, anew)
		h.mu.Lock()
		again := err != nil || id.doubtful
		h.mu.Unlock()
		wait, anew = h.untilReview(), again
		if again {
			wait = retry.next()
		} else {
			retry.reset()
		}
		h.rest(ctx, min(soon, wait))
		wait -= min(soon, wait)
	}
}

// untilReview is how long the answers of a review do without the next one, so that it has ended before they are of no use. It differs, so that not all come at once.
func (h *Hub) untilReview() time.Duration {
	return h.options.Keep/2 + jitter(h.options.Keep/8)
}
