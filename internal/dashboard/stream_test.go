// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assent-dev/assent/internal/dashboard/live"
	"github.com/assent-dev/assent/internal/dashboard/page"
)

// viewOf slots, each with the parts that are named by one letter each, whose HTML is the letter and what follows it.
func viewOf(title string, slots ...[]string) page.View {
	view := page.View{Title: title}
	for i, parts := range slots {
		slot := page.Slot{ID: fmt.Sprint("slot-", i)}
		for _, part := range parts {
			slot.Parts = append(slot.Parts, page.Part{ID: part[:1], HTML: template.HTML(part)})
		}
		view.Slots = append(view.Slots, slot)
	}
	return view
}

func TestABrowserIsToldWhatDiffersAndNothingElse(t *testing.T) {
	has := viewOf("Matrix", []string{"a1", "b1"}, []string{"c1"})
	for name, row := range map[string]struct {
		wants page.View
		told  string
		whole bool
	}{
		"nothing":                  {wants: viewOf("Matrix", []string{"a1", "b1"}, []string{"c1"}), told: `null`},
		"a part":                   {wants: viewOf("Matrix", []string{"a1", "b2"}, []string{"c1"}), told: `{"title":"Matrix","slots":{"slot-0":{"changed":{"b":"b2"}}}}`},
		"the title alone":          {wants: viewOf("Inbox", []string{"a1", "b1"}, []string{"c1"}), told: `{"title":"Inbox","slots":{}}`},
		"a part that has come":     {wants: viewOf("Matrix", []string{"a1", "d1", "b1"}, []string{"c1"}), told: `{"title":"Matrix","slots":{"slot-0":{"order":["a","d","b"],"changed":{"d":"d1"}}}}`},
		"a part that has gone":     {wants: viewOf("Matrix", []string{"b1"}, []string{"c1"}), told: `{"title":"Matrix","slots":{"slot-0":{"order":["b"]}}}`},
		"the last part of a slot":  {wants: viewOf("Matrix", []string{"a1", "b1"}, nil), told: `{"title":"Matrix","slots":{"slot-1":{"order":[]}}}`},
		"another order":            {wants: viewOf("Matrix", []string{"b1", "a1"}, []string{"c1"}), told: `{"title":"Matrix","slots":{"slot-0":{"order":["b","a"]}}}`},
		"a slot that has come":     {wants: viewOf("Matrix", []string{"a1", "b1"}, []string{"c1"}, []string{"d1"}), told: `null`, whole: true},
		"a slot instead of others": {wants: page.View{Title: "Matrix", Slots: []page.Slot{{ID: "other"}, {ID: "slot-1"}}}, told: `null`, whole: true},
	} {
		t.Run(name, func(t *testing.T) {
			told, whole := differ(has, row.wants)
			text, err := json.Marshal(told)
			if err != nil {
				t.Fatal(err)
			}
			if string(text) != row.told || whole != row.whole {
				t.Errorf("it is told %s, the whole page anew: %t", text, whole)
			}
			if same := row.wants.Version() == has.Version(); same != (name == "nothing" || name == "the title alone") {
				t.Errorf("the versions are the same: %t", same)
			}
		})
	}
}

func TestASealedViewHasAVersionOfWhatIsAddedToo(t *testing.T) {
	shared := viewOf("Matrix", []string{"a1"}).Sealed()
	one, two := shared, shared
	framed := func(html template.HTML) []page.Slot {
		return slices.Concat(shared.Slots, []page.Slot{{ID: "frame", Parts: []page.Part{{ID: "x", HTML: html}}}})
	}
	one.Slots, two.Slots = framed("1"), framed("2")
	if one.Version() == two.Version() || one.Version() == viewOf("Matrix", []string{"a2"}).Sealed().Version() {
		t.Error("different views have the same version")
	}
}

func TestAPageIsAskedForAnewOnlyWhereItWouldEndSoAgain(t *testing.T) {
	promotions := schema.GroupResource{Group: "assent.dev", Resource: "promotions"}
	for name, row := range map[string]struct {
		err     error
		lasting bool
	}{
		"what it is about is gone":      {apierrors.NewNotFound(promotions, "shop"), true},
		"it may not be seen any more":   {fmt.Errorf("list: %w", apierrors.NewForbidden(promotions, "", errors.New("no"))), true},
		"no project is left":            {live.ErrForbidden, true},
		"there are new records":         {errNewer, true},
		"the API server is away":        {errors.New("connection refused"), false},
		"the API server is overloaded":  {apierrors.NewTooManyRequests("wait", 1), false},
		"the API server has a timeout":  {apierrors.NewTimeoutError("late", 1), false},
		"the API server has just begun": {apierrors.NewServiceUnavailable("not yet"), false},
	} {
		if got := lasting(row.err); got != row.lasting {
			t.Errorf("%s: %t", name, got)
		}
	}
}
