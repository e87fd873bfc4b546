// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"io"
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

func TestATransferTellsOfItsFirstFailure(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") != "" {
			t.Error("a login was sent where there is none")
		}
		w.WriteHeader(map[string]int{"/gone": http.StatusGone, "/other": http.StatusNotFound}[request.URL.Path])
	}))
	defer server.Close()
	own, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	transfer := newTransfer(server.Client(), own, login{}, 100)
	if _, err := transfer.get(t.Context(), ":"); err == nil {
		t.Error("an address that is none was asked")
	}
	for _, path := range []string{"/gone", "/other"} {
		if _, err := transfer.get(t.Context(), server.URL+path); statusOf(err) != http.StatusGone {
			t.Errorf("got %v", err)
		}
	}
}

// Libraries put it into other words, which say nothing about asking again.
func TestATransferKnowsThatAnAnswerBrokeOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "50")
		_, _ = w.Write([]byte("half"))
	}))
	defer server.Close()
	own, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	transfer := newTransfer(server.Client(), own, login{}, 100)
	if _, err := transfer.get(t.Context(), server.URL); err == nil || !errors.Is(transfer.failed(), io.ErrUnexpectedEOF) {
		t.Errorf("got %v, and the transfer knows of %v", err, transfer.failed())
	}
}
