// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/plan"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/signature"
	"github.com/assent-dev/assent/internal/source"
)

// unsignedRemedy says who mends what is wrong with a signature. The plan waits for that: an artifact can be signed later.
const unsignedRemedy = "whoever signs the artifact, as the message says, or promote a release that is signed; it is looked at again every minute"

// verify that what a plan would apply is signed as the Environment wants it.
func (p *Planner) verify(ctx context.Context, seen promotion.Observation, objects []*unstructured.Unstructured) error {
	policy := seen.Environment.Spec.Signatures
	if len(policy.Signers) == 0 {
		return nil
	}
	releases := []*v1alpha1.Release{seen.Release}
	if isBundle(seen.Release) {
		var err error
		if releases, err = p.Contents.sameMembers(ctx, seen.Release, seen.Release.Status.Digest); err != nil {
			return err
		}
	}
	for _, release := range releases {
		if err := p.verifyRelease(ctx, policy, release); err != nil {
			return err
		}
	}
	if policy.Images != v1alpha1.ImageSignaturesRequired {
		return nil
	}
	var credentials source.Credentials
	if name := policy.ImageSecretRef.Name; name != "" {
		var err error
		if credentials, err = readCredentials(ctx, p.Contents.Live, seen.Environment.Namespace, "spec.signatures.imageSecretRef", name); err != nil {
			return err
		}
	}
	return p.Signatures.VerifyImages(ctx, policy, signature.Images(objects), credentials)
}

// verifyRelease verifies the artifact of one Release.
func (p *Planner) verifyRelease(ctx context.Context, policy v1alpha1.SignaturePolicy, release *v1alpha1.Release) error {
	artifact, is := artifactOf(release)
	if !is {
		return &plan.InvalidError{Problems: []string{fmt.Sprintf(
			"the environment accepts signed artifacts alone (`spec.signatures`), and release %q is no artifact in a registry: publish it with `spec.source.oci`, or as a chart with an oci:// url, and sign it",
			release.Name)}}
	}
	credentials, err := p.Contents.credentials(ctx, release)
	if err != nil {
		return err
	}
	return p.Signatures.Verify(ctx, policy, artifact, credentials)
}

// artifactOf is what of a Release can be signed; false if its source is no registry.
func artifactOf(release *v1alpha1.Release) (signature.Artifact, bool) {
	from := release.Spec.Source
	url := cmp.Or(from.OCI.URL, from.Helm.URL)
	if url == "" || from.Helm.Chart != "" {
		return signature.Artifact{}, false
	}
	return signature.Artifact{URL: url, Digest: release.Status.Digest}, true
}
