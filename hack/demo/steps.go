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
	// why, for somebody who sees Assent for the first time.
	why string
	// command is kubectl's part of the command line, as a shell reads it.
	command string
	expect  expectation
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
	imageOf   = `get deployment shop --namespace shop-production -o jsonpath='{.spec.template.spec.containers[0].image}{"\n"}'`
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
		{"An upgrade, and four eyes", askForUpgrade(before)},
		{"Approvals stand", approveTheUpgrade(before, after)},
	}
}

func askForProduction() []step {
	return []step{
		{"bob", "Bob is a developer. CI has made two Releases; the first runs in dev.",
			"get releases,environments", shows("shop-1.0.0", "shop-1.1.0", "production")},
		{"bob", "He asks for 1.0.0 in production. Asking is creating an object, and RBAC says who may.",
			"apply -f " + request("1.0.0", "production"), shows(first + " created")},
		{"bob", "Assent renders the manifests, tries them as a dry run, and writes down the plan.",
			planned(first), shows("condition met")},
		{"bob", "Then it waits. Nothing has failed, and nothing is held up.",
			"get promotions", shows("AwaitingApproval", "0/1", "bob")},
		{"bob", "Why is it waiting, and for whom?",
			fmt.Sprintf(blockers, first), shows("Approval", "shop-owners")},
	}
}

func tryToApprove() []step {
	return []step{
		{"bob", "Bob is in a hurry and approves his own request. The API server refuses.",
			approve(first, "bob"), refused("(G5)", "needs the verb `approve`", `"bob" does not have`)},
		{"bob", "So he signs as Alice. An approval is signed by whoever sends it, and by nobody else.",
			approve(first, "alice"), refused("(G4)", `you are "bob"`)},
		{"mallory", "Mallory has no business here at all.",
			approve(first, "mallory"), refused("Forbidden", `User "mallory" cannot`)},
		{"admin", "Production is as empty as it was.",
			"get deployments,services,configmaps --namespace shop-production", shows().without("shop")},
	}
}

func approveTheFirst(before release) []step {
	return []step{
		{"alice", "Alice owns the shop. She looks at exactly what would change in production.",
			fmt.Sprintf(diffOf, first), shows("/dev/null", "kind: Deployment", "kind: Ingress", "VOUCHERS: disabled", before.imageDigest)},
		{"alice", "She agrees. Her approval names the digest of this plan; of another one it would be void.",
			approve(first, "alice"), shows("patched")},
		{"alice", "Everybody can watch it become healthy.",
			succeeded(first), shows("condition met")},
		{"admin", "It runs, applied by the deployer of that namespace, which can do nothing anywhere else.",
			"rollout status deployment/shop --namespace shop-production --timeout=2m", shows("successfully rolled out")},
		{"admin", "Its pods are ready,",
			"get pods --namespace shop-production", shows("1/1", "Running")},
		{"admin", "with the image that CI built, pinned by its digest.",
			imageOf, shows(before.imageDigest)},
		{"bob", "Who asked, who approved, what happened: the history cannot be rewritten.",
			"get audit", shows("Intent", "Succeeded", "production")},
	}
}

func askForUpgrade(before release) []step {
	return []step{
		{"bob", "Version 1.1.0 brings vouchers. To dev Bob may promote without an approval.",
			"apply -f " + request("1.1.0", "dev"), shows("created")},
		{"bob", "It becomes healthy there.",
			succeeded("shop-1.1.0-dev"), shows("condition met")},
		{"admin", "From now on two owners have to agree to what goes to production.",
			twoOwners, shows("patched")},
		{"bob", "Bob asks for production.",
			"apply -f " + request("1.1.0", "production"), shows(second + " created")},
		{"bob", "Again there is a plan,",
			planned(second), shows("condition met")},
		{"alice", "and Alice sees in short what it would do,",
			fmt.Sprintf(changes, second), shows("Update Deployment shop", "Update ConfigMap shop", "Create CronJob shop-vouchers", "Prune ConfigMap shop-banner").
				without("Service shop", "Ingress")},
		{"alice", "and in full: the setting that changes, the job that comes, the banner that goes.",
			fmt.Sprintf(diffOf, second), shows("-  VOUCHERS: disabled", "+  VOUCHERS: enabled", "+kind: CronJob", "-    <p>We have opened!", before.imageDigest)},
		{"alice", "She approves. One more owner has to.",
			approve(second, "alice"), shows("patched")},
		{"alice", "Assent has counted her approval,",
			"wait promotion/" + second + " --for=jsonpath='{.status.approvals.summary}'=1/2 --timeout=60s", shows("condition met")},
		{"admin", "and production still runs 1.0.0.",
			imageOf, shows(before.imageDigest)},
	}
}

func approveTheUpgrade(before, after release) []step {
	return []step{
		{"bob", "Bob applies his manifest again, as GitOps tools do. It says nothing of approvals,",
			"apply -f " + request("1.1.0", "production"), shows(second)},
		{"bob", "and he even replaces the whole object by it.",
			"replace -f " + request("1.1.0", "production"), shows("replaced")},
		{"bob", "Alice's approval stands.",
			fmt.Sprintf(approvers, second), shows("alice Approved")},
		{"carol", "Carol, the other owner, approves too. Her patch holds her own entry alone.",
			approve(second, "carol"), shows("patched")},
		{"carol", "Now it is rolled out.",
			succeeded(second), shows("condition met")},
		{"admin", "Production runs 1.1.0,",
			imageOf, shows(after.imageDigest).without(before.imageDigest)},
		{"admin", "the voucher job has come, and the banner is gone.",
			"get configmaps,cronjobs --namespace shop-production", shows("shop-vouchers", "configmap/shop ").without("shop-banner")},
		{"bob", "Where everything stands,",
			"get environments,promotions", shows("1.1.0", "2/2", "Succeeded")},
		{"bob", "how it came to be,",
			"get audit", shows("production-0000000003", "production-0000000004", "Succeeded")},
		{"bob", "and who has decided, for good, in the record that was written before anything was applied.",
			decisions, shows("alice Approved", "carol Approved", "shop-owners")},
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
	if !strings.Contains(s.command, "--namespace") {
		kubeconfig += " --namespace shop"
	}
	return fmt.Sprintf("%s --kubeconfig %s %s", filepath.Join(d.shown, "bin", "kubectl"), kubeconfig, s.command)
}
