// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"strings"
)

// contentPolicy lets a page load nothing but what this server has, run no script that stands in it, and be framed by nobody.
var contentPolicy = strings.Join([]string{
	"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
	"require-trusted-types-for 'script'", "trusted-types assent",
}, "; ")

// secured sets what every answer tells the browser, and refuses what another site makes it ask for.
func secured(next http.Handler, https bool) http.Handler {
	forged := http.NewCrossOriginProtection()
	forged.SetDenyHandler(http.HandlerFunc(refuseOthers))
	guarded := forged.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		header.Set("Cache-Control", "no-store")
		if https {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !ownRead(r) {
			refuseOthers(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

func refuseOthers(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "another site has made your browser ask for this, and it was refused: open the dashboard itself, and do it there", http.StatusForbidden)
}

// ownRead says whether a request to read comes from our own pages, or from somebody who follows a link. Another site may lead a person here; it may neither embed
// nor fetch anything.
func ownRead(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	default:
		safe := r.Method == http.MethodGet || r.Method == http.MethodHead
		return !safe || (r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document")
	}
}
