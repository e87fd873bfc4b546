// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/rest"
)

// apiServer answers SelfSubjectReviews, and nothing else. It takes the subject of a web token for its user, without looking at more of it: these tests are about what
// the dashboard refuses. test/dashboard/oidc has a real one.
type apiServer struct {
	*httptest.Server
	mutex sync.Mutex
	// people are the tokens that it knows besides, and whose they are.
	people map[string]authenticationv1.UserInfo
	// names are the users of web tokens whose subject is not also their name.
	names map[string]string
	// asked are the requests' Authorization headers; others what else of theirs could say who they are from.
	asked, others []string
	// status is what it answers instead, if it is set.
	status int
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	a := &apiServer{people: map[string]authenticationv1.UserInfo{
		"of-alice": {Username: "alice", UID: "1", Groups: []string{"shop-owners", "system:authenticated"}},
		"of-bob":   {Username: "bob"},
		"strange":  {Username: "system:anonymous", Groups: []string{"system:unauthenticated"}},
		"nameless": {},
	}}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(a.review))
	t.Cleanup(a.Close)
	return a
}

func (a *apiServer) review(w http.ResponseWriter, r *http.Request) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.asked = append(a.asked, r.Header.Get("Authorization"))
	for name := range r.Header {
		if strings.HasPrefix(name, "Impersonate-") {
			a.others = append(a.others, name)
		}
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	user, known := a.people[token]
	if subject := claimsOf(token).Subject; subject != "" {
		user, known = authenticationv1.UserInfo{Username: subject}, true
		if name := a.names[subject]; name != "" {
			user.Username = name
		}
	}
	status := map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure"}
	switch {
	case a.status != 0:
		status["code"] = a.status
		reply(w, a.status, status)
	case r.URL.Path != "/apis/authentication.k8s.io/v1/selfsubjectreviews" || r.Method != http.MethodPost:
		status["code"] = http.StatusNotFound
		reply(w, http.StatusNotFound, status)
	case r.Header.Get("Authorization") == "":
		reply(w, http.StatusCreated, reviewed(authenticationv1.UserInfo{Username: "system:anonymous"}))
	case !known:
		status["reason"], status["code"] = "Unauthorized", http.StatusUnauthorized
		reply(w, http.StatusUnauthorized, status)
	default:
		reply(w, http.StatusCreated, reviewed(user))
	}
}

func reviewed(user authenticationv1.UserInfo) *authenticationv1.SelfSubjectReview {
	review := &authenticationv1.SelfSubjectReview{Status: authenticationv1.SelfSubjectReviewStatus{UserInfo: user}}
	review.APIVersion, review.Kind = "authentication.k8s.io/v1", "SelfSubjectReview"
	return review
}

// config connects with an identity of its own, which nothing may be asked with.
func (a *apiServer) config(t *testing.T) *rest.Config {
	t.Helper()
	config := &rest.Config{
		Host: a.URL, BearerToken: "of-the-dashboard", BearerTokenFile: "/of/the/dashboard", Username: "dashboard", Password: "dashboard",
		Impersonate: rest.ImpersonationConfig{UserName: "dashboard"},
	}
	config.Insecure = true
	return config
}

func (a *apiServer) change(do func()) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	do()
}

func (a *apiServer) requests() []string {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return append(append([]string{}, a.asked...), a.others...)
}
