// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// oneOf picks an entry.
func oneOf[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

// smallQuestion is a random question in which everything that a count depends on happens often.
func smallQuestion(random *rand.Rand) Question {
	asked, people := smallCase(random)
	q := Question{Environment: "production", Plan: thisPlan, RequestedBy: v1alpha1.Person{Username: "user-0"}, Ballots: people}
	q.Policy = v1alpha1.ApprovalPolicy{
		Rules:            asked,
		SelfApproval:     oneOf(random, "", v1alpha1.SelfApprovalDenied, v1alpha1.SelfApprovalAllowed),
		ServiceAccounts:  oneOf(random, "", v1alpha1.ServiceAccountApprovalDenied, v1alpha1.ServiceAccountApprovalAllowed),
		OneRulePerPerson: oneOf(random, "", v1alpha1.OneRulePerPersonRequired, v1alpha1.OneRulePerPersonNotRequired),
		Comment:          oneOf(random, "", v1alpha1.CommentNever, v1alpha1.CommentOnRejection, v1alpha1.CommentAlways),
	}
	for i := range asked {
		if random.IntN(3) == 0 {
			asked[i] = onlyWhen(asked[i])
		}
		if random.IntN(6) > 0 {
			q.Rules = append(q.Rules, v1alpha1.PlanRule{Name: asked[i].Name, Applicability: oneOf(random,
				v1alpha1.RuleApplies, v1alpha1.RuleApplies, v1alpha1.RuleDoesNotApply, v1alpha1.RuleDoesNotApply, v1alpha1.RuleUnknown)})
		}
	}
	for i := range people {
		people[i] = people[i].at(random.IntN(4)).saying(oneOf(random, "", " ", "because", "because"))
		people[i].Authority = oneOf(random, AuthorityHeld, AuthorityHeld, AuthorityUnproven, AuthorityLost)
		people[i].PlanDigest = oneOf(random, thisPlan, thisPlan, thisPlan, otherPlan, "")
		people[i].Decision = oneOf(random, v1alpha1.DecisionApproved, v1alpha1.DecisionApproved, v1alpha1.DecisionApproved, v1alpha1.DecisionApproved, v1alpha1.DecisionRejected)
		if random.IntN(8) == 0 {
			people[i].User = "system:serviceaccount:ci:" + people[i].User
		}
	}
	return q
}

// expected is what a count has to come to, written down a second time in the plainest way.
type expected struct {
	approvals, rejections, unexplained []Ballot
	rules                              []v1alpha1.ApprovalRule
	unknown                            int
}

func expect(q Question) (want expected) {
	for _, ballot := range q.Ballots {
		silent := strings.TrimSpace(ballot.Comment) == ""
		rejected := ballot.Decision == v1alpha1.DecisionRejected
		own := ballot.User == "user-0" && q.Policy.SelfApproval != v1alpha1.SelfApprovalAllowed
		robot := strings.HasPrefix(ballot.User, "system:") && q.Policy.ServiceAccounts != v1alpha1.ServiceAccountApprovalAllowed
		switch {
		case ballot.Authority == AuthorityLost:
		case rejected && silent && q.Policy.Comment != v1alpha1.CommentNever:
			want.unexplained = append(want.unexplained, ballot)
		case rejected:
			want.rejections = append(want.rejections, ballot)
		case ballot.PlanDigest == thisPlan && !own && !robot && (!silent || q.Policy.Comment != v1alpha1.CommentAlways):
			want.approvals = append(want.approvals, ballot)
		}
	}
	said := map[string]v1alpha1.Applicability{}
	for _, entry := range q.Rules {
		said[entry.Name] = entry.Applicability
	}
	for _, rule := range q.Policy.Rules {
		switch {
		case rule.When == "" || said[rule.Name] == v1alpha1.RuleApplies:
			want.rules = append(want.rules, rule)
		case said[rule.Name] != v1alpha1.RuleDoesNotApply:
			want.unknown++
		}
	}
	if want.rules == nil {
		want.rules = rules(rule(DefaultRule, 1)).Rules
	}
	return want
}

// filledBy is how many places the approvals can fill at most.
func (want expected) filledBy(q Question, approvals []Ballot) (filled int) {
	var free []int32
	for _, rule := range want.rules {
		free = append(free, *rule.Required)
	}
	if q.Policy.OneRulePerPerson != v1alpha1.OneRulePerPersonNotRequired {
		return mostFilled(want.rules, approvals, free)
	}
	for i := range want.rules {
		filled += mostFilled(want.rules[i:i+1], approvals, free[i:i+1])
	}
	return filled
}

// metSince tries every moment at which something was seen.
func (want expected) metSince(q Question, places int) (since time.Time) {
	if want.unknown > 0 || len(want.unexplained) > 0 || places == 0 {
		return since
	}
	for _, last := range want.approvals {
		seen := slices.DeleteFunc(slices.Clone(want.approvals), func(b Ballot) bool { return b.FirstSeen.After(last.FirstSeen) })
		if want.filledBy(q, seen) == places && (since.IsZero() || last.FirstSeen.Before(since)) {
			since = last.FirstSeen
		}
	}
	return since
}

func TestEveryCountComesToWhatThePlainestReadingOfTheRulesSays(t *testing.T) {
	const seed = 1848
	random := rand.New(rand.NewPCG(seed, seed))
	happened := map[string]int{}
	for range 20000 {
		q := smallQuestion(random)
		want, got := expect(q), Count(q)
		places, granted := 0, want.filledBy(q, want.approvals)
		for _, rule := range want.rules {
			places += int(*rule.Required)
		}
		holds := granted == places && want.unknown == 0 && len(want.unexplained) == 0
		since := want.metSince(q, places)
		if got.Met() != holds || int(*got.Status.Granted) != granted || int(*got.Status.Required) != places || !got.MetSince.Equal(since) ||
			len(got.Unknown) != want.unknown || !sameUsers(got.Rejections, want.rejections) || !sameUsers(got.Unexplained, want.unexplained) ||
			len(got.Status.Counted) != len(want.approvals)+len(want.rejections) || len(got.Status.Counted)+len(got.Status.Ignored) != len(q.Ballots) {
			t.Fatalf("counted %s since %s\nwant %d/%d, holds %t since %s: %+v\nquestion %+v", outcome(got), got.MetSince, granted, places, holds, since, want, q)
		}
		for _, what := range []struct {
			name string
			is   bool
		}{
			{"holds", holds}, {"does not hold", !holds}, {"holds since a time", !since.IsZero()}, {"holds without approvals", holds && places == 0},
			{"only a rejection without its reason keeps it closed", granted == places && want.unknown == 0 && !holds},
			{"only an unknown rule keeps it closed", granted == places && len(want.unexplained) == 0 && !holds},
			{"no rule applies", len(want.rules) == 1 && want.rules[0].Name == DefaultRule},
			{"more has come since", holds && slices.ContainsFunc(want.approvals, func(b Ballot) bool { return b.FirstSeen.After(since) })},
		} {
			if what.is {
				happened[what.name]++
			}
		}
	}
	for name, times := range happened {
		if times < 200 {
			t.Errorf("%q happened %d times only", name, times)
		}
	}
	if len(happened) != 8 {
		t.Errorf("happened: %v", happened)
	}
}

func sameUsers(a, b []Ballot) bool {
	names := func(ballots []Ballot) (users []string) {
		for _, ballot := range ballots {
			users = append(users, ballot.User)
		}
		slices.Sort(users)
		return users
	}
	return slices.Equal(names(a), names(b))
}

func TestTheOrderOfWhatIsAskedMakesNoDifference(t *testing.T) {
	const seed = 1291
	random := rand.New(rand.NewPCG(seed, seed))
	for range 5000 {
		q := smallQuestion(random)
		before := fmt.Sprintf("%+v", q)
		want, wantUnfillable := Count(q), Unfillable(q)
		if after := fmt.Sprintf("%+v", q); after != before {
			t.Fatalf("counting changed the question from\n%s to\n%s", before, after)
		}
		random.Shuffle(len(q.Ballots), func(i, j int) { q.Ballots[i], q.Ballots[j] = q.Ballots[j], q.Ballots[i] })
		random.Shuffle(len(q.Rules), func(i, j int) { q.Rules[i], q.Rules[j] = q.Rules[j], q.Rules[i] })
		got := Count(q)
		if !reflect.DeepEqual(got, want) || !slices.Equal(Unfillable(q), wantUnfillable) {
			t.Fatalf("counted\n%+v, and in another order\n%+v", want, got)
		}
	}
}
