// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"html/template"
	"slices"
	"strings"
)

// Slots of the frame. They are alive as those of the page are, and may be absent.
const (
	slotWaiting = "frame-waiting"
	slotStale   = "frame-stale"
)

// InFrame adds the slots of the frame to those of a page: how many Promotions wait for the person's decision, and why the world is not what the API server has now.
func (v View) InFrame(c Context, world *World, waiting int) (View, error) {
	slots := []Slot{{ID: slotWaiting}, {ID: slotStale}}
	for i, each := range []struct {
		there    bool
		id, name string
		data     any
	}{
		{waiting > 0, "waiting-count", "frame-count", waiting},
		{world.Stale != "", "stale-note", "frame-note", world.Stale},
	} {
		if !each.there {
			continue
		}
		made, err := c.part(each.id, each.name, each.data)
		if err != nil {
			return v, err
		}
		slots[i].Parts = []Part{made}
	}
	v.Slots = slices.Concat(v.Slots, slots)
	return v, nil
}

// framed is what the frame is executed with.
type framed struct {
	Context
	View
	// Body is that of the page.
	Body template.HTML
	// Assets is the path of scripts and styles.
	Assets string
	// Here is the path and query of the page, below Base; its changes are streamed for it. Empty where nothing of the page can change.
	Here string
}

// Around is what stands in a slot of the frame; empty where the page has none.
func (f framed) Around(id string) (template.HTML, error) {
	if !slices.ContainsFunc(f.Slots, func(s Slot) bool { return s.ID == id }) {
		return "", nil
	}
	return f.Slot(id)
}

// SignedIn says whether somebody is.
func (f framed) SignedIn() bool { return f.Me.Username != "" }

// In says whether the page is that of an entry of the navigation, or below it.
func (f framed) In(path string) bool {
	here, _, _ := strings.Cut(f.Here, "?")
	return here == path || strings.HasPrefix(here, path+"/")
}

// problem is what the page of that name is made of.
type problem struct {
	Status               int
	Title, Message, Next string
	// Link is the page to go to.
	Link string
}

// Problem is the page in the place of one that there cannot be. Title says what was attempted, message is the error as the API server said it, and next is what to do
// now, on the page that the link names; the matrix, where it names none.
func Problem(c Context, status int, title, message, next, link string) (View, error) {
	return View{Title: title, Template: "problem", Data: problem{status, title, message, next, cmp.Or(link, c.Path("matrix"))}}, nil
}
