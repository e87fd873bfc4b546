// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package scripts_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// bench puts a slot with one part into the page, for parts that pages of the matrix do not have.
const bench = `(() => {
  const slot = document.createElement("div");
  slot.id = "bench";
  const part = document.createElement("section");
  part.id = "part";
  slot.append(part);
  document.querySelector("main").append(slot);
})()`

func TestAChangedPartTakesThePlaceOfItsPredecessor(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	s.send(t, "parts", "v2", changed("matrix-rows", nil, map[string]string{
		"row/shop/web": `<tr id="row/shop/web" data-project="shop"><th>web</th><td>9.9.9 <time datetime="2020-01-01T00:00:00Z" data-age>then</time></td></tr>`,
	}))
	becomes(tab, t, `document.getElementById("row/shop/web").cells[1].innerText.includes("9.9.9")`, true)
	if text := ask[string](tab, t, `document.getElementById("row/shop/web").querySelector("time").textContent`); !strings.HasSuffix(text, "years ago") {
		t.Errorf("its time reads %q", text)
	}
	if order := ask[string](tab, t, `[...document.getElementById("matrix-rows").children].map((row) => row.id).join(" ")`); order != "heading/shop row/shop/cart row/shop/web" {
		t.Errorf("the order is %q", order)
	}
	becomes(tab, t, `document.title`, "Changed – Assent")
	becomes(tab, t, `document.body.dataset.version`, "v2")
}

func TestPartsComeAndGoInTheirOrder(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	s.send(t, "parts", "v2", changed("matrix-rows", []string{"heading/shop", "row/shop/api", "row/shop/web"}, map[string]string{"row/shop/api": `<tr id="row/shop/api"><th>api</th></tr>`}))
	becomes(tab, t, `[...document.getElementById("matrix-rows").children].map((row) => row.id).join(" ")`, "heading/shop row/shop/api row/shop/web")
	s.send(t, "parts", "v3", changed("matrix-rows", []string{}, nil))
	becomes(tab, t, `document.getElementById("matrix-rows").children.length`, 0)
}

func TestWhatSomebodyIsAtIsNotTakenAway(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	ask[bool](tab, t, bench+`, true`)
	form := func(note string) map[string]string {
		return map[string]string{"part": `<section id="part"><p>` + note + `</p><form method="post"><input type="hidden" name="uid" value="` + note + `"><textarea name="reason"></textarea>` +
			`<input name="title" value="as it was"><input type="checkbox" name="sure"><select name="to"><option>a</option><option>b</option></select></form>` +
			`<details><summary>One</summary>x</details><details open><summary>Two</summary>y</details></section>`}
	}
	s.send(t, "parts", "v2", changed("bench", nil, form("first")))
	becomes(tab, t, `document.querySelector("#part p")?.textContent ?? ""`, "first")
	ask[bool](tab, t, `(() => {
	  const part = document.getElementById("part");
	  part.querySelector("[name=sure]").checked = true;
	  part.querySelector("select").value = "b";
	  const [one, two] = part.querySelectorAll("details");
	  one.open = true; two.open = false;
	  const text = part.querySelector("textarea");
	  text.value = "because it is needed";
	  text.focus(); text.setSelectionRange(3, 8);
	  return true;
	})()`)
	s.send(t, "parts", "v3", changed("bench", nil, form("second")))
	becomes(tab, t, `document.querySelector("#part p").textContent`, "second")
	const found = `(() => {
	  const part = document.getElementById("part"), text = part.querySelector("textarea"), [one, two] = part.querySelectorAll("details");
	  return [document.activeElement === text, text.value, text.selectionStart, text.selectionEnd, part.querySelector("[name=title]").value, part.querySelector("[name=uid]").value,
	    part.querySelector("[name=sure]").checked, part.querySelector("select").value, one.open, two.open].join("|");
	})()`
	if got := ask[string](tab, t, found); got != "true|because it is needed|3|8|as it was|second|true|b|true|false" {
		t.Error(got)
	}
}

