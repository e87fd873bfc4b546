// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/source"
)

// credentials of a Release's source, from the Secret that it names. Every failure is one that trying again can mend: the
// Secret, and the right to read it, can be created later.
func (c *Contents) credentials(ctx context.Context, release *v1alpha1.Release) (source.Credentials, error) {
	from := release.Spec.Source
	switch {
	case from.OCI.SecretRef.Name != "":
		return readCredentials(ctx, c.Live, release.Namespace, "spec.source.oci.secretRef", from.OCI.SecretRef.Name)
	case from.Git.SecretRef.Name != "":
		return readCredentials(ctx, c.Live, release.Namespace, "spec.source.git.secretRef", from.Git.SecretRef.Name)
	case from.Helm.SecretRef.Name != "":
		return readCredentials(ctx, c.Live, release.Namespace, "spec.source.helm.secretRef", from.Helm.SecretRef.Name)
	}
	return source.Credentials{}, nil
}

// readCredentials from a Secret of the project that a field names.
func readCredentials(ctx context.Context, live client.Reader, project, field, name string) (source.Credentials, error) {
	failed := func(format string, args ...any) error {
		return &source.Error{Reason: v1alpha1.ReasonFetchFailed, Field: field, Message: fmt.Sprintf(format, args...)}
	}
	var secret corev1.Secret
	err := live.Get(ctx, types.NamespacedName{Namespace: project, Name: name}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		return source.Credentials{}, failed("secret %q does not exist in project %q: create it with type %s for registries, %s for other servers",
			name, project, corev1.SecretTypeDockerConfigJson, corev1.SecretTypeBasicAuth)
	case apierrors.IsForbidden(err):
		return source.Credentials{}, failed("the operator must not read secret %q: in project %q create a Role that allows `get` on secrets with resourceNames [%q], "+
			"and bind it to service account assent-system/assent-controller", name, project, name)
	case err != nil:
		return source.Credentials{}, failed("secret %q could not be read: %v", name, err)
	}
	credentials, err := parseCredentials(secret)
	if err != nil {
		return source.Credentials{}, failed("secret %q: %v", name, err)
	}
	return credentials, nil
}

func parseCredentials(secret corev1.Secret) (source.Credentials, error) {
	if secret.Type == corev1.SecretTypeDockerConfigJson {
		return source.ParseDockerConfig(secret.Data[corev1.DockerConfigJsonKey])
	}
	if secret.Type == corev1.SecretTypeBasicAuth {
		return source.ParseBasicAuth(secret.Data, secret.Annotations[v1alpha1.AnnotationSourceHosts])
	}
	return source.Credentials{}, fmt.Errorf("has type %q: it must have type %s for registries, %s for other servers",
		cmp.Or(secret.Type, corev1.SecretTypeOpaque), corev1.SecretTypeDockerConfigJson, corev1.SecretTypeBasicAuth)
}
