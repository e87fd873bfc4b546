// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/assent-dev/assent/test/cluster"
)

// axe is the accessibility checker, as a script. It comes from the Node package of this folder.
var axe = sync.OnceValues(func() (string, error) {
	const script = "node_modules/axe-core/axe.min.js"
	if _, err := os.Stat(script); err != nil {
		if output, err := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
			return "", fmt.Errorf("npm ci: %w: %s", err, output)
		}
	}
	content, err := os.ReadFile(filepath.FromSlash(script))
	return string(content), err
})

// violation is what axe finds.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML, FailureSummary string }
}

// violations of WCAG AA on the page that somebody looks at.
func violations(v *visitor) string {
	GinkgoHelper()
	script, err := axe()
	Expect(err).NotTo(HaveOccurred())
	evaluate[any](v, script+"; 0")
	found := evaluate[[]violation](v,
		`axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).then((r) => r.violations.map((v) => ({ID: v.id, Help: v.help, Nodes: v.nodes.map((n) => ({HTML: n.html, FailureSummary: n.failureSummary}))})))`)
	var text strings.Builder
	for _, one := range found {
		for _, node := range one.Nodes {
			fmt.Fprintf(&text, "%s: %s\n  %s\n  %s\n", one.ID, one.Help, node.HTML, node.FailureSummary)
		}
	}
	return text.String()
}

// look is how somebody's screen is set up.
type look struct {
	scheme string
	width  int64
}

// as is a screen that is set up so.
func (l look) as() chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}}}),
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: 900, DeviceScaleFactor: 1, Mobile: l.width < 500}),
	)
}

var looks = []look{{"light", 1280}, {"dark", 1280}, {"light", 360}}

var _ = Describe("Everybody", func() {
	It("can use every page: by keyboard and screen reader, in the light and in the dark, on a phone", func(ctx SpecContext) {
		project := newProject(ctx)
		promotion := asked(ctx, project, "shop-1.0.0", "staging")
		alice := signIn(cluster.Alice)
		for _, path := range pages(project, promotion.Name) {
			for _, look := range looks {
				alice.does(look.as())
				alice.opens(path)
				alice.sees("h1", "")
				found := violations(alice)
				if found != "" {
					AddReportEntry(fmt.Sprintf("%s in %s at %d px", path, look.scheme, look.width), found)
				}
				Expect(found).To(BeEmpty(), "%s in %s at %d px", path, look.scheme, look.width)
				wide := evaluate[bool](alice, `document.documentElement.scrollWidth > document.documentElement.clientWidth`)
				Expect(wide).To(BeFalse(), "%s scrolls sideways at %d px", path, look.width)
			}
		}
		hosts, faults := alice.reported()
		Expect(hosts).To(HaveLen(1), "no other host is asked for anything")
		Expect(faults).To(BeEmpty())
	}, NodeTimeout(6*patience))

	It("can sign in on a page that is as accessible", func(_ SpecContext) {
		somebody := newVisitor()
		for _, look := range looks {
			somebody.does(look.as())
			somebody.opens("/sign-in")
			Expect(violations(somebody)).To(BeEmpty())
		}
	}, NodeTimeout(2*patience))

	It("can approve by the keyboard alone", func(ctx SpecContext) {
		promotion := asked(ctx, newProject(ctx), "shop-1.0.0", "staging")
		alice := signIn(cluster.Alice)
		alice.opens(pageOf(promotion))
		evaluate[any](alice, `document.querySelector('form[action$="/approve"] button').focus()`)
		alice.does(chromedp.KeyEvent(kb.Enter))
		alice.sees("main", "Succeeded")
	}, NodeTimeout(2*patience))

	It("can decide without any script", func(ctx SpecContext) {
		promotion := asked(ctx, newProject(ctx), "shop-1.0.0", "staging")
		alice := signIn(cluster.Alice)
		alice.does(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
		alice.opens(pageOf(promotion))
		alice.does(chromedp.Click(chromedp.CSS(`form[action$="/approve"] button`)))
		Eventually(func() []string {
			var users []string
			for _, approval := range promotionOf(ctx, promotion.Namespace, promotion.Name).Spec.Approvals {
				users = append(users, approval.User)
			}
			return users
		}).Should(ConsistOf(cluster.Alice))
	}, NodeTimeout(2*patience))
})

// pages of a project, each once.
func pages(project, promotion string) []string {
	in := "/projects/" + project
	return []string{
		"/matrix?project=" + project, "/inbox?project=" + project, in + "/promotions/" + promotion, in + "/environments/staging", in + "/releases/shop-1.0.0",
		"/audit?project=" + project, "/insight?project=" + project,
	}
}
