// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/assent-dev/assent/internal/dashboard/live"
	"github.com/assent-dev/assent/internal/dashboard/page"
)

const (
	// heartbeat is how often a stream says something, so that what stands in between keeps it open, and so that a browser that is gone is noticed.
	heartbeat = 20 * time.Second
	// streamEnds is after how long a stream is ended; the browser comes again by itself. So no session, and no version of the dashboard, lives for ever in one.
	streamEnds = 30 * time.Minute
	// readAgain is how long a page that reads whole histories stands before it is made anew.
	readAgain = 15 * time.Second
)

// change is what a browser is told about a slot: the order of its parts, where that is another, and the parts that differ.
type change struct {
	Order   []string          `json:"order,omitzero"`
	Changed map[string]string `json:"changed,omitempty"`
}

// update is what a browser is told about a page.
type update struct {
	Title string            `json:"title"`
	Slots map[string]change `json:"slots"`
}

// differ says what a browser that has one view must be told to have another; nil where nothing is different. Whole says that it cannot be told by parts: slots have
// come or gone.
func differ(has, wants page.View) (told *update, whole bool) {
	if len(has.Slots) != len(wants.Slots) {
		return nil, true
	}
	told = &update{Title: wants.Title, Slots: map[string]change{}}
	for i, slot := range wants.Slots {
		before := has.Slots[i]
		if before.ID != slot.ID {
			return nil, true
		}
		if changed := differSlot(before, slot); changed.Order != nil || len(changed.Changed) > 0 {
			told.Slots[slot.ID] = changed
		}
	}
	if len(told.Slots) == 0 && has.Title == wants.Title {
		return nil, false
	}
	return told, false
}

func differSlot(has, wants page.Slot) change {
	known := make(map[string]string, len(has.Parts))
	for _, part := range has.Parts {
		known[part.ID] = string(part.HTML)
	}
	made := change{Changed: map[string]string{}}
	same := len(has.Parts) == len(wants.Parts)
	for i, part := range wants.Parts {
		same = same && has.Parts[i].ID == part.ID
		if html, there := known[part.ID]; !there || html != string(part.HTML) {
			made.Changed[part.ID] = string(part.HTML)
		}
	}
	if !same {
		made.Order = make([]string, 0, len(wants.Parts))
		for _, part := range wants.Parts {
			made.Order = append(made.Order, part.ID)
		}
	}
	return made
}

// events writes server-sent events (HTML standard, section 9.2).
type events struct {
	to      http.ResponseWriter
	control *http.ResponseController
}

// openEvents begins the answer.
func openEvents(w http.ResponseWriter) *events {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies hand on at once
	w.WriteHeader(http.StatusOK)
	return &events{w, http.NewResponseController(w)}
}

// send an event of that name. A browser that takes none for a time is given up.
func (e *events) send(name, id string, content any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("write the event %q: %w", name, err)
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	return e.write(fmt.Sprintf("event: %s\n%sdata: %s\n\n", name, id, text))
}

// beat says that the stream is alive.
func (e *events) beat() error { return e.write(":\n\n") }

func (e *events) write(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(heartbeat)); err != nil {
		return err
	}
	if _, err := e.to.Write([]byte(text)); err != nil { //nolint:gosec // it is JSON, with < and > escaped, and no page
		return err
	}
	return e.control.Flush()
}

// stream tells a browser what changes of the page that it has.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, of kind) {
	v, err := s.visit(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer v.viewer.Close()
	make := of.make
	if of.reads {
		make = s.beside(v.world)
	}
	view, err := s.framed(r.Context(), v, make)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	to := openEvents(w)
	if of.reads { // what the browser has beside the frame is not made again
		err = to.beat()
	} else if had := hadBy(r); had != view.Version() {
		err = to.send("parts", view.Version(), everything(view))
	} else {
		err = to.beat()
	}
	if err == nil {
		err = s.follow(r.Context(), v, make, view, to)
	}
	if err != nil && r.Context().Err() == nil {
		s.log.V(1).Info("A stream of changes has ended", "why", err.Error())
	}
}

// errNewer is that there are records which a page has not read.
var errNewer = errors.New("there are new records")

// beside is what the stream of a page that reads whole histories is made of: nothing, until there are new records. Then the page is to be asked for anew, and not too soon.
func (s *Server) beside(world *page.World) maker {
	head, began := headOf(world, "", ""), s.clock.Now()
	return func(_ context.Context, v *visit) (page.View, error) {
		if headOf(v.world, "", "") != head && s.clock.Now().Sub(began) >= readAgain {
			return page.View{}, errNewer
		}
		return page.View{}, nil
	}
}

// follow the world of a viewer until the browser is gone, or has to come again. Nothing tells when somebody is given or loses a right: that is seen with the next beat.
func (s *Server) follow(ctx context.Context, v *visit, make maker, has page.View, to *events) error {
	ends, beats := time.NewTimer(streamEnds), time.NewTicker(heartbeat)
	defer ends.Stop()
	defer beats.Stop()
	late := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ends.C:
			return nil
		case <-v.viewer.Done():
			// Whoever may not see this any more, or whose token has expired, comes again, and is told so.
			return to.send("gone", "", v.viewer.Failed().Error())
		case <-beats.C:
			if err := to.beat(); err != nil {
				return err
			}
		case <-v.viewer.Changed():
		}
		v.world, v.Now = v.viewer.World(), s.clock.Now()
		wants, err := s.framed(ctx, v, make)
		switch {
		case err != nil && lasting(err):
			// What the page is about may be gone: the page that is asked for anew says what is the matter.
			return to.send("reload", "", err.Error())
		case err != nil:
			// It is tried again with the next change, or the next beat. What is on the screen stays there.
			if err := to.send("stale", "", "This could not be made current, and may be out of date: "+err.Error()); err != nil {
				return err
			}
			late = true
			continue
		case late:
			if err := to.send("stale", "", ""); err != nil {
				return err
			}
			late = false
		}
		if err := tell(to, has, wants); err != nil {
			return err
		}
		has = wants
	}
}

// lasting says of an error whether the same page would end so again: what it is about is gone, may not be seen, or is to be read anew. Others, as where the API server
// is away, pass.
func lasting(err error) bool {
	var nowhere *impossible
	return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || errors.Is(err, errNewer) || errors.As(err, &nowhere) ||
		errors.Is(err, live.ErrForbidden) || errors.Is(err, live.ErrUnauthorized) || errors.Is(err, live.ErrClosed)
}

// tell what differs between two views.
func tell(to *events, has, wants page.View) error {
	told, whole := differ(has, wants)
	switch {
	case whole:
		return to.send("reload", "", "the page has other places than before")
	case told == nil:
		return nil
	default:
		return to.send("parts", wants.Version(), told)
	}
}

// hadBy is the version of the page that a browser has: as the document said it, or as the last event did.
func hadBy(r *http.Request) string {
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		return last
	}
	return streamed(r.Context()).version
}

// everything of a page, for a browser that has another version of it than there is.
func everything(view page.View) update {
	all := update{Title: view.Title, Slots: map[string]change{}}
	for _, slot := range view.Slots {
		all.Slots[slot.ID] = differSlot(page.Slot{Parts: []page.Part{{}}}, slot)
	}
	return all
}
