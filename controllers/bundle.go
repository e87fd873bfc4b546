// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/render"
	"github.com/assent-dev/assent/internal/source"
)

// A bundle is a Release of several others: their objects are one plan with one digest. Its content is which Releases they are, and what theirs is.

func isBundle(release *v1alpha1.Release) bool { return len(release.Spec.Source.Bundle) > 0 }

// bundleDigest is the digest of a bundle's content: the members in the bundle's order, each with its name, its UID and the digest of its content.
func bundleDigest(members []*v1alpha1.Release) v1alpha1.Digest {
	hash := sha256.New()
	for _, member := range members {
		fmt.Fprintf(hash, "%q %q %q\n", member.Name, member.UID, member.Status.Digest)
	}
	return v1alpha1.Digest("sha256:" + hex.EncodeToString(hash.Sum(nil)))
}

// findMembers of a bundle, as far as they exist.
func findMembers(ctx context.Context, reader client.Reader, bundle *v1alpha1.Release) ([]*v1alpha1.Release, error) {
	var members []*v1alpha1.Release
	for _, named := range bundle.Spec.Source.Bundle {
		member, err := find(ctx, reader, &v1alpha1.Release{}, types.NamespacedName{Namespace: bundle.Namespace, Name: named.Name})
		if err != nil {
			return nil, err
		}
		if member != nil {
			members = append(members, member)
		}
	}
	return members, nil
}

// membersOf a bundle, read live, each with its content resolved.
func (c *Contents) membersOf(ctx context.Context, bundle *v1alpha1.Release) ([]*v1alpha1.Release, error) {
	members, err := findMembers(ctx, c.Live, bundle)
	if err != nil {
		return nil, &source.Error{Reason: v1alpha1.ReasonFetchFailed, Field: "spec.source.bundle", Message: err.Error(), Err: err}
	}
	for i, named := range bundle.Spec.Source.Bundle {
		if i >= len(members) || members[i].Name != named.Name {
			return nil, bundleError(i, v1alpha1.ReasonFetchFailed, "release %q does not exist in project %q: create it; it is tried again", named.Name, bundle.Namespace)
		}
		if err := usableMember(i, members[i]); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// usableMember says why a Release cannot be a part of a bundle now, or ever; nil if it can.
func usableMember(i int, member *v1alpha1.Release) error {
	if isBundle(member) {
		return bundleError(i, v1alpha1.ReasonInvalidSource, "release %q is a bundle itself: name the Releases that it bundles", member.Name)
	}
	ready := meta.FindStatusCondition(member.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case inOrder(member):
		return nil
	case ready == nil:
		return bundleError(i, v1alpha1.ReasonFetchFailed, "the content of release %q has not been fetched yet; it is tried again", member.Name)
	case ready.Reason == v1alpha1.ReasonInvalidSource || ready.Reason == v1alpha1.ReasonDigestMismatch:
		return bundleError(i, v1alpha1.ReasonInvalidSource, "release %q can never be rolled out: %s", member.Name, ready.Message)
	}
	return bundleError(i, v1alpha1.ReasonFetchFailed, "release %q is not ready: %s", member.Name, ready.Message)
}

func bundleError(i int, reason, format string, args ...any) error {
	return &source.Error{Reason: reason, Field: fmt.Sprintf("spec.source.bundle[%d]", i), Message: fmt.Sprintf(format, args...)}
}

// sameMembers are the members of a bundle, if they are the ones that it had when it was resolved.
func (c *Contents) sameMembers(ctx context.Context, bundle *v1alpha1.Release, digest v1alpha1.Digest) ([]*v1alpha1.Release, error) {
	members, err := c.membersOf(ctx, bundle)
	if err != nil {
		return nil, err
	}
	if found := bundleDigest(members); found != digest {
		return nil, &source.Error{Reason: v1alpha1.ReasonDigestMismatch, Field: "spec.source.bundle", Message: fmt.Sprintf(
			"the Releases have together digest %s, and had %s when the bundle was created: one of them was deleted and created again; create a new bundle", found, digest)}
	}
	return members, nil
}

// bundled are the objects of all members, with the pins of the bundle and the overlay of the Environment over them all.
func (c *Contents) bundled(ctx context.Context, bundle *v1alpha1.Release, digest v1alpha1.Digest, setting Setting) ([]*unstructured.Unstructured, error) {
	members, err := c.sameMembers(ctx, bundle, digest)
	if err != nil {
		return nil, err
	}
	if err := placed(setting, members); err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, member := range members {
		values, err := layers(setting, member.Spec.Application)
		if err != nil {
			return nil, err
		}
		if member.Spec.Source.Helm.URL == "" {
			values = nil // another member may be a chart
		}
		objects, err := c.rendered(ctx, member, member.Status.Digest, setting, values, v1alpha1.Overlay{})
		if err != nil {
			return nil, fmt.Errorf("release %q of the bundle: %w", member.Name, err)
		}
		all = append(all, objects...)
	}
	return render.Change(all, bundle.Spec.Images, setting.Overlay)
}

// placed makes sure that all values of a bundle stand below the application of one of its charts: others would be left out without a word.
func placed(setting Setting, members []*v1alpha1.Release) error {
	charts := map[string]bool{}
	for _, member := range members {
		if member.Spec.Source.Helm.URL != "" {
			charts[member.Spec.Application] = true
		}
	}
	all, err := layers(setting, "")
	if err != nil {
		return err
	}
	for _, layer := range all {
		for _, key := range slices.Sorted(maps.Keys(layer)) {
			if !charts[key] {
				return &render.Error{Message: fmt.Sprintf(
					"the values of a bundle stand below the name of their application, and %q is not the application of a chart in it: correct `spec.overlay.values` or `spec.overlay.valuesFrom`", key)}
			}
		}
	}
	return nil
}