func TestALostConnectionIsSaidAndSoughtAgain(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	s.send(t, "parts", "v7", changed("matrix-rows", nil, nil))
	becomes(tab, t, `document.body.dataset.version`, "v7")
	s.events <- "" // the server ends the stream
	becomes(tab, t, `document.getElementById("connection").textContent`, "Reconnecting…")
	becomes(tab, t, `document.getElementById("connection").textContent`, "Live")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.streams) < 2 {
		t.Errorf("the streams were %v", s.streams)
	}
}

func TestWhoeverIsNotSignedInAnyMoreIsToldByThePageItself(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	s.mu.Lock()
	s.refuses = true
	s.mu.Unlock()
	s.send(t, "gone", "", "the token has expired")
	becomes(tab, t, `document.body.innerText.trim()`, "nobody is signed in")
}

func TestAStreamThatIsRefusedBringsThePage(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	s.mu.Lock()
	s.refuses = true
	s.mu.Unlock()
	s.events <- ""
	becomes(tab, t, `document.body.innerText.trim()`, "nobody is signed in")
}

func TestAPageIsNotReloadedAwayFromUnderSomebodysHands(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	ask[bool](tab, t, `document.querySelector("#row\\/shop\\/web [data-at=web-dev] .go").click(), document.getElementById("promote").open`)
	s.send(t, "reload", "", "the page has other places than before")
	becomes(tab, t, `document.querySelector("#frame-notes [data-kind=reload]")?.innerText.includes("newer state") ?? false`, true)
	if !ask[bool](tab, t, `document.getElementById("promote").open`) {
		t.Error("the dialog is gone")
	}
}

func TestTheMatrixFiltersWhileSomebodyTypes(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	ask[bool](tab, t, `(() => { const q = document.getElementById("q"); q.focus(); q.value = "car"; q.dispatchEvent(new Event("input", { bubbles: true })); return true; })()`)
	becomes(tab, t, `document.querySelectorAll("#matrix-rows [id^=row]").length`, 1)
	becomes(tab, t, `location.search`, "?q=car")
	if !ask[bool](tab, t, `document.activeElement.id === "q" && document.getElementById("matrix-said").textContent === "1 application"`) {
		t.Error("the focus is lost, or nobody is told how many there are")
	}
	becomes(tab, t, `document.getElementById("connection").dataset.state`, "live")
	for end := time.Now().Add(patience); ; {
		s.mu.Lock()
		last, err := url.ParseQuery(s.streams[len(s.streams)-1])
		s.mu.Unlock()
		if err == nil && last.Get("page") == "/matrix?q=car" && last.Get("version") != "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the page that is followed is %v", last)
		}
	}
}

func TestWithoutRightsNothingIsOffered(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	const offered = `[...document.querySelectorAll(".at, .newest")].filter((at) => at.draggable && getComputedStyle(at.querySelector(".go")).display !== "none").map((at) => at.dataset.at).join(" ")`
	becomes(tab, t, offered, "web-dev web-staging web-production")
}

func TestAVersionIsPromotedByKeyboard(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	becomes(tab, t, `document.querySelector("[data-at=web-dev]").draggable`, true)
	ask[bool](tab, t, `document.querySelector("[data-at=web-dev] .go").click(), true`)
	if got := ask[string](tab, t, `(() => { const form = document.querySelector("#promote form"); return [form.action.replace(location.origin, ""), form.elements.release.value, form.elements.environment.value,
	  [...form.elements.environment.options].map((o) => o.value).join(" "), document.getElementById("promote-title").innerText].join("|"); })()`); got != "/base/projects/shop/promotions|web-1.2.0|web-staging|web-staging web-production|Promote web 1.2.0" {
		t.Error(got)
	}
	ask[bool](tab, t, `document.getElementById("promote-reason").value = "it is time", document.querySelector("#promote form").requestSubmit(), true`)
	becomes(tab, t, `document.title`, "Asked")
	s.mu.Lock()
	defer s.mu.Unlock()
	want := url.Values{"project": {"shop"}, "release": {"web-1.2.0"}, "environment": {"web-staging"}, "type": {"Promote"}, "reason": {"it is time"}}
	if len(s.posted) != 1 || s.posted[0].Encode() != want.Encode() {
		t.Errorf("%v", s.posted)
	}
}

