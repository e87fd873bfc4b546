// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/test/cluster"
)

var _ = Describe("Whoever wants what is not theirs", func() {
	It("cannot have another site send a form: it is refused, and nothing is decided", func(ctx SpecContext) {
		promotion := asked(ctx, newProject(ctx), "shop-1.0.0", "staging")
		evil := other(fmt.Sprintf(`<form method=post action="%s%s/approve"><input name=uid value=%q><input name=digest value=%q></form><script>document.forms[0].submit()</script>`,
			home, pageOf(promotion), promotion.UID, promotion.Status.Plan.Digest))
		alice := signIn(cluster.Alice)
		alice.goes(evil)
		alice.sees("body", "another site has made your browser ask for this")
		Expect(promotionOf(ctx, promotion.Namespace, promotion.Name).Spec.Approvals).To(BeEmpty())
	}, NodeTimeout(3*patience))

	It("cannot read what people see from another site", func(_ SpecContext) {
		evil := other(fmt.Sprintf(`<p id=told></p><script>fetch(%q, {credentials: "include", mode: "no-cors"}).then(() => fetch(%q, {credentials: "include"})).then((a) => a.text(), () => "nothing").then((t) => told.textContent = t)</script>`,
			home+"/matrix", home+"/matrix"))
		alice := signIn(cluster.Alice)
		alice.goes(evil)
		alice.sees("#told", "nothing")
	}, NodeTimeout(3*patience))

	It("cannot frame the dashboard and have people click what they do not see", func(_ SpecContext) {
		evil := other(fmt.Sprintf(`<iframe id=frame src=%q></iframe>`, home+"/matrix"))
		alice := signIn(cluster.Alice)
		alice.goes(evil)
		Eventually(func() []string { _, faults := alice.reported(); return faults }).Should(ContainElement(ContainSubstring("blocked")))
	}, NodeTimeout(3*patience))

	It("cannot run a script by the notes of a Release, or by any text that they write", func(ctx SpecContext) {
		project := newProject(ctx)
		newRelease(ctx, project, "2.0.0", "# <script>document.title='taken'</script>\n\n<img src=x onerror=\"document.title='taken'\">\n\n[look](javascript:document.title='taken')\n\n![pixel](https://evil.example.com/pixel.png)")
		promotion := asked(ctx, project, "shop-2.0.0", "staging")
		alice := signIn(cluster.Alice)
		for _, page := range []string{pageOf(promotion), "/projects/" + project + "/releases/shop-2.0.0", "/inbox", "/matrix"} {
			alice.opens(page)
			alice.sees("main", "2.0.0")
			Expect(alice.has(`main script, main img[onerror], a[href^="javascript:"], img[src*="evil"]`)).To(BeZero(), page)
			Expect(alice.title()).NotTo(ContainSubstring("taken"), page)
		}
		hosts, _ := alice.reported()
		Expect(hosts).To(HaveLen(1), "no other host is asked for anything")
	}, NodeTimeout(3*patience))

	It("cannot run a script that got into a page all the same: the browser refuses it", func(_ SpecContext) {
		alice := signIn(cluster.Alice)
		evaluate[any](alice, `(() => { const s = document.createElement("div"); try { s.innerHTML = "<img src=x onerror=\"document.title='taken'\">"; document.body.append(s) } catch (e) { document.title = "refused" } })()`)
		Eventually(alice.title).Should(Equal("refused"))
	}, NodeTimeout(3*patience))

	It("has nothing of a session whose token has expired", func(ctx SpecContext) {
		project := newProject(ctx)
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "viewer", Namespace: project}}
		Expect(admin.Create(ctx, account)).To(Succeed())
		asked := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](600)}}
		Expect(admin.SubResource("token").Create(ctx, account, asked)).To(Succeed())
		dave := newVisitor()
		dave.pastes(asked.Status.Token)
		dave.sees("header", "viewer")
		Expect(admin.Delete(ctx, account)).To(Succeed()) // with its account, a token ends
		Eventually(func() string {
			dave.opens("/matrix")
			return dave.at()
		}).WithTimeout(2 * time.Minute).Should(ContainSubstring("/sign-in"))
	}, NodeTimeout(4*patience))

	It("finds no cookie that a script could read, or that another site's request carries", func(_ SpecContext) {
		alice := signIn(cluster.Alice)
		var cookies []*network.Cookie
		alice.does(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			found, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{})
			cookies = found.Cookies
			return err
		}))
		Expect(cookies).NotTo(BeEmpty())
		for _, cookie := range cookies {
			Expect(cookie.HTTPOnly).To(BeTrue(), cookie.Name)
			Expect(cookie.SameSite).To(Equal(network.CookieSameSiteLax), cookie.Name)
			Expect(cookie.Value).NotTo(ContainSubstring(tokenOf(cluster.Alice)))
		}
	}, NodeTimeout(2*patience))
})

// other is the address of a page of another site.
func other(page string) string {
	GinkgoHelper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(page))
	}))
	DeferCleanup(site.Close)
	// Another name for this machine is another site to a browser.
	return "http://localhost" + site.URL[len("http://127.0.0.1"):]
}
