// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package scripts_test

import "testing"

func TestAnEarliestStartIsInTheZoneOfTheViewer(t *testing.T) {
	s := newSite(t)
	tab := s.open(t, "/matrix")
	ask[bool](tab, t, bench+`, Date.prototype.getTimezoneOffset = function () { return this.getMonth() === 6 ? -120 : -60; }, true`)
	form := map[string]string{"part": `<section id="part"><form method="post" action="/base/projects/shop/promotions"><input type="datetime-local" name="at"><input type="hidden" name="offset" value="Z">` +
		`<span data-zone>in UTC</span><button>Ask</button></form></section>`}
	s.send(t, "parts", "v2", changed("bench", nil, form))
	becomes(tab, t, `document.querySelector("#part [data-zone]")?.textContent.startsWith("in your time zone (") ?? false`, true)
	ask[bool](tab, t, `(document.querySelector("#part [name=at]").value = "2031-07-10T20:00", true)`)
	s.send(t, "parts", "v3", changed("bench", nil, form)) // in the place of the one that the time was given in
	becomes(tab, t, `document.body.dataset.version`, "v3")
	ask[bool](tab, t, `(document.querySelector("#part button").click(), true)`)
	becomes(tab, t, `document.title`, "Asked")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.posted) != 1 || s.posted[0].Get("at") != "2031-07-10T20:00" || s.posted[0].Get("offset") != "+02:00" {
		t.Errorf("%v was sent", s.posted)
	}
}
