// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
)

func TestARuleCoversWhatItNames(t *testing.T) {
	rule := func(verb, group, resource string, names ...string) authorizationv1.ResourceRule {
		return authorizationv1.ResourceRule{Verbs: []string{"get", verb}, APIGroups: []string{group}, Resources: []string{"releases", resource}, ResourceNames: names}
	}
	for _, test := range []struct {
		name string
		rule authorizationv1.ResourceRule
		want bool
	}{
		{"the verb on all Environments", rule("approve", "assent.dev", "environments"), true},
		{"the verb on this Environment", rule("approve", "assent.dev", "environments", "dev", "production"), true},
		{"everything", rule("*", "*", "*"), true},
		{"every verb", rule("*", "assent.dev", "environments", "production"), true},
		{"another verb", rule("promote", "assent.dev", "environments"), false},
		{"another Environment", rule("approve", "assent.dev", "environments", "dev"), false},
		{"a name is no pattern", rule("approve", "assent.dev", "environments", "*"), false},
		{"another group", rule("approve", "apps", "environments"), false},
		{"another resource", rule("approve", "assent.dev", "promotions"), false},
		{"the status alone", rule("approve", "assent.dev", "environments/status"), false},
	} {
		if got := covers([]authorizationv1.ResourceRule{{}, test.rule}, "approve", "production"); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if covers(nil, "approve", "production") {
		t.Error("no rule covers it")
	}
}
