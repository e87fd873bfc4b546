// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"slices"
	"strings"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// change is one request of the operator as somebody else.
type change struct {
	*cluster.Request
	ref v1alpha1.ObjectReference
	// name and uid of the promotion that it names.
	name, uid string
}

// judgeDeployers looks at every change that was made as somebody else, whether it was granted or not.
func (s *story) judgeDeployers(verdict *verdict) {
	for i := range s.Requests {
		request := &s.Requests[i]
		named := request.ImpersonatedUser.Extra[v1alpha1.ExtraPromotion]
		switch {
		case request.ImpersonatedUser.Username == "":
		case !request.ByOperator():
			if len(named) > 0 && request.Granted() {
				verdict.add(RuleIdentity, "%s names a promotion, and is not the operator's", request)
			}
		case request.ImpersonatedUser.Username == account(s.Scene.Project, v1alpha1.PromoterServiceAccount):
			if request.ObjectRef.Resource != "promotions" || request.Verb != "create" || len(named) > 0 {
				verdict.add(RuleIdentity, "%s: the promoter asks for promotions and does nothing else", request)
			}
		default:
			s.judgeNamed(verdict, request, named)
		}
	}
}

// judgeNamed judges a change that must name its promotion.
func (s *story) judgeNamed(verdict *verdict, request *cluster.Request, named []string) {
	if len(named) != 1 {
		verdict.add(RuleIdentity, "%s names %d promotions in the extra %q, and must name one", request, len(named), v1alpha1.ExtraPromotion)
		return
	}
	parts := strings.Split(named[0], "/")
	if len(parts) != 3 || parts[0] != s.Scene.Project || parts[1] == "" || parts[2] == "" {
		verdict.add(RuleIdentity, "%s names %q, which is no promotion of project %q", request, named[0], s.Scene.Project)
		return
	}
	made := change{Request: request, ref: s.reference(*request), name: parts[1], uid: parts[2]}
	if request.ImpersonatedUser.Username == account(s.Scene.Project, v1alpha1.CheckerServiceAccount) {
		if made.ref.Kind != "Job" || made.ref.Namespace != s.Scene.Project {
			verdict.add(RuleIdentity, "%s: the checker creates Jobs in the project and does nothing else", request)
		}
		return
	}
	s.judgeChange(verdict, made)
}

// judgeChange judges a change by a deployer: it belongs to a rollout that is under way, or to a correction.
func (s *story) judgeChange(verdict *verdict, made change) {
	var intent, outcome, corrected *record
	for _, each := range s.recordsOf(made.uid) {
		switch {
		case each.Spec.Promotion.Name != made.name:
		case !each.done().Before(made.Received): // it was not on record yet
		case each.Spec.Type == v1alpha1.AuditIntent:
			intent = each
		case each.Spec.Type == v1alpha1.AuditCorrected:
			corrected = each
		case each.outcome():
			outcome = each
		}
	}
	switch {
	case intent != nil && outcome == nil:
		s.judgeIdentity(verdict, made, intent)
		s.judgeObject(verdict, made, intent)
	case corrected != nil && !s.superseded(corrected, made.Received):
		s.judgeIdentity(verdict, made, corrected)
		if !slices.Contains(corrected.Spec.Objects, made.ref) {
			verdict.add(RuleObjects, "%s is not among what %s names", made, corrected)
		}
	case corrected != nil:
		verdict.add(RuleIntent, "%s corrects what promotion %q has rolled out, and another rollout has started since %s", made, made.name, corrected)
	case outcome != nil:
		verdict.add(RuleIntent, "%s is in the name of promotion %q, which had ended by %s", made, made.name, outcome)
	default:
		verdict.add(RuleIntent, "%s is in the name of promotion %q, and no intent of it was on record when it was asked for", made, made.name)
	}
}

// judgeIdentity compares who has made the change with who was to make it.
func (s *story) judgeIdentity(verdict *verdict, made change, by *record) {
	target := by.Spec.Target
	if want := account(target.Namespace, target.ServiceAccountName); made.ImpersonatedUser.Username != want || target.Cluster.Kubeconfig.Name != "" {
		verdict.add(RuleIdentity, "%s was to be made as %q, says %s", made, want, by)
	}
}

// judgeObject judges what a rollout changes.
func (s *story) judgeObject(verdict *verdict, made change, intent *record) {
	if slices.Contains(intent.Spec.Objects, made.ref) {
		return
	}
	earlier := s.listedBefore(intent)
	switch {
	case made.Verb == "delete" && slices.Contains(earlier, made.ref): // pruned
	case s.goesBack(made, intent) && slices.Contains(earlier, made.ref):
	default:
		verdict.add(RuleObjects, "%s is not among the objects of %s, and no prune of what an earlier rollout has applied", made, intent)
	}
}

// listedBefore are the objects of every rollout of the Environment before this one.
func (s *story) listedBefore(intent *record) []v1alpha1.ObjectReference {
	var found []v1alpha1.ObjectReference
	for _, each := range s.histories[intent.Spec.Environment] {
		if each.Spec.Sequence < intent.Spec.Sequence {
			found = append(found, each.Spec.Objects...)
		}
	}
	return found
}

// goesBack says whether the rollout had failed, and what ran before was being applied again as the intent has said.
func (s *story) goesBack(made change, intent *record) bool {
	story := s.promotions[made.uid]
	if story == nil || intent.Spec.Fallback.RenderedDigest == "" {
		return false
	}
	return slices.ContainsFunc(story.states, func(p state[v1alpha1.Promotion]) bool {
		return !p.object.Status.Rollback.StartTime.IsZero() && (p.by == nil || p.by.Done.Before(made.Received))
	})
}

// superseded says whether another rollout of the Environment was on record after this one at a time.
func (s *story) superseded(corrected *record, at time.Time) bool {
	return slices.ContainsFunc(s.histories[corrected.Spec.Environment], func(r *record) bool {
		return r.Spec.Type == v1alpha1.AuditIntent && r.Spec.Sequence > corrected.Spec.Sequence && r.done().Before(at)
	})
}

func account(namespace, name string) string {
	return "system:serviceaccount:" + namespace + ":" + name
}
