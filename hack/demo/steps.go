// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// chapter is a part of the story.
type chapter struct {
	title string
	steps []step
}

// step is something that somebody does.
type step struct {
	// who does it: a user with a kubeconfig.
	who string
	// why, for somebody who sees Assent for the first time. Without an apostrophe: some shells do not take a pasted comment for one.
	why string
	// command is kubectl's part of the command line, as a shell reads it.
	command string
	expect  expectation
	// detail is a step that checks or waits, and that people who try it by hand can do without.
	detail bool
}

// expectation is what a command has to do, and what its output has to hold and must not hold.
type expectation struct {
	refused bool
	shows   []string
	hides   []string
}

// shows expects success and the texts.
func shows(texts ...string) expectation { return expectation{shows: texts} }

// refused expects failure and the texts.
func refused(texts ...string) expectation { return expectation{refused: true, shows: texts} }

// without adds what must not be shown.
func (e expectation) without(texts ...string) expectation {
	e.hides = texts
	return e
}

const (
	first  = "shop-1.0.0-production"
	second = "shop-1.1.0-production"

	diffOf    = `get promotion %s -o jsonpath='{.status.plan.diff}'`
	imageOf   = `get deployment shop -n shop-production -o jsonpath='{.spec.template.spec.containers[0].image}{"\n"}'`
	blockers  = `get promotion %s -o jsonpath='{range .status.blockers[*]}{.gate}: {.message}{"\n"}{.clears}{"\n"}{end}'`
	changes   = `get promotion %s -o jsonpath='{range .status.plan.changes[*]}{.action} {.kind} {.name}{"\n"}{end}'`
	approvers = `get promotion %s -o jsonpath='{range .spec.approvals[*]}{.user} {.decision}{"\n"}{end}'`
	decisions = `get audit production-0000000003 -o jsonpath='{range .spec.decisions[*]}{.user} {.decision} {.groups} {.time}{"\n"}{end}'`
	twoOwners = `patch environment production --type=json --patch '[{"op":"replace","path":"/spec/approval/rules/0/required","value":2}]'`
)

// story is everything that is told, in order. It begins with 1.0.0 in dev and nothing anywhere else.
func (d *demo) story(releases []release) []chapter {
	before, after := releases[0], releases[1]
	return []chapter{
		{"A request", askForProduction()},
		{"Who may not approve", tryToApprove()},
		{"Who may, and what exactly", approveTheFirst(before)},
		{"An emergency stop", stopAndGoOn()},
		{"An upgrade, and four eyes", askForUpgrade(before)},
		{"Approvals stand", approveTheUpgrade(before, after)},
	}
}

func askForProduction() []step {
	return []step{
		{who: "bob", why: "Bob is a developer. CI has made two Releases; the first one runs in dev.",
			command: "get releases,environments", expect: shows("shop-1.0.0", "shop-1.1.0", "production")},
		{who: "bob", why: "He asks for 1.0.0 in production. Asking is creating an object, and RBAC says who may.",
			command: "apply -f " + request("1.0.0", "production"), expect: shows(first + " created")},
		{who: "bob", why: "Assent renders the manifests, tries them as a dry run, and writes down the plan.",
			command: planned(first), expect: shows("condition met")},
		{who: "bob", why: "Then it waits for people. Nothing has failed, and nothing is held up.",
			command: "get promotions", expect: shows("AwaitingApproval", "0/1", "bob")},
		{who: "bob", why: "What is missing, and who can give it?",
			command: fmt.Sprintf(blockers, first), expect: shows("Approval", "shop-owners")},
	}
}

func tryToApprove() []step {
	return []step{
		{who: "bob", why: "Bob is in a hurry and approves his own request. The API server refuses.",
			command: approve(first, "bob"), expect: refused("(G5)", "needs the verb `approve`", `"bob" does not have`)},
		{who: "bob", why: "So he signs as Alice. Refused too: nobody writes an approval but their own.",
			command: approve(first, "alice"), expect: refused("(G4)", `you are "bob"`)},
		{who: "mallory", why: "Mallory has no role in this project. She cannot even look.",
			command: approve(first, "mallory"), expect: refused("Forbidden", `User "mallory" cannot`)},
		{who: "admin", why: "Production is as empty as before.",
			command: "get deployments,services,configmaps -n shop-production", expect: shows().without("shop ")},
	}
}

func approveTheFirst(before release) []step {
	return []step{
		{who: "alice", why: "Alice is one of the owners. She looks at exactly what would change in production.",
			command: fmt.Sprintf(diffOf, first),
			expect:  shows("/dev/null", "kind: Deployment", "kind: Ingress", "VOUCHERS: disabled", before.imageDigest)},
		{who: "alice", why: "She approves. Her approval names the digest of this plan, and counts for no other.",
			command: approve(first, "alice"), expect: shows("patched")},
		{who: "alice", why: "The rollout starts at once, and everybody can watch it become healthy.",
			command: succeeded(first), expect: shows("condition met")},
		{who: "admin", why: "It was applied by the deployer of that namespace, whose rights end there.",
			command: "rollout status deployment/shop -n shop-production --timeout=2m", expect: shows("successfully rolled out"), detail: true},
		{who: "admin", why: "Its pods are ready.",
			command: "get pods -n shop-production", expect: shows("1/1", "Running")},
		{who: "admin", why: "They run the image that CI has built, pinned by its digest.",
			command: imageOf, expect: shows(before.imageDigest)},
		{who: "bob", why: "Who asked, who approved, what happened: a history that nobody can rewrite.",
			command: "get audit", expect: shows("Intent", "Succeeded", first, "alice")},
	}
}

