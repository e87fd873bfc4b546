// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"
	"strings"
	"testing"
)

func framedMatrix(t *testing.T, c Context, world *World, waiting int, here string) string {
	t.Helper()
	view, err := matrixOf(t, c, world, MatrixFilter{}).InFrame(c, world, waiting)
	if err != nil {
		t.Fatal(err)
	}
	return document(t, c, view, here)
}

func TestTheFrameSaysWhoIsSignedInAndWhereTheyAre(t *testing.T) {
	html := framedMatrix(t, viewer(), everything(), 3, "/matrix?project=shop")
	for _, want := range []string{
		`<a class="skip" href="#main">`, `href="/matrix" aria-current="page"`, `<strong>alice</strong>`, `<li class="badge">security</li>`,
		`<form method="post" action="/sign-out">`, `data-here="/matrix?project=shop"`, `class="count">3<span class="visually-hidden"> waiting for you</span>`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("it does not have %q", want)
		}
	}
	if strings.Contains(html, `href="/inbox" aria-current`) {
		t.Error("it says to be on two pages")
	}
}

func TestWhoeverIsNotSignedInIsOfferedNothing(t *testing.T) {
	view, err := Problem(Context{}, 401, "Not signed in", "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if html := document(t, Context{}, view, ""); strings.Contains(html, "<nav") || strings.Contains(html, "sign-out") {
		t.Error(html)
	}
}

func TestTheCountIsAPartAndAbsentWhereNothingWaits(t *testing.T) {
	for waiting, want := range map[int]int{0: 0, 2: 1} {
		view, err := matrixOf(t, viewer(), everything(), MatrixFilter{}).InFrame(viewer(), everything(), waiting)
		if err != nil {
			t.Fatal(err)
		}
		if order, _ := partsOf(t, view, slotWaiting); len(order) != want {
			t.Errorf("%d wait, and the parts are %v", waiting, order)
		}
	}
}

func TestAStaleWorldSaysSoInALiveRegion(t *testing.T) {
	world := everything()
	if strings.Contains(framedMatrix(t, viewer(), world, 0, "/matrix"), "stale-note") {
		t.Error("it says to be stale, and is not")
	}
	world.Stale = "The API server does not answer."
	html := framedMatrix(t, viewer(), world, 0, "/matrix")
	if !regexp.MustCompile(`<div role="status"><div id="frame-stale"><p id="stale-note"[^>]*>.*The API server does not answer\.`).MatchString(html) {
		t.Error("it does not say so")
	}
}

func TestAProblemIsShownAsItWasSaidWithWhatToDo(t *testing.T) {
	view, err := Problem(viewer(), 403, "It was not approved", `needs the verb "approve"`, "Ask whoever administers the project.", "")
	if err != nil {
		t.Fatal(err)
	}
	html := document(t, viewer(), view, "")
	for _, want := range []string{"403", "<h1>It was not approved</h1>", `needs the verb &#34;approve&#34;`, "Ask whoever administers the project.", `data-here=""`} {
		if !strings.Contains(html, want) {
			t.Errorf("it does not have %q", want)
		}
	}
}

func TestEachIDIsThereOnce(t *testing.T) {
	seen := map[string]bool{}
	html := framedMatrix(t, viewer(), everything(), 3, "/matrix")
	for _, found := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if seen[found[1]] {
			t.Errorf("%q is there twice", found[1])
		}
		seen[found[1]] = true
	}
	for _, found := range regexp.MustCompile(`(?:for|aria-labelledby|href)="#?([a-z-]+)"`).FindAllStringSubmatch(html, -1) {
		if !seen[found[1]] {
			t.Errorf("something refers to %q, which is not there", found[1])
		}
	}
}

func TestEachIconOfATemplateIsKnown(t *testing.T) {
	entries, err := files.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := files.ReadFile("templates/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`icon "([a-z-]+)"`).FindAllSubmatch(text, -1) {
			if _, err := icon(string(found[1])); err != nil {
				t.Errorf("%s: %v", entry.Name(), err)
			}
		}
	}
	for name, state := range states {
		if iconOf(state.icon) == "" {
			t.Errorf("the state %q has no icon", name)
		}
	}
	for _, kind := range kinds {
		if iconOf(kind.Icon) == "" {
			t.Errorf("the kind %q has no icon", kind.Kind)
		}
	}
	if _, err := icon("no such"); err == nil {
		t.Error("an icon that there is not is drawn")
	}
}