func TestAVersionIsDraggedToTheNextStage(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	becomes(tab, t, `document.querySelector("[data-at=web-dev]").draggable`, true)
	got := ask[string](tab, t, `(() => {
	  const at = (name) => document.querySelector("[data-at=" + name + "]");
	  const data = new DataTransfer();
	  const drag = (on, type) => on.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data }));
	  drag(at("web-dev"), "dragstart");
	  const may = [...document.querySelectorAll(".may-drop")].map((each) => each.dataset.at);
	  const elsewhere = drag(at("cart-staging"), "dragover");
	  const there = drag(at("web-production"), "dragover");
	  drag(at("web-production"), "drop");
	  drag(at("web-dev"), "dragend");
	  const form = document.querySelector("#promote form");
	  return [may.join(" "), elsewhere, there, document.getElementById("promote").open, form.elements.environment.value, document.querySelectorAll(".may-drop").length].join("|");
	})()`)
	if got != "web-staging web-production|true|false|true|web-production|0" { // an event that is not cancelled is no place to drop
		t.Error(got)
	}
}

func TestAFormThatAsksIsSentOnceSomebodyHasSaidYes(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	ask[bool](tab, t, bench+`, true`)
	s.send(t, "parts", "v2", changed("bench", nil, map[string]string{"part": `<form id="part" method="post" action="/base/projects/shop/promotions" data-confirm="Really?"><button name="type" value="Rollback">Go back</button></form>`}))
	becomes(tab, t, `document.querySelector("#part button") !== null`, true)
	ask[bool](tab, t, `document.querySelector("#part button").click(), true`)
	if got := ask[string](tab, t, `document.querySelector("dialog[open]").innerText`); !strings.HasPrefix(got, "Really?") || !strings.Contains(got, "Go back") {
		t.Errorf("it asks %q", got)
	}
	ask[bool](tab, t, `[...document.querySelectorAll("dialog[open] button")].find((button) => button.textContent === "Cancel").click(), true`)
	if ask[bool](tab, t, `document.querySelector("dialog[open]") !== null`) {
		t.Error("the dialog stays")
	}
	ask[bool](tab, t, `document.querySelector("#part button").click(), document.querySelector("dialog[open] .button-main").click(), true`)
	becomes(tab, t, `document.title`, "Asked")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.posted) != 1 || s.posted[0].Get("type") != "Rollback" {
		t.Errorf("%v", s.posted)
	}
}

func TestTimesAreWordedForPeople(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	const script = `import("/base/assets/js/time.js").then(({ ageOf, untilText, momentText }) => {
	  const now = new Date("2031-03-07T10:00:00Z"), at = (text) => new Date(text), zone = "Europe/Zurich";
	  return [
	    ageOf(at("2031-03-07T09:59:30Z"), now), ageOf(at("2031-03-07T09:56:00Z"), now), ageOf(at("2031-03-05T11:00:00Z"), now), ageOf(at("2031-03-01T10:00:00Z"), now), ageOf(at("2030-01-01T10:00:00Z"), now),
	    untilText(at("2031-03-07T10:00:20Z"), now), untilText(at("2031-03-07T13:00:00Z"), now), untilText(at("2031-03-07T09:00:00Z"), now),
	    momentText(at("2031-03-07T20:30:00Z"), now, zone), momentText(at("2031-03-07T23:30:00Z"), now, zone), momentText(at("2031-03-10T08:00:00Z"), now, zone), momentText(at("2031-04-10T08:00:00Z"), now, zone),
	    momentText(at("2033-04-10T08:00:00Z"), now, zone),
	  ];
	})`
	want := []string{"just now", "4 min ago", "47 h ago", "6 d ago", "14 months ago", "in less than a minute", "in 3 h", "now", "21:30", "Saturday 00:30", "Monday 09:00", "10 Apr 10:00", "10 Apr 2033 10:00"}
	if got := ask[[]string](tab, t, script); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
