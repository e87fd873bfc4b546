// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"net/http"
	"reflect"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestTheAPIServerIsAskedWithTheTokenAndNothingElse(t *testing.T) {
	api := newAPIServer(t)
	person, err := Check(t.Context(), api.config(t), "of-alice")
	if want := (v1alpha1.Person{Username: "alice", UID: "1", Groups: []string{"shop-owners", "system:authenticated"}}); err != nil || !reflect.DeepEqual(person, want) {
		t.Errorf("the token is %v's, %v; want %v", person, err, want)
	}
	if asked := api.requests(); !reflect.DeepEqual(asked, []string{"Bearer of-alice"}) {
		t.Errorf("asked with %q", asked)
	}
}

func TestTokensThatNoAPIServerAcceptsAreNeverSent(t *testing.T) {
	api := newAPIServer(t)
	for _, token := range []string{"", " ", "\n", "of-alice\nImpersonate-User: bob", "of alice", "of-älice", "="} {
		if person, err := Check(t.Context(), api.config(t), token); !errors.Is(err, ErrNobody) || person.Username != "" {
			t.Errorf("%q is %q's: %v", token, person.Username, err)
		}
	}
	if asked := api.requests(); len(asked) > 0 {
		t.Errorf("the API server was asked with %q", asked)
	}
}

func TestWhoHasNoNameIsNobody(t *testing.T) {
	api := newAPIServer(t)
	for _, token := range []string{"unknown", "strange", "nameless"} {
		if person, err := Check(t.Context(), api.config(t), token); !errors.Is(err, ErrNobody) || person.Username != "" {
			t.Errorf("%q is %q's: %v", token, person.Username, err)
		}
	}
}

func TestATokenIsNotRefusedWhereNobodyCouldBeAsked(t *testing.T) {
	api := newAPIServer(t)
	api.change(func() { api.status = http.StatusForbidden })
	if _, err := Check(t.Context(), api.config(t), "of-alice"); err == nil || errors.Is(err, ErrNobody) {
		t.Errorf("when that is not answered: %v", err)
	}
	api.Close()
	if _, err := Check(t.Context(), api.config(t), "of-alice"); err == nil || errors.Is(err, ErrNobody) {
		t.Errorf("when it is away: %v", err)
	}
}

func TestAPersonHasNoMoreGroupsThanTheAPITakes(t *testing.T) {
	api := newAPIServer(t)
	api.people["of-many"] = authenticationv1.UserInfo{Username: "many", Groups: make([]string, 600)}
	if person, err := Check(t.Context(), api.config(t), "of-many"); err != nil || len(person.Groups) != mostGroups {
		t.Errorf("%d groups, %v", len(person.Groups), err)
	}
}
