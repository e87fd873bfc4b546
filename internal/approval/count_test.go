// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

var (
	thisPlan  = v1alpha1.Digest("sha256:" + strings.Repeat("a", 64))
	otherPlan = v1alpha1.Digest("sha256:" + strings.Repeat("b", 64))
	noon      = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

// approves is a ballot of somebody who approved this plan, still may, and was in these groups.
func approves(user string, groups ...string) Ballot {
	return Ballot{
		Approval:  v1alpha1.Approval{User: user, Decision: v1alpha1.DecisionApproved, PlanDigest: thisPlan, Groups: groups},
		Authority: AuthorityHeld,
		FirstSeen: noon,
	}
}

func rejects(user string, groups ...string) Ballot {
	ballot := approves(user, groups...)
	ballot.Decision, ballot.Comment = v1alpha1.DecisionRejected, "the migration locks the table"
	return ballot
}

func (b Ballot) onPlan(plan v1alpha1.Digest) Ballot { b.PlanDigest = plan; return b }
func (b Ballot) withAuthority(a Authority) Ballot   { b.Authority = a; return b }
func rules(rules ...v1alpha1.ApprovalRule) v1alpha1.ApprovalPolicy {
	return v1alpha1.ApprovalPolicy{Rules: rules}
}

func rule(name string, required int32) v1alpha1.ApprovalRule {
	return v1alpha1.ApprovalRule{Name: name, Required: ptr.To(required)}
}

func group(name string, required int32, groups ...string) v1alpha1.ApprovalRule {
	return v1alpha1.ApprovalRule{Name: name, Required: ptr.To(required), Groups: groups}
}

func users(name string, required int32, users ...string) v1alpha1.ApprovalRule {
	return v1alpha1.ApprovalRule{Name: name, Required: ptr.To(required), Users: users}
}

// outcome is a count in one line, as the table below reads.
func outcome(result Result) string {
	var parts []string
	if result.Met() {
		parts = append(parts, "met")
	}
	for _, missing := range result.Missing {
		parts = append(parts, fmt.Sprintf("%s needs %d", missing.Rule.Name, missing.Count))
	}
	parts = append(parts, result.Status.Summary)
	for _, rule := range result.Status.Rules {
		if len(rule.ApprovedBy) > 0 {
			parts = append(parts, fmt.Sprintf("%s by %s", rule.Name, strings.Join(rule.ApprovedBy, "+")))
		}
	}
	for _, ignored := range result.Status.Ignored {
		parts = append(parts, "not "+ignored.User)
	}
	for _, rejection := range result.Rejections {
		parts = append(parts, "rejected by "+rejection.User)
	}
	for _, rejection := range result.Unexplained {
		parts = append(parts, "unexplained by "+rejection.User)
	}
	for _, rule := range result.Unknown {
		parts = append(parts, rule.Name+" unknown")
	}
	return strings.Join(parts, ", ")
}

func TestWhatCountsAndWhichRulesAreMet(t *testing.T) {
	robot := "system:serviceaccount:ci:robot"
	owners, security := group("owners", 1, "owners"), group("security", 1, "security")
	selfAllowed := rules()
	selfAllowed.SelfApproval = v1alpha1.SelfApprovalAllowed
	selfDenied := rules()
	selfDenied.SelfApproval = v1alpha1.SelfApprovalDenied
	robotsAllowed := rules()
	robotsAllowed.ServiceAccounts = v1alpha1.ServiceAccountApprovalAllowed
	robotsDenied := rules(users("robots", 1, robot))
	robotsDenied.ServiceAccounts = v1alpha1.ServiceAccountApprovalDenied
	severalRules := rules(owners, security)
	severalRules.OneRulePerPerson = v1alpha1.OneRulePerPersonNotRequired
	oneRule := rules(owners, security)
	oneRule.OneRulePerPerson = v1alpha1.OneRulePerPersonRequired

	for _, test := range []struct {
		name    string
		policy  v1alpha1.ApprovalPolicy
		ballots []Ballot
		want    string
	}{
		// Without rules
		{"no rule and no approval: one is needed", rules(), nil,
			"approval needs 1, 0/1"},
		{"no rule: one approval by anyone who may", rules(), []Ballot{approves("alice")},
			"met, 1/1, approval by alice"},
		{"no rule: a second approval counts, and is not needed", rules(), []Ballot{approves("bob"), approves("alice")},
			"met, 1/1, approval by alice"},

		// Rules
		{"a rule without `required` needs one", rules(v1alpha1.ApprovalRule{Name: "any"}), nil,
			"any needs 1, 0/1"},
		{"a rule needs as many as it says", rules(rule("two", 2)), []Ballot{approves("alice")},
			"two needs 1, 1/2, two by alice"},
		{"a rule that requires 0 is met by nobody", rules(rule("none", 0)), nil,
			"met, 0/0"},
		{"a rule that requires 0 uses nobody up", rules(rule("none", 0), rule("one", 1)), []Ballot{approves("alice")},
			"met, 1/1, one by alice"},
		{"a group's rule: its members", rules(owners), []Ballot{approves("alice", "staff", "owners")},
			"met, 1/1, owners by alice"},
		{"a group's rule: nobody else", rules(owners), []Ballot{approves("bob", "staff")},
			"owners needs 1, 0/1"},
		{"a group's rule: a user with the group's name is not a member", rules(owners), []Ballot{approves("owners")},
			"owners needs 1, 0/1"},
		{"a rule of several groups: members of any", rules(group("either", 2, "owners", "security")), []Ballot{approves("alice", "owners"), approves("dave", "security")},
			"met, 2/2, either by alice+dave"},
		{"a user's rule: the user", rules(users("lead", 1, "carol", "alice")), []Ballot{approves("alice")},
			"met, 1/1, lead by alice"},
		{"a user's rule: nobody else", rules(users("lead", 1, "carol")), []Ballot{approves("alice", "carol")},
			"lead needs 1, 0/1"},
		{"a rule of users and groups: either", rules(v1alpha1.ApprovalRule{Name: "mixed", Required: ptr.To[int32](2), Users: []string{"carol"}, Groups: []string{"owners"}}),
			[]Ballot{approves("carol"), approves("alice", "owners")},
			"met, 2/2, mixed by alice+carol"},
		{"several rules: one met is not enough", rules(owners, security), []Ballot{approves("alice", "owners")},
			"security needs 1, 1/2, owners by alice"},
		{"several rules: all met", rules(owners, security), []Ballot{approves("alice", "owners"), approves("dave", "security")},
			"met, 2/2, owners by alice, security by dave"},
		{"several rules: too many for one do not make up for another", rules(owners, security),
			[]Ballot{approves("alice", "owners"), approves("carol", "owners"), approves("erin", "owners")},
			"security needs 1, 1/2, owners by alice"},

		// One rule per person
		{"one person fills one rule by default", rules(owners, security), []Ballot{approves("alice", "owners", "security")},
			"security needs 1, 1/2, owners by alice"},
		{"one person fills one rule", oneRule, []Ballot{approves("alice", "owners", "security")},
			"security needs 1, 1/2, owners by alice"},
		{"one person fills every rule they fit, if the environment says so", severalRules, []Ballot{approves("alice", "owners", "security")},
			"met, 2/2, owners by alice, security by alice"},
		{"more people than a rule needs do not make up for another there either", severalRules,
			[]Ballot{approves("alice", "owners"), approves("bob", "owners"), approves("carol", "owners")},
			"security needs 1, 1/2, owners by alice+bob+carol"},
		{"somebody who fits two rules is used where nobody else fits", rules(owners, security),
			[]Ballot{approves("alice", "owners", "security"), approves("bob", "owners")},
			"met, 2/2, owners by bob, security by alice"},
		{"two people move on to make room for a third", rules(group("a", 1, "a"), group("b", 1, "b"), group("c", 1, "c")),
			[]Ballot{approves("1", "a", "b"), approves("2", "b", "c"), approves("3", "a", "b"), approves("4", "a")},
			"met, 3/3, a by 3, b by 1, c by 2"},

		// Who does not count
		{"the requester does not count by default", rules(), []Ballot{approves("bob", "owners"), approves("requester")},
			"met, 1/1, approval by bob, not requester"},
		{"the requester does not count", selfDenied, []Ballot{approves("requester")},
			"approval needs 1, 0/1, not requester"},
		{"the requester counts, if the environment says so", selfAllowed, []Ballot{approves("requester")},
			"met, 1/1, approval by requester"},
		{"a service account does not count by default", rules(), []Ballot{approves(robot)},
			"approval needs 1, 0/1, not " + robot},
		{"a service account does not count even where a rule names it", robotsDenied, []Ballot{approves(robot)},
			"robots needs 1, 0/1, not " + robot},
		{"a service account counts, if the environment says so", robotsAllowed, []Ballot{approves(robot)},
			"met, 1/1, approval by " + robot},
		{"the approval of another plan does not count", rules(), []Ballot{approves("alice").onPlan(otherPlan)},
			"approval needs 1, 0/1, not alice"},
		{"an approval that names no plan does not count", rules(), []Ballot{approves("alice").onPlan("")},
			"approval needs 1, 0/1, not alice"},
		{"somebody who lost the right does not count", rules(), []Ballot{approves("alice").withAuthority(AuthorityLost)},
			"approval needs 1, 0/1, not alice"},
		{"somebody whose right nobody has asked for counts: the guard has asked", rules(), []Ballot{approves("alice").withAuthority(AuthorityUnproven)},
			"met, 1/1, approval by alice"},
		{"who does not count leaves the place to somebody else", rules(owners),
			[]Ballot{approves("alice", "owners").withAuthority(AuthorityLost), approves("carol", "owners")},
			"met, 1/1, owners by carol, not alice"},

		// Rejections
		{"a rejection counts beside approvals that meet every rule", rules(), []Ballot{approves("alice"), rejects("dave")},
			"met, 1/1, approval by alice, rejected by dave"},
		{"a rejection of another plan counts", rules(), []Ballot{rejects("dave").onPlan(otherPlan)},
			"approval needs 1, 0/1, rejected by dave"},
		{"a rejection by somebody who fits no rule counts", rules(owners), []Ballot{rejects("mallory")},
			"owners needs 1, 0/1, rejected by mallory"},
		{"the requester's rejection counts", rules(), []Ballot{rejects("requester")},
			"approval needs 1, 0/1, rejected by requester"},
		{"a service account's rejection counts", rules(), []Ballot{rejects(robot)},
			"approval needs 1, 0/1, rejected by " + robot},
		{"a rejection by somebody who lost the right does not count", rules(), []Ballot{rejects("dave").withAuthority(AuthorityLost)},
			"approval needs 1, 0/1, not dave"},
		{"several rejections are all there, by name", rules(), []Ballot{rejects("dave"), rejects("alice")},
			"approval needs 1, 0/1, rejected by alice, rejected by dave"},
		{"a rejection fills no rule", rules(rule("two", 2)), []Ballot{approves("alice"), rejects("dave")},
			"two needs 1, 1/2, two by alice, rejected by dave"},
	} {
		t.Run(test.name, func(t *testing.T) {
			question := Question{Environment: "production", Policy: test.policy, Plan: thisPlan, RequestedBy: v1alpha1.Person{Username: "requester"}, Ballots: test.ballots}
			if got := outcome(Count(question)); got != test.want {
				t.Errorf("counted\n%s, want\n%s", got, test.want)
			}
			slices.Reverse(question.Ballots)
			if got := outcome(Count(question)); got != test.want {
				t.Errorf("counted in another order\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func TestSixteenApprovalsFillSixteenPlaces(t *testing.T) {
	question := Question{Plan: thisPlan, Policy: rules(rule("crowd", 16))}
	for i := range 16 {
		question.Ballots = append(question.Ballots, approves(fmt.Sprintf("user-%02d", i)))
	}
	result := Count(question)
	if !result.Met() || result.Status.Summary != "16/16" || len(result.Status.Rules[0].ApprovedBy) != 16 || len(result.Filled) != 16 {
		t.Errorf("counted %s", outcome(result))
	}
	question.Ballots = question.Ballots[1:]
	if got := outcome(Count(question)); !strings.HasPrefix(got, "crowd needs 1, 15/16") {
		t.Errorf("without one of them, counted %s", got)
	}
}

func TestEachPersonIsShownWithTheRulesTheyFill(t *testing.T) {
	policy := rules(group("owners", 1, "owners"), group("security", 1, "security"))
	ballots := []Ballot{approves("alice", "owners", "security"), approves("bob", "owners"), approves("carol", "owners")}
	want := map[string][]string{"alice": {"security"}, "bob": {"owners"}}
	if got := Count(Question{Plan: thisPlan, Policy: policy, Ballots: ballots}).Filled; !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("filled %v, want %v", got, want)
	}
	policy.OneRulePerPerson = v1alpha1.OneRulePerPersonNotRequired
	want = map[string][]string{"alice": {"owners", "security"}, "bob": {"owners"}, "carol": {"owners"}}
	if got := Count(Question{Plan: thisPlan, Policy: policy, Ballots: ballots}).Filled; !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("where one person may fill several rules, filled %v, want %v", got, want)
	}
}

func TestEveryDecisionThatCountsHasItsTimeAndItsPlan(t *testing.T) {
	later := rejects("dave").onPlan(otherPlan)
	later.FirstSeen = noon.Add(time.Hour)
	counted := Count(Question{Plan: thisPlan, Ballots: []Ballot{later, approves("alice"), approves("bob").withAuthority(AuthorityLost)}}).Status.Counted
	if len(counted) != 2 {
		t.Fatalf("counted %v, want alice and dave", counted)
	}
	if counted[0].User != "alice" || counted[0].PlanDigest != thisPlan || !counted[0].Time.Time.Equal(noon) {
		t.Errorf("counted %v for alice", counted[0])
	}
	if counted[1].User != "dave" || counted[1].PlanDigest != otherPlan || !counted[1].Time.Time.Equal(noon.Add(time.Hour)) {
		t.Errorf("counted %v for dave", counted[1])
	}
}

func TestWhyAnApprovalDoesNotCountIsSaidWithTheRemedy(t *testing.T) {
	robot := "system:serviceaccount:ci:robot"
	ballots := []Ballot{
		approves("alice").onPlan(otherPlan), approves("bob"), approves("carol").withAuthority(AuthorityLost), approves("dave").onPlan(""), approves(robot),
	}
	want := []string{
		"approved plan sha256:bbbbbbbbbbbb…, and the plan has changed since; look at the new diff and approve again",
		"asked for this promotion, and environment \"production\" does not count the requester's own approval; somebody else has to approve",
		"does not hold the verb `approve` on environment \"production\" any more; the decision counts again once the right is back",
		"named no plan; look at the diff and approve again",
		"is a service account, and environment \"production\" counts people's approvals only; a person has to approve",
	}
	result := Count(Question{Environment: "production", Plan: thisPlan, RequestedBy: v1alpha1.Person{Username: "bob"}, Ballots: ballots})
	var got []string
	for _, ignored := range result.Status.Ignored {
		got = append(got, ignored.Reason)
	}
	if !slices.Equal(got, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestReasonsStayWithinTheBoundsOfTheAPI(t *testing.T) {
	longest := strings.Repeat("\U000e0001", 253) // quoted, each of them takes ten characters
	ballot := approves(longest)
	for _, question := range []Question{
		{Ballots: []Ballot{ballot.withAuthority(AuthorityLost)}},
		{Ballots: []Ballot{ballot.onPlan(otherPlan)}},
		{Ballots: []Ballot{ballot}, RequestedBy: v1alpha1.Person{Username: longest}},
		{Ballots: []Ballot{approves("system:serviceaccount:" + longest)}},
	} {
		question.Environment, question.Plan = strings.Repeat("e", 63), thisPlan
		for _, ignored := range Count(question).Status.Ignored {
			if length := utf8.RuneCountInString(ignored.Reason); length == 0 || length > 1024 {
				t.Errorf("the reason has %d characters: %.80s…", length, ignored.Reason)
			}
		}
	}
}

func TestTheDefaultsOfRulesDoNotReachTheEnvironment(t *testing.T) {
	policy := v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{{Name: "any"}}}
	if got := Rules(policy); *got[0].Required != 1 {
		t.Errorf("required %d, want 1", *got[0].Required)
	}
	if policy.Rules[0].Required != nil {
		t.Error("the rules of the environment were changed")
	}
}

func TestAShortDigestStillNamesItsPlan(t *testing.T) {
	if got, want := Short(thisPlan), "sha256:aaaaaaaaaaaa…"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := Short("sha256:a"), `"sha256:a"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCountingLeavesTheBallotsAsTheyAre(t *testing.T) {
	ballots := []Ballot{approves("carol"), approves("alice")}
	Count(Question{Plan: thisPlan, Ballots: ballots})
	if ballots[0].User != "carol" {
		t.Error("the caller's ballots were sorted")
	}
}
