// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// at moves when a ballot was first seen, in minutes after noon.
func (b Ballot) at(minute int) Ballot {
	b.FirstSeen = noon.Add(time.Duration(minute) * time.Minute)
	return b
}

func TestSinceWhenTheGateHolds(t *testing.T) {
	const never = -1
	pair := rules(group("owners", 1, "owners"), group("security", 1, "security"))
	alone := pair
	alone.OneRulePerPerson = v1alpha1.OneRulePerPersonNotRequired
	talkative := commentPolicy(v1alpha1.CommentAlways)
	for _, test := range []struct {
		name    string
		policy  v1alpha1.ApprovalPolicy
		ballots []Ballot
		want    int
	}{
		{"not while nobody has approved", rules(), nil, never},
		{"not while one approval is missing", rules(rule("two", 2)), []Ballot{approves("alice").at(5)}, never},
		{"since the one approval that is needed", rules(), []Ballot{approves("alice").at(5)}, 5},
		{"since the last of two", rules(rule("two", 2)), []Ballot{approves("alice").at(7), approves("bob").at(5)}, 7},
		{"an approval more than needed changes nothing, first by name", rules(), []Ballot{approves("alice").at(9), approves("bob").at(5)}, 5},
		{"an approval more than needed changes nothing, last by name", rules(), []Ballot{approves("alice").at(5), approves("bob").at(9)}, 5},
		{"two at the same time", rules(rule("two", 2)), []Ballot{approves("alice").at(5), approves("bob").at(5)}, 5},
		{"since the one who lets another move on", pair,
			[]Ballot{approves("alice", "owners", "security").at(1), approves("bob", "owners").at(6), approves("carol", "security").at(8)}, 6},
		{"somebody who fills no open rule changes nothing", pair,
			[]Ballot{approves("alice", "owners").at(1), approves("bob", "owners").at(2), approves("dave", "security").at(8)}, 8},
		{"since one person has filled every rule, where that may be", alone,
			[]Ballot{approves("alice", "owners", "security").at(4), approves("bob", "owners").at(6)}, 4},
		{"since approvals that count", rules(), []Ballot{approves("alice").at(1).withAuthority(AuthorityLost), approves("bob").at(2).onPlan(otherPlan), approves("carol").at(3)}, 3},
		{"since approvals with the comment that they need", talkative, []Ballot{approves("alice").at(1), approves("bob").at(4).saying("ok")}, 4},
		{"not by a rejection", rules(rule("two", 2)), []Ballot{approves("alice").at(1), rejects("dave").at(2), approves("erin").at(3)}, 3},
		{"not while a rejection waits for its reason", rules(), []Ballot{approves("alice").at(1), rejects("dave").saying("").at(2)}, never},
		{"not while a rule is unknown", rules(rule("one", 1), onlyWhen(rule("perhaps", 1))), []Ballot{approves("alice").at(1)}, never},
		{"no time where no approval is needed", rules(rule("none", 0)), []Ballot{approves("alice").at(1)}, never},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := time.Time{}
			if test.want != never {
				want = noon.Add(time.Duration(test.want) * time.Minute)
			}
			if got := Count(Question{Policy: test.policy, Plan: thisPlan, Ballots: test.ballots}).MetSince; !got.Equal(want) {
				t.Errorf("met since %s, want %s", got, want)
			}
		})
	}
}