func stopAndGoOn() []step {
	return []step{
		{who: "admin", why: "There is an incident. One command holds the whole project: no rollout starts any more.",
			command: `annotate namespace shop assent.dev/hold="incident 4711"`, expect: shows("annotated")},
		{who: "bob", why: "Bob takes 1.1.0, which brings vouchers, to dev. That needs no approval.",
			command: "apply -f " + request("1.1.0", "dev"), expect: shows("created")},
		{who: "bob", why: "It does not start.",
			command: "wait promotion/shop-1.1.0-dev --for=jsonpath='{.status.blockers[0].gate}'=Hold --timeout=60s", expect: shows("condition met")},
		{who: "bob", why: "Why not, and who can go on?",
			command: fmt.Sprintf(blockers, "shop-1.1.0-dev"), expect: shows(`Hold: project "shop" is on hold: incident 4711`, "the verb `resume`")},
		{who: "admin", why: "The incident is over.",
			command: "annotate namespace shop assent.dev/hold-", expect: shows("annotated")},
		{who: "bob", why: "What was held goes on by itself.",
			command: succeeded("shop-1.1.0-dev"), expect: shows("condition met")},
	}
}

func askForUpgrade(before release) []step {
	return []step{
		{who: "admin", why: "From now on, two owners have to agree to what goes to production.",
			command: twoOwners, expect: shows("patched")},
		{who: "bob", why: "Bob asks for production.",
			command: "apply -f " + request("1.1.0", "production"), expect: shows(second + " created")},
		{who: "bob", why: "Assent makes the plan.",
			command: planned(second), expect: shows("condition met")},
		{who: "alice", why: "Alice sees in short what it would do. What stays the same is not listed.",
			command: fmt.Sprintf(changes, second),
			expect: shows("Update Deployment shop", "Update ConfigMap shop", "Create CronJob shop-vouchers", "Prune ConfigMap shop-banner").
				without("Service shop", "Ingress")},
		{who: "alice", why: "She reads it in full: the settings that change, the job that comes, the banner that goes.",
			command: fmt.Sprintf(diffOf, second),
			expect:  shows("-  VOUCHERS: disabled", "+  VOUCHERS: enabled", "+kind: CronJob", "-    <p>We have opened!", "-        image: "+before.image+"@"+before.imageDigest)},
		{who: "alice", why: "She approves. One more owner has to.",
			command: approve(second, "alice"), expect: shows("patched")},
		{who: "alice", why: "Her approval is counted: 1 of 2.",
			command: "wait promotion/" + second + " --for=jsonpath='{.status.approvals.summary}'=1/2 --timeout=60s", expect: shows("condition met")},
		{who: "admin", why: "Production still runs 1.0.0.",
			command: imageOf, expect: shows(before.imageDigest)},
	}
}

func approveTheUpgrade(before, after release) []step {
	return []step{
		{who: "bob", why: "Bob applies his manifest again, as GitOps tools do all day. It says nothing of approvals.",
			command: "apply -f " + request("1.1.0", "production"), expect: shows(second)},
		{who: "bob", why: "He even replaces the whole object by it.",
			command: "replace -f " + request("1.1.0", "production"), expect: shows("replaced")},
		{who: "bob", why: "The approval that Alice gave still stands.",
			command: fmt.Sprintf(approvers, second), expect: shows("alice Approved")},
		{who: "admin", why: "Nothing was rolled out by that.",
			command: imageOf, expect: shows(before.imageDigest), detail: true},
		{who: "carol", why: "Carol, another owner, approves too. She sends her own entry alone, and the one of Alice stays.",
			command: approve(second, "carol"), expect: shows("patched")},
		{who: "carol", why: "Now it is rolled out.",
			command: succeeded(second), expect: shows("condition met")},
		{who: "admin", why: "Production runs 1.1.0.",
			command: imageOf, expect: shows(after.imageDigest).without(before.imageDigest)},
		{who: "admin", why: "The voucher job has come, and the banner is gone.",
			command: "get configmaps,cronjobs -n shop-production", expect: shows("shop-vouchers", "configmap/shop ").without("shop-banner")},
		{who: "bob", why: "This is where everything stands.",
			command: "get environments,promotions", expect: shows("1.1.0", "2/2", "Succeeded").without("Awaiting", "RollingOut")},
		{who: "bob", why: "The history has grown.",
			command: "get audit", expect: shows("production-0000000003", "production-0000000004", "Succeeded"), detail: true},
		{who: "bob", why: "Who decided is in the record that was written before anything was applied.",
			command: decisions, expect: shows("alice Approved", "carol Approved", "shop-owners")},
	}
}

// approve is the one write that an approval is.
func approve(promotion, user string) string {
	return fmt.Sprintf(`patch promotion %s --type=merge --patch '{"spec":{"approvals":[{"user":%q,"decision":"Approved"}]}}'`, promotion, user)
}

// planned waits until there is a plan to decide on.
func planned(promotion string) string {
	return "wait promotion/" + promotion + " --for=jsonpath='{.status.plan.digest}' --timeout=60s"
}

// succeeded waits until the rollout has ended well.
func succeeded(promotion string) string {
	return "wait promotion/" + promotion + " --for=condition=Succeeded --timeout=5m"
}

// commandLine is the whole command of a step, to be run by a shell in the repository's root folder.
func (d *demo) commandLine(s step) string {
	kubeconfig := filepath.Join(d.shown, "users", s.who+".kubeconfig")
	if !strings.Contains(s.command, " -n ") {
		kubeconfig += " -n shop"
	}
	return fmt.Sprintf("%s --kubeconfig %s %s", filepath.Join(d.shown, "bin", "kubectl"), kubeconfig, s.command)
}
