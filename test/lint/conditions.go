// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"slices"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// vocabulary is which reasons a kind's conditions can have, by their types and statuses.
type vocabulary map[string]map[metav1.ConditionStatus][]string

var (
	releaseConditions = vocabulary{
		v1alpha1.ConditionReady: {
			metav1.ConditionTrue: {v1alpha1.ReasonResolved},
			metav1.ConditionFalse: {
				v1alpha1.ReasonFetchFailed, v1alpha1.ReasonDigestMismatch, v1alpha1.ReasonInvalidSource, v1alpha1.ReasonBlockedRelease,
			},
		},
	}
	environmentConditions = vocabulary{
		v1alpha1.ConditionReady: {
			metav1.ConditionTrue: {v1alpha1.ReasonAccepted},
			metav1.ConditionFalse: {
				v1alpha1.ReasonInvalidRules, v1alpha1.ReasonClusterUnreachable, v1alpha1.ReasonDeployerMissing, v1alpha1.ReasonAutoPromotionRefused,
			},
		},
		v1alpha1.ConditionHealthy: {
			metav1.ConditionTrue:    {v1alpha1.ReasonRolledOut, v1alpha1.ReasonRolledBackTo},
			metav1.ConditionFalse:   {v1alpha1.ReasonRolloutFailed, v1alpha1.ReasonRolloutStopped, v1alpha1.ReasonUnhealthy},
			metav1.ConditionUnknown: {v1alpha1.ReasonNotDeployed},
		},
		v1alpha1.ConditionInSync: {
			metav1.ConditionTrue:    {v1alpha1.ReasonRolledOut, v1alpha1.ReasonRolledBackTo},
			metav1.ConditionFalse:   {v1alpha1.ReasonRolloutFailed, v1alpha1.ReasonRolloutStopped, v1alpha1.ReasonDrifted},
			metav1.ConditionUnknown: {v1alpha1.ReasonNotDeployed, v1alpha1.ReasonDriftUnknown},
		},
	}
	promotionConditions = vocabulary{
		v1alpha1.ConditionSucceeded: {
			metav1.ConditionTrue: {v1alpha1.ReasonSucceeded},
			metav1.ConditionUnknown: {
				v1alpha1.ReasonPlanning, v1alpha1.ReasonAwaitingApproval, v1alpha1.ReasonBlocked, v1alpha1.ReasonQueued,
				v1alpha1.ReasonRollingOut, v1alpha1.ReasonVerifying, v1alpha1.ReasonRollingBack,
			},
			metav1.ConditionFalse: {
				v1alpha1.ReasonRejected, v1alpha1.ReasonExpired, v1alpha1.ReasonSuperseded, v1alpha1.ReasonCancelled,
				v1alpha1.ReasonInvalid, v1alpha1.ReasonFailed, v1alpha1.ReasonRolledBack,
			},
		},
		v1alpha1.ConditionApproved: {
			metav1.ConditionTrue:  {v1alpha1.ReasonRulesMet},
			metav1.ConditionFalse: {v1alpha1.ReasonRulesNotMet, v1alpha1.ReasonPlanning, v1alpha1.ReasonRejected},
		},
		v1alpha1.ConditionReconciling: {metav1.ConditionTrue: {v1alpha1.ReasonRollingOut}},
		v1alpha1.ConditionStalled:     {metav1.ConditionTrue: {v1alpha1.ReasonInvalid, v1alpha1.ReasonFailed}},
		v1alpha1.ConditionOverridden: {
			metav1.ConditionTrue:  {v1alpha1.ReasonUnacknowledged},
			metav1.ConditionFalse: {v1alpha1.ReasonAcknowledged},
		},
	}
)

const (
	// longest message of a condition, in bytes: more is read by nobody in a table or a dashboard's cell.
	longest = 2048
	// fewest words of a message.
	fewest = 2
)

// leftovers are what a program leaves in a text that was not meant for people.
var leftovers = []string{"%!", "<nil>", "map[", "&{", "0x", "panic"}

// conditions each by themselves.
func (l *linter) conditions(known vocabulary, conditions []metav1.Condition) {
	var seen []string
	for _, c := range conditions {
		l.check(!slices.Contains(seen, c.Type), RuleType, "condition %s is there twice", c.Type)
		seen = append(seen, c.Type)
		statuses, is := known[c.Type]
		if !is {
			l.add(RuleType, "condition %s is none that this kind has", c.Type)
			continue
		}
		l.check(slices.Contains(statuses[c.Status], c.Reason), RuleReason, "condition %s is %s with reason %q, which is not documented", c.Type, c.Status, c.Reason)
		l.message(c.Type, c.Message)
		l.check(!c.LastTransitionTime.IsZero(), RuleTime, "condition %s does not say since when", c.Type)
		l.past("condition "+c.Type, c.LastTransitionTime)
	}
}

// message of a condition.
func (l *linter) message(kind, message string) {
	l.check(len(strings.Fields(message)) >= fewest, RuleMessage, "condition %s says %q, which is no sentence", kind, message)
	l.check(len(message) <= longest, RuleMessage, "condition %s has a message of %d bytes", kind, len(message))
	l.check(message == strings.TrimSpace(message), RuleMessage, "condition %s has a message with space around it: %q", kind, message)
	l.check(!strings.ContainsFunc(message, invisible), RuleMessage, "condition %s has a message with what nobody sees: %q", kind, message)
	for _, left := range leftovers {
		l.check(!strings.Contains(message, left), RuleMessage, "condition %s has a message with what a program has left there, %q: %q", kind, left, message)
	}
}

// invisible says whether nobody sees a character. What stands for bytes that are no text is seen, and meant.
func invisible(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// past says what lies in the future. The API server's clock and the operator's are compared here, and times have whole seconds.
func (l *linter) past(what string, t metav1.Time) {
	l.check(!t.After(l.now.Add(time.Second)), RuleTime, "%s is of %s, and it is %s", what, t.UTC(), l.now.UTC())
}

// generation that was seen. Conditions of an Environment's last rollout and of a Promotion's past speak of what they were set for.
func (l *linter) generation(object client.Object, observed int64, conditions []metav1.Condition) {
	l.check(observed == object.GetGeneration(), RuleGeneration, "it is at generation %d, and the status speaks of %d", object.GetGeneration(), observed)
	newest := int64(0)
	for _, c := range conditions {
		l.check(c.ObservedGeneration > 0 && c.ObservedGeneration <= object.GetGeneration(), RuleGeneration,
			"condition %s speaks of generation %d, and it is at %d", c.Type, c.ObservedGeneration, object.GetGeneration())
		newest = max(newest, c.ObservedGeneration)
	}
	l.check(len(conditions) > 0, RuleState, "it has no conditions: the operator has not looked at it")
	l.check(len(conditions) == 0 || newest <= observed, RuleGeneration, "a condition speaks of generation %d, and the status of %d", newest, observed)
}

func find(conditions []metav1.Condition, kind string) *metav1.Condition {
	i := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &conditions[i]
}

// Knows says whether a reason is one that some condition can have.
func Knows(reason string) bool {
	for _, known := range []vocabulary{releaseConditions, environmentConditions, promotionConditions} {
		for _, statuses := range known {
			for _, reasons := range statuses {
				if slices.Contains(reasons, reason) {
					return true
				}
			}
		}
	}
	return false
}
