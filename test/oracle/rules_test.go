// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"slices"
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	operator = v1alpha1.ControllerUsername
	other    = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	// free is a version that the recorded log does not have, after all others.
	free = "100000"
)

// edits break one rule each.
var edits = []struct {
	rule Rule
	what string
	edit func(e *edited)
}{
	{RuleIdentity, "a deployer's write names no promotion", func(e *edited) { e.write("patch", "settings", 0).ImpersonatedUser.Extra = nil }},
	{RuleIdentity, "a deployer's write names a promotion of another project", func(e *edited) {
		e.write("patch", "settings", 0).ImpersonatedUser.Extra = map[string][]string{v1alpha1.ExtraPromotion: {"elsewhere/one/1"}}
	}},
	{RuleIdentity, "a deployer's write names what is no promotion", func(e *edited) {
		e.write("patch", "settings", 0).ImpersonatedUser.Extra = map[string][]string{v1alpha1.ExtraPromotion: {e.Scene.Project + "/one"}}
	}},
	{RuleIdentity, "the operator writes as another account than the intent names", func(e *edited) {
		e.write("patch", "old", 0).ImpersonatedUser.Username = account(e.Scene.Targets[0], "default")
	}},
	{RuleIdentity, "a correction is written as another account than its record names", func(e *edited) {
		e.write("patch", "settings", 1).ImpersonatedUser.Username = account(e.Scene.Targets[0], "default")
	}},
	{RuleIdentity, "the operator writes objects as the promoter", func(e *edited) {
		e.write("patch", "old", 0).ImpersonatedUser = cluster.Requester{Username: account(e.Scene.Project, v1alpha1.PromoterServiceAccount)}
	}},
	{RuleIdentity, "the operator writes objects as the checker", func(e *edited) {
		e.write("patch", "old", 0).ImpersonatedUser.Username = account(e.Scene.Project, v1alpha1.CheckerServiceAccount)
	}},
	{RuleIdentity, "somebody else names a promotion", func(e *edited) { e.write("patch", "old", 0).User.Username = "mallory" }},

	{RuleIntent, "an object is applied before the intent is on record", func(e *edited) {
		moved(e.write("patch", "settings", 0), e.creation("1").Done.Add(-time.Microsecond))
	}},
	{RuleIntent, "an object is applied for a promotion that has no intent", func(e *edited) {
		e.write("patch", "old", 0).ImpersonatedUser.Extra = map[string][]string{v1alpha1.ExtraPromotion: {e.Scene.Project + "/one/1"}}
	}},
	{RuleIntent, "an object is applied for the UID of a promotion that has an intent, by another name", func(e *edited) {
		extra := e.write("patch", "old", 0).ImpersonatedUser.Extra
		uid := e.final("Promotion", "one").GetUID()
		extra[v1alpha1.ExtraPromotion] = []string{e.Scene.Project + "/other/" + string(uid)}
	}},
	{RuleIntent, "an object is applied after the outcome", func(e *edited) { moved(e.write("patch", "old", 0), e.creation("2").Done.Add(time.Microsecond)) }},
	{RuleIntent, "a correction is applied before its record", func(e *edited) {
		moved(e.write("patch", "settings", 1), e.creation("3").Done.Add(-time.Microsecond))
	}},
	{RuleIntent, "a correction is applied after another rollout has started", func(e *edited) {
		moved(e.write("patch", "settings", 1), e.creation("5").Done.Add(time.Microsecond))
	}},

	{RuleObjects, "an object is applied that the intent does not list", func(e *edited) { e.write("patch", "old", 0).ObjectRef.Name = "other" }},
	{RuleObjects, "an object of another kind is applied by the name of one that is listed", func(e *edited) { e.write("patch", "old", 0).ObjectRef.Resource = "secrets" }},
	{RuleObjects, "an object is applied in another namespace", func(e *edited) { e.write("patch", "old", 0).ObjectRef.Namespace = "elsewhere" }},
	{RuleObjects, "what an earlier rollout has applied is written, not pruned", func(e *edited) { e.write("delete", "old", 0).Verb = "patch" }},
	{RuleObjects, "what no rollout has applied is deleted", func(e *edited) { e.write("delete", "old", 0).ObjectRef.Name = "kube-root-ca.crt" }},
	{RuleObjects, "a correction writes what its record does not list", func(e *edited) { e.write("patch", "settings", 1).ObjectRef.Name = "old" }},

	{RuleApprovals, "an approver might never approve", func(e *edited) {
		e.Scene.Rights = slices.DeleteFunc(e.Scene.Rights, func(r cluster.Right) bool { return r.User == "dave" && r.Verb == v1alpha1.VerbApprove })
	}},
	{RuleApprovals, "an approver had lost the right when the decisions were closed", func(e *edited) {
		for i := range e.Scene.Rights {
			if e.Scene.Rights[i].User == "dave" {
				e.Scene.Rights[i].Until = e.find("update", "promotions/status", "one", operator, 2).Received
			}
		}
	}},
	{RuleApprovals, "the right was for another environment", func(e *edited) {
		for i := range e.Scene.Rights {
			e.Scene.Rights[i].Environment = map[string]string{v1alpha1.VerbApprove: "staging"}[e.Scene.Rights[i].Verb]
		}
	}},
	{RuleApprovals, "a rule needs one more", func(e *edited) { e.each("Environment", "production", rule("security", "required", int64(2))) }},
	{RuleApprovals, "an approver is not in the group of a rule", func(e *edited) { e.each("Environment", "production", rule("security", "groups", []any{"auditors"})) }},
	{RuleApprovals, "an approval is for another plan", func(e *edited) {
		e.each("Promotion", "one", decision("dave", set(other, "planDigest")))
	}},
	{RuleApprovals, "an approval is the requester's own", func(e *edited) {
		e.each("Promotion", "one", set("dave", "spec", "requestedBy", "username"))
		e.find("create", "promotions", "one", "bob", 0).User.Username = "dave"
		e.each("AuditRecord", "production-0000000001", set("dave", "spec", "requestedBy", "username"))
		e.reseal()
	}},
	{RuleApprovals, "one person fills two rules", func(e *edited) {
		groups := []any{"shop-owners", "security"}
		e.each("Promotion", "one", decision("alice", set(groups, "groups")))
		e.each("Promotion", "one", decision("dave", set([]any{}, "groups")))
		e.each("AuditRecord", "production-0000000001", tells("alice", set(groups, "groups")))
		e.each("AuditRecord", "production-0000000001", tells("dave", set([]any{}, "groups")))
		e.find("patch", "promotions", "one", "alice", 0).User.Groups = []string{"shop-owners", "security"}
		e.find("patch", "promotions", "one", "dave", 0).User.Groups = nil
		e.reseal()
	}},
	{RuleApprovals, "somebody who might approve had rejected it", func(e *edited) {
		e.each("Promotion", "one", decision("dave", set("Rejected", "decision")))
		e.each("AuditRecord", "production-0000000001", tells("dave", set("Rejected", "decision")))
		e.reseal()
	}},
	{RuleApprovals, "an approval lacks the comment that every decision needs", func(e *edited) {
		e.each("Environment", "production", set("Always", "spec", "approval", "comment"))
		e.each("Promotion", "one", decision("dave", unset("comment")))
		e.each("AuditRecord", "production-0000000001", tells("dave", unset("comment")))
		e.reseal()
	}},
	{RuleApprovals, "nobody has approved, and no override has opened the gate", func(e *edited) { e.each("Promotion", "two", unset("status", "overridden")) }},
	{RuleApprovals, "the override has opened another gate", func(e *edited) {
		e.each("Promotion", "two", func(p map[string]any) {
			overriding(set([]any{"Window"}, "gates"))(p)
			if status, _ := p["status"].(map[string]any); status["overridden"] != nil {
				status["overridden"] = []any{"Window"}
			}
		})
		e.each("AuditRecord", "production-0000000004", set([]any{"Window"}, "spec", "gates"))
		e.reseal()
	}},

	{RuleOverride, "the record of the override names somebody else", func(e *edited) {
		e.each("AuditRecord", "production-0000000004", set("mallory", "spec", "by", "username"))
		e.reseal()
	}},
	{RuleOverride, "the override might not be used by its author", func(e *edited) {
		e.Scene.Rights = slices.DeleteFunc(e.Scene.Rights, func(r cluster.Right) bool { return r.User == "carol" && r.Verb == v1alpha1.VerbOverride })
	}},
	{RuleOverride, "the override was for another plan", func(e *edited) { e.each("Promotion", "two", overriding(set(other, "planDigest"))) }},
	{RuleOverride, "the override does not name the gate", func(e *edited) { e.each("Promotion", "two", overriding(set([]any{"Window"}, "gates"))) }},

	{RuleAuthor, "an approval was written by somebody else", func(e *edited) { e.find("patch", "promotions", "one", "dave", 0).User.Username = "mallory" }},
	{RuleAuthor, "an approval was written by somebody whom its author has let act as them", func(e *edited) {
		r := e.find("patch", "promotions", "one", "dave", 0)
		r.ImpersonatedUser, r.User.Username = cluster.Requester{Username: "mallory", Groups: r.User.Groups}, "admin"
	}},
	{RuleAuthor, "an approval names groups that its author is not in", func(e *edited) {
		e.find("patch", "promotions", "one", "dave", 0).User.Groups = []string{"system:authenticated"}
	}},
	{RuleAuthor, "an approval names another UID", func(e *edited) { e.find("patch", "promotions", "one", "dave", 0).User.UID = "1" }},
	{RuleAuthor, "nobody has written an approval", func(e *edited) {
		i := e.index("patch", "promotions", "one", "dave", 0)
		e.Requests = slices.Delete(e.Requests, i, i+1)
	}},
	{RuleAuthor, "the promotion was created by somebody else than it says", func(e *edited) { e.find("create", "promotions", "one", "bob", 0).User.Username = "mallory" }},
	{RuleAuthor, "the override was set by somebody else than it says", func(e *edited) { e.find("patch", "promotions", "two", "carol", 0).User.Username = "dave" }},

	{RuleClosed, "the intent comes before the decisions are closed", func(e *edited) {
		e.within(e.find("update", "promotions/status", "one", operator, 2), "Promotion", "one", unset("status", "startTime"))
	}},
	{RuleClosed, "an approval is withdrawn after the end", func(e *edited) {
		e.again(e.find("patch", "promotions", "one", "dave", 0), free, func(p map[string]any) {
			last := e.final("Promotion", "one").DeepCopy()
			p["status"] = last.Object["status"]
			set(last.GetGeneration()+1, "metadata", "generation")(p)
			spec := p["spec"].(map[string]any)
			spec["approvals"] = spec["approvals"].([]any)[:1]
		})
	}},

	{RuleRecord, "the promotion's plan was another", func(e *edited) {
		e.within(e.find("update", "promotions/status", "one", operator, 2), "Promotion", "one", set(other, "status", "plan", "digest"))
	}},
	{RuleRecord, "the intent tells of a decision that nobody has taken", func(e *edited) {
		e.each("AuditRecord", "production-0000000001", tells("dave", set("mallory", "user")))
		e.reseal()
	}},
	{RuleRecord, "the intent names another requester", func(e *edited) {
		e.each("AuditRecord", "production-0000000001", set("mallory", "spec", "requestedBy", "username"))
		e.reseal()
	}},
	{RuleRecord, "the intent names a promotion that there never was", func(e *edited) { e.drop("Promotion", "one") }},

	{RuleOnce, "a promotion has two outcomes", func(e *edited) { e.record("2", nil) }},
	{RuleOnce, "a promotion has two intents", func(e *edited) { e.record("1", nil) }},
	{RuleOnce, "a promotion that was rejected has an outcome", func(e *edited) { e.record("8", set("Succeeded", "spec", "type")) }},
	{RuleOnce, "an override is told of twice", func(e *edited) { e.record("4", nil) }},

	{RuleEnd, "a promotion goes from Succeeded to Failed", func(e *edited) { e.later(condition("Succeeded", set("Failed", "reason"))) }},
	{RuleEnd, "a promotion gets other approvals counted after its end", func(e *edited) { e.later(set("3/2", "status", "approvals", "summary")) }},
	{RuleEnd, "a promotion begins anew after its end", func(e *edited) {
		e.later(func(p map[string]any) {
			condition("Succeeded", set("Unknown", "status"))(p)
			unset("status", "completionTime")(p)
		})
	}},

	{RuleOverlap, "a rollout begins while another has no outcome", func(e *edited) {
		e.Scene.AtRest = false
		e.each("AuditRecord", "production-0000000002", set("Superseded", "spec", "type"))
		e.reseal()
	}},

	{RuleChain, "a record was edited and resealed at the end", func(e *edited) {
		set("because", "spec", "reason")(e.final("AuditRecord", "production-0000000002").Object)
	}},
	{RuleChain, "a record's content does not have its hash", func(e *edited) { e.each("AuditRecord", "production-0000000008", set("because", "spec", "reason")) }},
	{RuleChain, "a record names another one before it", func(e *edited) {
		e.each("AuditRecord", "production-0000000008", func(record map[string]any) {
			set(other, "spec", "previous")(record)
			hash, _ := hashOf(record["spec"].(map[string]any))
			set(string(hash), "spec", "hash")(record)
		})
	}},
	{RuleChain, "a record is missing at the end", func(e *edited) {
		e.Objects = slices.Delete(e.Objects, len(e.Objects)-8, len(e.Objects)-7)
	}},
	{RuleChain, "a number is missing", func(e *edited) { e.drop("AuditRecord", "production-0000000007") }},
	{RuleChain, "a record has another one's name", func(e *edited) {
		e.each("AuditRecord", "production-0000000008", set("production-0000000009", "metadata", "name"))
	}},
	{RuleChain, "the environment's status names another hash", func(e *edited) {
		set(other, "status", "audit", "head")(e.final("Environment", "production").Object)
		set(free, "metadata", "resourceVersion")(e.final("Environment", "production").Object)
	}},
	{RuleChain, "the environment's status names a record that there is not", func(e *edited) {
		set(int64(99), "status", "audit", "sequence")(e.final("Environment", "production").Object)
		set(free, "metadata", "resourceVersion")(e.final("Environment", "production").Object)
	}},

	{RuleWriters, "the administrator writes a status", func(e *edited) { e.find("update", "promotions/status", "one", operator, 1).User.Username = "admin" }},
	{RuleWriters, "somebody else writes a record", func(e *edited) { e.creation("8").User.Username = "mallory" }},
	{RuleWriters, "nobody has written a record", func(e *edited) {
		i := e.index("create", "auditrecords", "production-0000000008", operator, 0)
		e.Requests = slices.Delete(e.Requests, i, i+1)
	}},
	{RuleAuthority, "the operator applies an object as itself", func(e *edited) { e.write("patch", "old", 0).ImpersonatedUser = cluster.Requester{} }},
	{RuleAuthority, "the operator writes a spec", func(e *edited) { e.find("create", "releases", "shop-one", "bob", 0).User.Username = operator }},
	{RuleAuthority, "the operator deletes a record", func(e *edited) {
		e.again(e.creation("8"), free, func(map[string]any) {})
		last := &e.Requests[len(e.Requests)-1]
		last.Verb = "delete"
		e.Objects = e.Objects[:len(e.Objects)-1]
	}},

	{RuleRest, "a rollout has no outcome", func(e *edited) {
		e.each("AuditRecord", "production-0000000006", set("Rejected", "spec", "type"))
		e.reseal()
	}},
	{RuleRest, "the promotion does not say how it has ended", func(e *edited) {
		e.each("Promotion", "one", func(p map[string]any) {
			condition("Succeeded", set("Unknown", "status"))(p)
			condition("Succeeded", set("RollingOut", "reason"))(p)
			unset("status", "completionTime")(p)
		})
	}},
	{RuleRest, "the environment does not know of the outcome", func(e *edited) {
		first := e.final("AuditRecord", "production-0000000002")
		hash, _, _ := nested(first.Object, "spec", "hash")
		e.each("Environment", "production", func(object map[string]any) {
			if _, found, _ := nested(object, "status", "audit"); found {
				set(map[string]any{"sequence": int64(2), "head": hash}, "status", "audit")(object)
			}
		})
	}},
}

