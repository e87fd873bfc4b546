// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// said are all sentences of an Environment with these rules, each in a line below its topic.
func said(spec v1alpha1.EnvironmentSpec) string {
	var out strings.Builder
	for _, each := range rulesInWords(&v1alpha1.Environment{Spec: spec}) {
		for _, one := range each.Sentences {
			out.WriteString(each.Title + ": " + one.Text)
			if one.Code != "" {
				out.WriteString(" `" + one.Code + "`")
			}
			out.WriteString("\n")
		}
	}
	return out.String()
}

func TestRulesAreSaidInWords(t *testing.T) {
	rule := func(name string, required int32, groups, users []string, when string) v1alpha1.ApprovalRule {
		return v1alpha1.ApprovalRule{Name: name, Required: ptr.To(required), Groups: groups, Users: users, When: when}
	}
	approval := func(policy v1alpha1.ApprovalPolicy) v1alpha1.EnvironmentSpec {
		return v1alpha1.EnvironmentSpec{Approval: policy}
	}
	for want, spec := range map[string]v1alpha1.EnvironmentSpec{
		"Who approves: approval: 1 approval of anyone who may approve here.":                          {},
		"Who approves: owners: 2 approvals of people in group shop-owners.":                           approval(v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{rule("owners", 2, []string{"shop-owners"}, nil, "")}}),
		"Who approves: two: 1 approval of people in one of the groups a, b or c, or of alice or bob.": approval(v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{rule("two", 1, []string{"a", "b", "c"}, []string{"alice", "bob"}, "")}}),
		"Who approves: none: nobody’s approval is needed.":                                            approval(v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{rule("none", 0, nil, nil, "")}}),
		"Who approves: net: 1 approval of anyone who may approve here. It applies when `plan.changes.exists(c, c.kind == 'NetworkPolicy')`": approval(v1alpha1.ApprovalPolicy{
			Rules: []v1alpha1.ApprovalRule{rule("net", 1, nil, nil, "plan.changes.exists(c, c.kind == 'NetworkPolicy')")},
		}),
		"Who approves: One person fills one rule only.":                                                            approval(v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{rule("a", 1, nil, nil, ""), rule("b", 1, nil, nil, "")}}),
		"Who approves: One person can fill several rules.":                                                         approval(v1alpha1.ApprovalPolicy{OneRulePerPerson: v1alpha1.OneRulePerPersonNotRequired, Rules: []v1alpha1.ApprovalRule{rule("a", 1, nil, nil, ""), rule("b", 1, nil, nil, "")}}),
		"Who approves: Whoever asked does not count: somebody else has to approve.":                                {},
		"Who approves: Whoever asked may approve it as well.":                                                      approval(v1alpha1.ApprovalPolicy{SelfApproval: v1alpha1.SelfApprovalAllowed}),
		"Who approves: Service accounts do not count: people decide.":                                              {},
		"Who approves: Service accounts count, as people do.":                                                      approval(v1alpha1.ApprovalPolicy{ServiceAccounts: v1alpha1.ServiceAccountApprovalAllowed}),
		"Who approves: Whoever rejects has to say why.":                                                            {},
		"Who approves: Whoever approves or rejects has to say why.":                                                approval(v1alpha1.ApprovalPolicy{Comment: v1alpha1.CommentAlways}),
		"Who approves: No comment is asked for.":                                                                   approval(v1alpha1.ApprovalPolicy{Comment: v1alpha1.CommentNever}),
		"Who approves: A request that is not answered within 7 days expires.":                                      approval(v1alpha1.ApprovalPolicy{RequestTTLSeconds: 604800}),
		"Who approves: An approval is good for 1 day and 1 hour; what has not started by then expires.":            approval(v1alpha1.ApprovalPolicy{ValidSeconds: 90000}),
		"What comes before: A Release may come here first.":                                                        {},
		"What comes before: A Release must have succeeded in dev and staging, and be healthy where it still runs.": {After: []string{"dev", "staging"}},
		"What comes before: A Release must have succeeded in staging, and been healthy there for 1 hour.":          {After: []string{"staging"}, SoakSeconds: 3600},
		"When a rollout may start: At any time.":                                                                   {},
		"When a rollout may start: Open Monday to Friday at 09:00, for 8 hours, time of Europe/Zurich.":            {Windows: v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{officeHours}}},
		"When a rollout may start: At any time but the following.":                                                 {Windows: v1alpha1.WindowPolicy{Freeze: []v1alpha1.Window{{StartTime: at("2031-12-24T00:00:00Z"), EndTime: at("2032-01-02T00:00:00Z"), Reason: "year end"}}}},
		"When a rollout may start: Frozen from Wednesday 24 December 2031 00:00 UTC to Friday 2 January 2032 00:00 UTC (year end).": {
			Windows: v1alpha1.WindowPolicy{Freeze: []v1alpha1.Window{{StartTime: at("2031-12-24T00:00:00Z"), EndTime: at("2032-01-02T00:00:00Z"), Reason: "year end"}}},
		},
		"When a rollout may start: Open for 1 hour, time of UTC, from each time on that this schedule names `*/7 1-3 1 * *`": {
			Windows: v1alpha1.WindowPolicy{Allow: []v1alpha1.Window{{Schedule: "*/7 1-3 1 * *", DurationSeconds: 3600}}},
		},
		"What is checked: ticket, before the start: what https://t.example answers must be `status == 200`": {Checks: []v1alpha1.Check{{Name: "ticket", HTTP: v1alpha1.HTTPCheck{URL: "https://t.example"}}}},
		"What is checked: smoke, after the rollout: a Job in the project must complete.":                    {Checks: []v1alpha1.Check{{Name: "smoke", Phase: v1alpha1.CheckAfter, Job: v1alpha1.JobCheck{Template: "x"}}}},
		"What is checked: errors, after the rollout, 5 times in succession, 30 seconds apart: what https://p.example has measured must be `up\nresult[0].value == 1`": {
			Checks: []v1alpha1.Check{{Name: "errors", Phase: v1alpha1.CheckAfter, Times: 5, Prometheus: v1alpha1.PrometheusCheck{URL: "https://p.example", Query: "up", When: "result[0].value == 1"}}},
		},
		"How it is rolled out: It has to be healthy within 10 minutes.":                            {},
		"How it is rolled out: If it fails, it stays as it is, and people decide.":                 {},
		"How it is rolled out: If it fails, what ran before is applied again.":                     {Rollout: v1alpha1.RolloutPolicy{OnFailure: v1alpha1.OnFailureRollback}},
		"How it is rolled out: What a Release no longer has is deleted, once the rest is healthy.": {},
		"How it is rolled out: What a Release no longer has is left where it is.":                  {Rollout: v1alpha1.RolloutPolicy{Prune: v1alpha1.PruneDisabled}},
		"How it is rolled out: What somebody else changes is reported.":                            {},
		"How it is rolled out: What somebody else changes is applied again as it was approved.":    {Rollout: v1alpha1.RolloutPolicy{Drift: v1alpha1.DriftCorrect}},
		"How it is rolled out: What somebody else changes is not looked at.":                       {Rollout: v1alpha1.RolloutPolicy{Drift: v1alpha1.DriftIgnore}},
		"How it is rolled out: Beside objects of the namespace, a Release may hold Namespace and ClusterRole.rbac.authorization.k8s.io.": {
			Rollout: v1alpha1.RolloutPolicy{ClusterScopedKinds: []v1alpha1.GroupKind{{Kind: "Namespace"}, {Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}}},
		},
		"How it is rolled out: It is locked: nobody changes what was applied but the next rollout, and holders of the verb “override”.": {Lock: v1alpha1.LockEnabled},
		"How it goes back: Going back needs the same approvals as going on.":                                                            {},
		"How it goes back: Whoever holds the verb “rollback” may go back to what has run here, without anybody’s approval.":             {Rollback: v1alpha1.RollbackPolicy{Approval: v1alpha1.RollbackApprovalNotRequired}},
		"What may run, and what is changed in it: The artifact of a Release, and each image in it, must be signed by ci or release.": {
			Signatures: v1alpha1.SignaturePolicy{Images: v1alpha1.ImageSignaturesRequired, Signers: []v1alpha1.Signer{{Name: "ci"}, {Name: "release"}}},
		},
		"What may run, and what is changed in it: This environment changes what a Release says by 2 patches, the replicas of 1 workload and Helm values.": {
			Overlay: v1alpha1.Overlay{Patches: make([]v1alpha1.OverlayPatch, 2), Replicas: make([]v1alpha1.OverlayReplicas, 1), ValuesFrom: make([]v1alpha1.ValuesReference, 1)},
		},
		"Who asks: People and CI ask: nothing comes here by itself.":                                                       {},
		"Who asks: A promotion is asked for by itself as soon as a Release may come here, for versions that are `>=1.0.0`": {AutoPromotion: v1alpha1.AutoPromotion{Versions: ">=1.0.0"}},
	} {
		if got := said(spec); !strings.Contains(got, want+"\n") {
			t.Errorf("it does not say\n%s\nbut\n%s", want, got)
		}
	}
}

