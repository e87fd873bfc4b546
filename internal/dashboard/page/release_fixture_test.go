// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// candidate is a Release that runs in dev, waits in staging, and may go to production under conditions.
func candidate() ReleaseSeen {
	const day = 24 * time.Hour
	release := releaseOf("shop", "cart", "1.5.0", 3*day)
	release.UID = "uid-of-1.5.0"
	release.Spec.Source.OCI = v1alpha1.OCISource{URL: "oci://registry.example.com/shop/cart/manifests", Tag: "1.5.0", Path: "production"}
	release.Spec.Images = []v1alpha1.ReleaseImage{
		{Name: "cart", NewName: "registry.example.com/shop/cart", Digest: "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"},
		{Name: "sidecar", Digest: "sha256:4bd5035c0a303666c61700597c8a79a0b39e322d8c2ab3c5b448e058115923d0"},
	}
	release.Spec.Notes = "## Vouchers\n\n- checkout **no longer forgets** the voucher\n- see [the ticket](https://tickets.example.com/4711)\n"
	release.Spec.Build = v1alpha1.ReleaseBuild{URL: "https://ci.example.com/shop/builds/4711", Commit: "4f1c2d9e0b7a6853c1d2e3f405162738495a6b7c", Author: "bob", Branch: "main"}
	release.Status.Digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	release.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved}}

	dev := environmentOf("shop", "cart-dev", "cart", inStage("dev"), running("1.5.0", 2*day))
	dev.Status.Releases = []v1alpha1.SucceededRelease{{Name: release.Name, UID: string(release.UID), Version: "1.5.0", SucceededTime: before(2 * day), HealthySinceTime: before(2 * day)}}
	staging := environmentOf("shop", "cart-staging", "cart", inStage("staging"), after("cart-dev"), running("1.4.0", 9*day))
	production := environmentOf("shop", "cart-production", "cart", inStage("production"), after("cart-staging"), running("1.3.0", 20*day))
	production.Spec.SoakSeconds = 3600
	production.Spec.Approval.Rules = []v1alpha1.ApprovalRule{
		{Name: "owners", Required: ptr.To[int32](2), Groups: []string{"shop-owners"}}, {Name: "security", Groups: []string{"security"}, When: "plan.objects > 3"},
	}
	production.Spec.Windows.Freeze = []v1alpha1.Window{{StartTime: before(day), EndTime: before(monday), Reason: "year end"}}
	production.Spec.Signatures.Signers = []v1alpha1.Signer{{Name: "ci"}, {Name: "release-team"}}
	other := environmentOf("shop", "search-dev", "search", inStage("dev"))

	waiting := promotionTo(staging, "1.5.0", v1alpha1.ReasonAwaitingApproval, 2*time.Hour, approvedBy(2, "security", "carol"))
	invalid := promotionTo(dev, "1.5.0", v1alpha1.ReasonInvalid, 3*day)
	invalid.Name = "cart-1.5.0-first-try"
	var history told
	history.rolledOut(dev, release, friday.Add(-2*day-10*time.Minute), v1alpha1.AuditSucceeded)
	return ReleaseSeen{
		Release: release, Environments: []*v1alpha1.Environment{production, staging, dev, other}, Promotions: []*v1alpha1.Promotion{waiting, invalid}, Records: history.records,
		Rights: map[string]Rights{"cart-dev": {RightPromote: true, RightRollback: true}, "cart-staging": {RightPromote: true}, "cart-production": {RightPromote: true}},
		Own:    Rights{RightBlock: true, RightUnblock: true},
	}
}

// blockedBundle is known to be bad through one of its Releases, and still runs.
func blockedBundle() ReleaseSeen {
	seen := candidate()
	bundle := releaseOf("shop", "cart", "1.5.0", time.Hour)
	bundle.UID, bundle.Status = "uid-of-bundle", seen.Release.Status
	bundle.Spec.Source.Bundle = []v1alpha1.BundledRelease{{Name: "cart-web-1.5.0"}, {Name: "cart-pay-2.0.3"}, {Name: "cart-gone-1.0.0"}}
	web, pay := releaseOf("shop", "cart-web", "1.5.0", time.Hour), releaseOf("shop", "cart-pay", "2.0.3", time.Hour)
	web.Status = seen.Release.Status
	pay.Spec.Blocked.Reason = "charges twice"
	seen.Release, seen.Bundled, seen.Promotions, seen.Records = bundle, []*v1alpha1.Release{web, pay}, nil, nil
	return seen
}

// takenBack is a Release that has run everywhere, was blocked by itself, and is part of a bundle.
func takenBack() ReleaseSeen {
	seen := candidate()
	seen.Release.Spec.Blocked.Reason = "loses vouchers at midnight"
	seen.Release.Status.Conditions[0].Status, seen.Release.Status.Conditions[0].Reason = metav1.ConditionFalse, v1alpha1.ReasonBlockedRelease
	seen.Bundles = []*v1alpha1.Release{releaseOf("shop", "suite", "7.0.0", time.Hour)}
	return seen
}

// goneBy is an older Release that production could go back to.
func goneBy() ReleaseSeen {
	seen := candidate()
	production := seen.Environments[0]
	production.Status.Releases = []v1alpha1.SucceededRelease{{Name: seen.Release.Name, UID: string(seen.Release.UID), Version: "1.5.0", SucceededTime: before(480 * time.Hour), HealthySeconds: ptr.To[int64](93784)}}
	production.Spec.After, production.Spec.SoakSeconds, production.Spec.Windows = nil, 0, v1alpha1.WindowPolicy{}
	production.Spec.Approval = v1alpha1.ApprovalPolicy{}
	seen.Promotions, seen.Records = nil, nil
	seen.Rights = map[string]Rights{"cart-production": {RightRollback: true}}
	seen.Own = nil
	return seen
}
