// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

func TestALoginNeverReachesAnotherHostEvenWhereItMayBeAsked(t *testing.T) {
	var logins []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		logins = append(logins, request.Header.Get("Authorization"))
	}))
	defer server.Close()
	own, err := url.Parse("https://own.example.org")
	if err != nil {
		t.Fatal(err)
	}
	transfer := newTransfer(server.Client(), own, login{username: username, password: password}, 100)
	transfer.foreign = foreignTLS
	if _, err := transfer.get(t.Context(), server.URL); err != nil {
		t.Fatal(err)
	}
	if len(logins) != 1 || logins[0] != "" {
		t.Errorf("another host was sent %q", logins)
	}
}