func TestTheGoodLogIsGood(t *testing.T) {
	if found := load(t).Violations(); len(found) > 0 {
		t.Errorf("the recorded log of a good run has violations: %v", found)
	}
}

func TestEachRuleCanFailAndNoOtherDoesWithIt(t *testing.T) {
	broken := map[Rule]int{}
	for _, each := range edits {
		t.Run(string(each.rule)+": "+each.what, func(t *testing.T) {
			e := load(t)
			each.edit(e)
			slices.SortStableFunc(e.Requests, func(a, b cluster.Request) int { return a.Received.Compare(b.Received) })
			found := e.Violations()
			if len(found) == 0 {
				t.Fatal("nothing is found")
			}
			for _, violation := range found {
				if violation.Rule != each.rule {
					t.Errorf("found beside it: %s", violation)
				}
			}
			e.Scene.Exceptions = []Exception{{Rule: each.rule, Reason: "the test does it on purpose"}}
			if left := e.Violations(); !t.Failed() && len(left) > 0 {
				t.Errorf("left when it was declared: %v", left)
			}
		})
		broken[each.rule]++
	}
	for _, rule := range []Rule{
		RuleIdentity, RuleIntent, RuleObjects, RuleApprovals, RuleOverride, RuleAuthor, RuleClosed, RuleRecord, RuleOnce, RuleEnd, RuleOverlap, RuleChain, RuleWriters,
		RuleAuthority, RuleRest,
	} {
		if broken[rule] == 0 {
			t.Errorf("nothing shows that rule %s can fail", rule)
		}
	}
}
