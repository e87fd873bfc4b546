// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/render"
	"github.com/assent-dev/assent/internal/source"
)

// Contents reads what Releases consist of.
type Contents struct {
	// Sources fetches by digest.
	Sources *source.Fetcher
	// Live reads the Secrets that Releases refer to. They are never cached.
	Live client.Reader
}

// Resolve finds the digest of a Release's content. Errors are of type *source.Error.
func (c *Contents) Resolve(ctx context.Context, release *v1alpha1.Release) (v1alpha1.Digest, error) {
	credentials, err := c.credentials(ctx, release)
	if err != nil {
		return "", err
	}
	return c.Sources.Resolve(ctx, release.Spec.Source, credentials)
}

// Objects are the rendered objects of a Release's content with that digest, before they are placed anywhere.
// Errors are of type *source.Error or *render.Error.
func (c *Contents) Objects(ctx context.Context, release *v1alpha1.Release, digest v1alpha1.Digest) ([]*unstructured.Unstructured, error) {
	credentials, err := c.credentials(ctx, release)
	if err != nil {
		return nil, err
	}
	tree, err := c.Sources.Fetch(ctx, release.Spec.Source, digest, credentials)
	if err != nil {
		return nil, err
	}
	return render.Render(tree, render.Options{Path: release.Spec.Source.OCI.Path, Images: release.Spec.Images})
}

// credentials of a Release's source, from the Secret that it names. Every failure is one that trying again can mend: the
// Secret, and the right to read it, can be created later.
func (c *Contents) credentials(ctx context.Context, release *v1alpha1.Release) (source.Credentials, error) {
	name := release.Spec.Source.OCI.SecretRef.Name
	if name == "" {
		return source.Credentials{}, nil
	}
	failed := func(format string, args ...any) error {
		return &source.Error{Reason: v1alpha1.ReasonFetchFailed, Field: "spec.source.oci.secretRef", Message: fmt.Sprintf(format, args...)}
	}
	var secret corev1.Secret
	err := c.Live.Get(ctx, types.NamespacedName{Namespace: release.Namespace, Name: name}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		return source.Credentials{}, failed("secret %q does not exist in project %q: create it with type %s", name, release.Namespace, corev1.SecretTypeDockerConfigJson)
	case apierrors.IsForbidden(err):
		return source.Credentials{}, failed("the operator must not read secret %q: in project %q create a Role that allows `get` on secrets with resourceNames [%q], "+
			"and bind it to service account assent-system/assent-controller", name, release.Namespace, name)
	case err != nil:
		return source.Credentials{}, failed("secret %q could not be read: %v", name, err)
	case secret.Type != corev1.SecretTypeDockerConfigJson:
		return source.Credentials{}, failed("secret %q has type %q: it must have type %s", name, secret.Type, corev1.SecretTypeDockerConfigJson)
	}
	credentials, err := source.ParseDockerConfig(secret.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		return source.Credentials{}, failed("secret %q: %v", name, err)
	}
	return credentials, nil
}
