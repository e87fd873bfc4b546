// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func (b Ballot) saying(comment string) Ballot { b.Comment = comment; return b }

func commentPolicy(comment v1alpha1.CommentPolicy) v1alpha1.ApprovalPolicy {
	return v1alpha1.ApprovalPolicy{Comment: comment}
}

func TestADecisionWithoutTheCommentThatItNeeds(t *testing.T) {
	const never, onRejection, always = v1alpha1.CommentNever, v1alpha1.CommentOnRejection, v1alpha1.CommentAlways
	for _, test := range []struct {
		name    string
		comment v1alpha1.CommentPolicy
		ballots []Ballot
		want    string
	}{
		// Approvals
		{"never: an approval needs none", never, []Ballot{approves("alice")}, "met, 1/1, approval by alice"},
		{"by default, an approval needs none", "", []Ballot{approves("alice")}, "met, 1/1, approval by alice"},
		{"on rejection: an approval needs none", onRejection, []Ballot{approves("alice")}, "met, 1/1, approval by alice"},
		{"always: an approval without one does not count", always, []Ballot{approves("alice")}, "approval needs 1, 0/1, not alice"},
		{"always: an approval with one counts", always, []Ballot{approves("alice").saying("looked at it")}, "met, 1/1, approval by alice"},
		{"always: an approval without one takes nobody's place", always,
			[]Ballot{approves("alice"), approves("bob").saying("ok")}, "met, 1/1, approval by bob, not alice"},

		// Rejections
		{"never: a rejection needs none", never, []Ballot{rejects("dave").saying("")}, "approval needs 1, 0/1, rejected by dave"},
		{"by default, a rejection without one ends nothing", "", []Ballot{rejects("dave").saying("")},
			"approval needs 1, 0/1, not dave, unexplained by dave"},
		{"on rejection: a rejection without one ends nothing", onRejection, []Ballot{rejects("dave").saying("")},
			"approval needs 1, 0/1, not dave, unexplained by dave"},
		{"always: a rejection without one ends nothing", always, []Ballot{rejects("dave").saying("")},
			"approval needs 1, 0/1, not dave, unexplained by dave"},
		{"a rejection without one keeps the gate closed, though every rule is met", onRejection,
			[]Ballot{approves("alice"), rejects("dave").saying("")}, "1/1, approval by alice, not dave, unexplained by dave"},
		{"a rejection with one ends it", onRejection, []Ballot{approves("alice"), rejects("dave").saying("no")},
			"met, 1/1, approval by alice, rejected by dave"},
		{"always: a rejection with one ends it", always, []Ballot{rejects("dave").saying("no")},
			"approval needs 1, 0/1, rejected by dave"},
		{"a rejection with one ends it beside another without", onRejection, []Ballot{rejects("dave").saying("no"), rejects("erin").saying("")},
			"approval needs 1, 0/1, not erin, rejected by dave, unexplained by erin"},
		{"a rejection of another plan without one keeps the gate closed", onRejection,
			[]Ballot{approves("alice"), rejects("dave").saying("").onPlan(otherPlan)}, "1/1, approval by alice, not dave, unexplained by dave"},
		{"the requester's rejection without one keeps the gate closed", onRejection,
			[]Ballot{approves("alice"), rejects("requester").saying("")}, "1/1, approval by alice, not requester, unexplained by requester"},
		{"a rejection without one by somebody who lost the right does not count at all", onRejection,
			[]Ballot{approves("alice"), rejects("dave").saying("").withAuthority(AuthorityLost)}, "met, 1/1, approval by alice, not dave"},
		{"a rejection without one counts before anybody has asked for the right again", onRejection,
			[]Ballot{approves("alice"), rejects("dave").saying("").withAuthority(AuthorityUnproven)}, "1/1, approval by alice, not dave, unexplained by dave"},

		// What is a comment
		{"spaces are no comment", always, []Ballot{approves("alice").saying(" \t\r\n\u00a0\u3000")}, "approval needs 1, 0/1, not alice"},
		{"what nobody can see is no comment", always, []Ballot{approves("alice").saying("\u200b\u2060\ufeff")}, "approval needs 1, 0/1, not alice"},
		{"a rejection that says spaces says nothing", "", []Ballot{rejects("dave").saying(" \n ")}, "approval needs 1, 0/1, not dave, unexplained by dave"},
		{"one sign is a comment", always, []Ballot{approves("alice").saying(" 👍 ")}, "met, 1/1, approval by alice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			question := Question{Policy: commentPolicy(test.comment), Plan: thisPlan, RequestedBy: v1alpha1.Person{Username: "requester"}, Ballots: test.ballots}
			if got := outcome(Count(question)); got != test.want {
				t.Errorf("counted\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func TestADecisionWithoutItsCommentIsToldWhatToDo(t *testing.T) {
	ballots := []Ballot{
		approves("alice"), rejects("bob").saying(" "),
		approves("carol").onPlan(otherPlan), rejects("dave").saying("").withAuthority(AuthorityLost), approves("requester"),
	}
	want := []string{
		"gave no comment, and environment \"production\" asks for one: send the decision again with a `comment`",
		"rejected it without a `comment`, and environment \"production\" asks for one: nothing starts until the rejection says why, or is withdrawn",
		// A comment would not make these count.
		"approved plan sha256:bbbbbbbbbbbb…, and the plan has changed since; look at the new diff and approve again",
		"does not hold the verb `approve` on environment \"production\" any more; the decision counts again once the right is back",
		"asked for this promotion, and environment \"production\" does not count the requester's own approval; somebody else has to approve",
	}
	var got []string
	for _, ignored := range Count(Question{
		Environment: "production", Policy: commentPolicy(v1alpha1.CommentAlways), Plan: thisPlan,
		RequestedBy: v1alpha1.Person{Username: "requester"}, Ballots: ballots,
	}).Status.Ignored {
		got = append(got, ignored.Reason)
	}
	if !slices.Equal(got, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestReasonsForAMissingCommentStayWithinTheBoundsOfTheAPI(t *testing.T) {
	result := Count(Question{Environment: strings.Repeat("e", 63), Plan: thisPlan, Policy: commentPolicy(v1alpha1.CommentAlways),
		Ballots: []Ballot{approves("alice"), rejects("dave").saying("")}})
	if len(result.Status.Ignored) != 2 {
		t.Fatalf("ignored %v, want both", result.Status.Ignored)
	}
	for _, ignored := range result.Status.Ignored {
		if length := utf8.RuneCountInString(ignored.Reason); length == 0 || length > 1024 {
			t.Errorf("the reason has %d characters: %.80s…", length, ignored.Reason)
		}
	}
}
