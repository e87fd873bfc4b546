// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWhatOtherSitesMakeABrowserAskForIsRefused(t *testing.T) {
	served := secured(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), true)
	for name, row := range map[string]struct {
		method  string
		headers map[string]string
		refused bool
	}{
		"a page that somebody types":                    {http.MethodGet, map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, false},
		"a link on another site":                        {http.MethodGet, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, false},
		"a frame on another site":                       {http.MethodGet, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, true},
		"a script of another site that reads":           {http.MethodGet, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, true},
		"a script of a neighbour that reads":            {http.MethodGet, map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, true},
		"a picture on another site":                     {http.MethodGet, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, true},
		"only the headers, by a script of another site": {http.MethodHead, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, true},
		"our own script that reads":                     {http.MethodGet, map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, false},
		"our own form":                                  {http.MethodPost, map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}, false},
		"a form on another site":                        {http.MethodPost, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, true},
		"a form on a neighbour":                         {http.MethodPost, map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, true},
		"a form of an old browser, on another site":     {http.MethodPost, map[string]string{"Origin": "https://evil.example.com"}, true},
		"a program that is no browser":                  {http.MethodPost, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequestWithContext(t.Context(), row.method, "https://assent.example.com/matrix", nil)
			for header, value := range row.headers {
				request.Header.Set(header, value)
			}
			answer := httptest.NewRecorder()
			served.ServeHTTP(answer, request)
			if refused := answer.Code == http.StatusForbidden; refused != row.refused {
				t.Errorf("it is answered %d", answer.Code)
			}
		})
	}
}

func TestEveryAnswerTellsTheBrowserWhatItMayDo(t *testing.T) {
	for _, https := range []bool{true, false} {
		answer := httptest.NewRecorder()
		secured(http.NotFoundHandler(), https).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		policy := answer.Header().Get("Content-Security-Policy")
		for _, rule := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, rule) {
				t.Errorf("the policy lacks %q: %s", rule, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || answer.Header().Get("X-Content-Type-Options") != "nosniff" || answer.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("the headers are %v", answer.Header())
		}
		if strict := answer.Header().Get("Strict-Transport-Security") != ""; strict != https {
			t.Errorf("with https %t, the browser is told to insist on it: %t", https, strict)
		}
	}
}