func TestSchedulesOfDaysOfTheWeekAreSaidInWords(t *testing.T) {
	for expression, want := range map[string]string{
		"0 9 * * 1-4": "Monday to Thursday at 09:00", "30 22 * * *": "every day at 22:30", "0 0 * * sat,SUN": "Saturday and Sunday at 00:00",
		"5 7 * * 1,3-5": "Monday and Wednesday to Friday at 07:05",
		"*/5 9 * * 1":   "", "0 9 1 * *": "", "0 9 * 2 *": "", "0 9-17 * * *": "", "0 9 * * 5-1": "", "0 9 * * 1-5/2": "", "0 9 * * 7": "", "": "", "60 9 * * *": "", "0 24 * * *": "", "-1 9 * * *": "",
	} {
		if got, simple := scheduleInWords(expression); got != want || simple != (want != "") {
			t.Errorf("%q is %q (%v), and not %q", expression, got, simple, want)
		}
	}
}

func TestLengthsOfTimeAreSaidInWords(t *testing.T) {
	for seconds, want := range map[int32]string{0: "no time", 1: "1 second", 90: "1 minute and 30 seconds", 3600: "1 hour", 604800: "7 days", 93784: "1 day, 2 hours, 3 minutes and 4 seconds"} {
		if got := lengthInWords(seconds); got != want {
			t.Errorf("%d seconds are %q, and not %q", seconds, got, want)
		}
	}
}
