// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"context"
	"net/url"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// visitor is somebody in front of a browser with nothing in it of anybody else.
type visitor struct {
	tab context.Context
	mu  sync.Mutex
	// hosts that the browser has asked for anything, and faults that a page has reported.
	hosts  map[string]bool
	faults []string
}

// newVisitor opens a tab for somebody.
func newVisitor() *visitor {
	GinkgoHelper()
	return opens(func(end func()) { DeferCleanup(end) })
}

// opens a tab, until what is given to finally is called.
func opens(finally func(func())) *visitor {
	GinkgoHelper()
	tab, end := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	finally(end)
	v := &visitor{tab: tab, hosts: map[string]bool{}}
	Expect(chromedp.Listen(tab, v.hears)).To(Succeed())
	v.does(command(network.Enable, network.EnableParams{}), command(runtime.Enable, cdp.Empty{}))
	return v
}

// hears what the browser tells of a tab.
func (v *visitor) hears(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch told := event.(type) {
	case *network.EventRequestWillBeSent:
		if to, err := url.Parse(told.Request.URL); err == nil && to.Host != "" {
			v.hosts[to.Host] = true
		}
	case *runtime.EventExceptionThrown:
		v.faults = append(v.faults, told.ExceptionDetails.Text)
	case *network.EventLoadingFailed:
		if told.BlockedReason != "" {
			v.faults = append(v.faults, "blocked: "+string(told.BlockedReason))
		}
	}
}

// command is a command of the protocol as a step.
func command[P, R any](of cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, of, params)
		return err
	})
}

// signIn as somebody, by pasting their token.
func signIn(user string) *visitor {
	GinkgoHelper()
	v := newVisitor()
	v.pastes(tokenOf(user))
	v.sees("header", user)
	return v
}

// pastes a token to sign in with.
func (v *visitor) pastes(token string) {
	GinkgoHelper()
	v.opens("/sign-in")
	v.does(chromedp.SetValue(chromedp.CSS(`[name=token]`), token), chromedp.Submit(chromedp.CSS(`[name=token]`)))
}

// does one thing after the other.
func (v *visitor) does(steps ...chromedp.Action[chromedp.Void]) {
	GinkgoHelper()
	limited, cancel := context.WithTimeout(v.tab, patience)
	defer cancel()
	if err := chromedp.Do(limited, steps...); err != nil {
		Fail(err.Error() + "\nat " + v.at() + " there is:\n" + v.text("body"))
	}
}

// evaluate a script in the page.
func evaluate[T any](v *visitor, script string) T {
	GinkgoHelper()
	limited, cancel := context.WithTimeout(v.tab, patience)
	defer cancel()
	value, err := chromedp.Run(limited, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		Fail(err.Error() + "\nat " + v.at() + " there is:\n" + v.text("body"))
	}
	return value
}

// opens a page of the dashboard.
func (v *visitor) opens(path string) {
	GinkgoHelper()
	v.goes(home + path)
}

// goes to any address.
func (v *visitor) goes(address string) {
	GinkgoHelper()
	v.does(chromedp.Navigate(address))
}

// clicks on an element. It may be another one a moment later, as parts of a page are, so that it is found and clicked at once.
func (v *visitor) clicks(selector string) {
	GinkgoHelper()
	evaluate[any](v, `document.querySelector(`+quoted(selector)+`).click()`)
}

// text of an element; empty if it is not there, or the page is just being replaced.
func (v *visitor) text(selector string) string {
	text, _ := chromedp.Run(v.tab, chromedp.Evaluate[string](`document.querySelector(`+quoted(selector)+`)?.innerText ?? ""`))
	return text
}

// title of the page.
func (v *visitor) title() string {
	title, _ := chromedp.Run(v.tab, chromedp.Title())
	return title
}

// at is the address.
func (v *visitor) at() string {
	address, _ := chromedp.Run(v.tab, chromedp.Location())
	return address
}

// sees waits until an element has a text in it.
func (v *visitor) sees(selector, text string) {
	GinkgoHelper()
	Eventually(func() string { return v.text(selector) }).Should(ContainSubstring(text), func() string { return "at " + v.at() + ":\n" + v.text("body") })
}

// sends a form that stands on the page, having filled in its fields, as its button does: what a script asks first is asked.
func (v *visitor) sends(action string, fields map[string]string) {
	GinkgoHelper()
	script := `const form = document.querySelector(` + quoted(`form[action$=`+quoted(action)+`]`) + `);`
	for name, value := range fields {
		script += `form.querySelector(` + quoted(`[name=`+quoted(name)+`]`) + `).value = ` + quoted(value) + `;`
	}
	evaluate[any](v, `(() => {`+script+` form.requestSubmit() })()`)
}

// has says how many elements there are.
func (v *visitor) has(selector string) int {
	GinkgoHelper()
	return evaluate[int](v, `document.querySelectorAll(`+quoted(selector)+`).length`)
}

// answered is what a script of the page is answered.
type answered struct {
	Status int    `json:"status"`
	Text   string `json:"text"`
}

// posts a form as a script of the page would.
func (v *visitor) posts(path string, form url.Values) answered {
	GinkgoHelper()
	return evaluate[answered](v, `fetch(`+quoted(home+path)+`, {method: "POST", headers: {"Content-Type": "application/x-www-form-urlencoded"}, body: `+quoted(form.Encode())+
		`}).then(async (a) => ({status: a.status, text: await a.text()}))`)
}

// reported are the hosts that were asked for anything, and the faults of pages.
func (v *visitor) reported() (hosts, faults []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for host := range v.hosts {
		hosts = append(hosts, host)
	}
	return hosts, append([]string{}, v.faults...)
}

// quoted is a text as JavaScript and CSS read it.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}
