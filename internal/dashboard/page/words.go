// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/approval"
)

// topic is a part of an Environment's rules, in sentences that people read who do not know the fields.
type topic struct {
	Title     string
	Sentences []sentence
}

// sentence is one rule in words. Code is what it refers to, as it stands in the Environment.
type sentence struct {
	Text, Code string
}

func (t *topic) say(format string, arguments ...any) {
	t.Sentences = append(t.Sentences, sentence{Text: fmt.Sprintf(format, arguments...)})
}

func (t *topic) quote(code, format string, arguments ...any) {
	t.Sentences = append(t.Sentences, sentence{Text: fmt.Sprintf(format, arguments...), Code: code})
}

// rulesInWords are all rules of an Environment, its defaults among them: what is not written there holds as well.
func rulesInWords(environment *v1alpha1.Environment) []topic {
	spec := environment.Spec
	topics := []topic{
		approvalInWords(spec.Approval), beforeInWords(spec), windowsInWords(spec.Windows), checksInWords(spec.Checks),
		rolloutInWords(spec), rollbackInWords(spec), contentInWords(spec), automaticInWords(spec.AutoPromotion),
	}
	var said []topic
	for _, each := range topics {
		if len(each.Sentences) > 0 {
			said = append(said, each)
		}
	}
	return said
}

func approvalInWords(policy v1alpha1.ApprovalPolicy) topic {
	about := topic{Title: "Who approves"}
	for _, rule := range approval.Rules(policy) {
		text := fmt.Sprintf("%s: %s.", rule.Name, neededInWords(rule))
		if rule.When == "" {
			about.say("%s", text)
			continue
		}
		about.quote(rule.When, "%s It applies when", text)
	}
	if len(policy.Rules) > 1 {
		if policy.OneRulePerPerson == v1alpha1.OneRulePerPersonNotRequired {
			about.say("One person can fill several rules.")
		} else {
			about.say("One person fills one rule only.")
		}
	}
	if policy.SelfApproval == v1alpha1.SelfApprovalAllowed {
		about.say("Whoever asked may approve it as well.")
	} else {
		about.say("Whoever asked does not count: somebody else has to approve.")
	}
	if policy.ServiceAccounts == v1alpha1.ServiceAccountApprovalAllowed {
		about.say("Service accounts count, as people do.")
	} else {
		about.say("Service accounts do not count: people decide.")
	}
	about.say("%s", commentInWords(policy.Comment))
	if policy.RequestTTLSeconds > 0 {
		about.say("A request that is not answered within %s expires.", lengthInWords(policy.RequestTTLSeconds))
	}
	if policy.ValidSeconds > 0 {
		about.say("An approval is good for %s; what has not started by then expires.", lengthInWords(policy.ValidSeconds))
	}
	return about
}

// neededInWords is such as "2 approvals of people in group shop-owners".
func neededInWords(rule v1alpha1.ApprovalRule) string {
	required := int(ptr.Deref(rule.Required, 1))
	if required == 0 {
		return "nobody’s approval is needed"
	}
	var who []string
	switch len(rule.Groups) {
	case 0:
	case 1:
		who = append(who, "of people in group "+rule.Groups[0])
	default:
		who = append(who, "of people in one of the groups "+enumerated(rule.Groups, "or"))
	}
	if len(rule.Users) > 0 {
		who = append(who, "of "+enumerated(rule.Users, "or"))
	}
	if len(who) == 0 {
		who = []string{"of anyone who may approve here"}
	}
	return counted(required, "approval") + " " + strings.Join(who, ", or ")
}

func commentInWords(policy v1alpha1.CommentPolicy) string {
	switch policy {
	case v1alpha1.CommentNever:
		return "No comment is asked for."
	case v1alpha1.CommentAlways:
		return "Whoever approves or rejects has to say why."
	case v1alpha1.CommentOnRejection:
	}
	return "Whoever rejects has to say why." // also where nothing is said
}

func beforeInWords(spec v1alpha1.EnvironmentSpec) topic {
	about := topic{Title: "What comes before"}
	switch {
	case len(spec.After) == 0:
		about.say("A Release may come here first.")
	case spec.SoakSeconds > 0:
		about.say("A Release must have succeeded in %s, and been healthy there for %s.", enumerated(spec.After, "and"), lengthInWords(spec.SoakSeconds))
	default:
		about.say("A Release must have succeeded in %s, and be healthy where it still runs.", enumerated(spec.After, "and"))
	}
	return about
}

func windowsInWords(policy v1alpha1.WindowPolicy) topic {
	about := topic{Title: "When a rollout may start"}
	switch {
	case len(policy.Allow) == 0 && len(policy.Freeze) == 0:
		about.say("At any time.")
	case len(policy.Allow) == 0:
		about.say("At any time but the following.")
	}
	for _, open := range policy.Allow {
		about.sayWindow("Open", open)
	}
	for _, freeze := range policy.Freeze {
		about.sayWindow("Frozen", freeze)
	}
	return about
}

func (t *topic) sayWindow(what string, of v1alpha1.Window) {
	reason := ""
	if of.Reason != "" {
		reason = " (" + of.Reason + ")"
	}
	if of.Schedule == "" {
		t.say("%s from %s to %s%s.", what, of.StartTime.UTC().Format("Monday 2 January 2006 15:04 MST"), of.EndTime.UTC().Format("Monday 2 January 2006 15:04 MST"), reason)
		return
	}
	zone := cmp.Or(of.TimeZone, "UTC")
	if begins, simple := scheduleInWords(of.Schedule); simple {
		t.say("%s %s, for %s, time of %s%s.", what, begins, lengthInWords(of.DurationSeconds), zone, reason)
		return
	}
	t.quote(of.Schedule, "%s for %s, time of %s%s, from each time on that this schedule names", what, lengthInWords(of.DurationSeconds), zone, reason)
}

// lengthInWords is a length of time, such as "1 day and 12 hours".
func lengthInWords(seconds int32) string {
	left := time.Duration(seconds) * time.Second
	var words []string
	for _, unit := range []struct {
		length time.Duration
		word   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := left / unit.length; n > 0 {
			words = append(words, counted(int(n), unit.word))
			left -= n * unit.length
		}
	}
	if len(words) == 0 {
		return "no time"
	}
	return enumerated(words, "and")
}
