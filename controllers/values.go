// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/render"
)

// values that an Environment takes for Helm charts from ConfigMaps and Secrets.
type values struct {
	// layers in the order of `valuesFrom`; later ones go over earlier ones.
	layers []map[string]any
	// digest of them; empty if there are none.
	digest v1alpha1.Digest
}

// valuesError says what keeps values from being read, and who does what about it.
type valuesError struct{ message, remedy string }

func (e *valuesError) Error() string { return e.message }

// valuesOf an Environment, read with reader. What people have to mend is a *valuesError; any other error is a fault that passes.
func valuesOf(ctx context.Context, reader client.Reader, project string, overlay v1alpha1.Overlay) (values, error) {
	if len(overlay.ValuesFrom) == 0 {
		return values{}, nil
	}
	var found values
	hash := sha256.New()
	for i, from := range overlay.ValuesFrom {
		field := fmt.Sprintf("spec.overlay.valuesFrom[%d]", i)
		text, err := valuesText(ctx, reader, project, field, from)
		if err != nil {
			return values{}, err
		}
		layer, err := render.ParseValues(field, text)
		if err != nil {
			return values{}, &valuesError{message: err.Error(), remedy: fmt.Sprintf("whoever may change %s %q in project %q", from.Kind, from.Name, project)}
		}
		found.layers = append(found.layers, layer)
		sum := sha256.Sum256(text)
		if err := json.NewEncoder(hash).Encode([]string{string(from.Kind), from.Name, from.Key, hex.EncodeToString(sum[:])}); err != nil {
			return values{}, fmt.Errorf("digest the values: %w", err)
		}
	}
	found.digest = v1alpha1.Digest("sha256:" + hex.EncodeToString(hash.Sum(nil)))
	return found, nil
}

// valuesText is what one reference holds.
func valuesText(ctx context.Context, reader client.Reader, project, field string, from v1alpha1.ValuesReference) ([]byte, error) {
	failed := func(remedy, format string, args ...any) error {
		return &valuesError{message: fmt.Sprintf("`%s`: ", field) + fmt.Sprintf(format, args...), remedy: remedy}
	}
	admin := fmt.Sprintf("whoever administers project %q", project)
	object := client.Object(&corev1.ConfigMap{})
	if from.Kind == v1alpha1.ValuesSecret {
		object = &corev1.Secret{}
	}
	err := reader.Get(ctx, types.NamespacedName{Namespace: project, Name: from.Name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return nil, failed(admin+", by creating it", "%s %q does not exist in project %q", from.Kind, from.Name, project)
	case apierrors.IsForbidden(err):
		return nil, failed(admin+", by binding ClusterRole assent-values-reader to service account assent-system/assent-controller there, with the name in `resourceNames`",
			"the operator must not read %s %q in project %q", from.Kind, from.Name, project)
	case err != nil:
		return nil, fmt.Errorf("read %s %q: %w", from.Kind, from.Name, err)
	}
	text, held := "", false
	switch object := object.(type) {
	case *corev1.ConfigMap:
		text, held = object.Data[from.Key]
	case *corev1.Secret:
		if object.Type != v1alpha1.SecretTypeValues {
			return nil, failed(admin+", by creating it anew with that type", "Secret %q has type %q: values are taken from Secrets of type %s alone, so that no other Secret can be shown by a chart",
				from.Name, object.Type, v1alpha1.SecretTypeValues)
		}
		var data []byte
		data, held = object.Data[from.Key]
		text = string(data)
	}
	if !held {
		return nil, failed(admin, "%s %q has no key %q", from.Kind, from.Name, from.Key)
	}
	return []byte(text), nil
}
