// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/source"
)

// Images lists the images of objects as they are written there, each once, in order. They are found wherever an object has containers (also initial and ephemeral
// ones) or volumes of images, since each kind has its pod template in a place of its own, and custom resources have theirs. An image that a custom resource
// names in another field is not seen.
func Images(objects []*unstructured.Unstructured) []string {
	found := map[string]bool{}
	for _, object := range objects {
		// The schema in a definition may have a property called `containers`, which holds none.
		if object.GetKind() != "CustomResourceDefinition" {
			collectImages(object.Object, found)
		}
	}
	images := make([]string, 0, len(found))
	for image := range found {
		images = append(images, image)
	}
	slices.Sort(images)
	return images
}

func collectImages(value any, found map[string]bool) {
	switch typed := value.(type) {
	case map[string]any:
		for key, child := range typed {
			switch key {
			case "containers", "initContainers", "ephemeralContainers":
				collectEach(child, found, "image")
			case "volumes":
				collectEach(child, found, "image", "reference")
			}
			collectImages(child, found)
		}
	case []any:
		for _, child := range typed {
			collectImages(child, found)
		}
	}
}

func collectEach(list any, found map[string]bool, path ...string) {
	items, _ := list.([]any)
	for _, item := range items {
		fields, _ := item.(map[string]any)
		// What is no text names no image.
		if image, _, _ := unstructured.NestedString(fields, path...); image != "" {
			found[image] = true
		}
	}
}

// VerifyImages verifies that each image is pinned by digest, and signed by one of the policy's signers, whatever the policy says about images. The credentials are
// for all of their registries. Every error is an [*Error]: a refusal where there is one, for the first image in order, else a fault.
func (v *Verifier) VerifyImages(ctx context.Context, policy v1alpha1.SignaturePolicy, images []string, credentials source.Credentials) error {
	signers, hash, err := prepare(policy)
	if err != nil {
		return err
	}
	var artifacts []Artifact
	for _, image := range images {
		artifact, err := v.pinned(image)
		if err != nil {
			return err
		}
		if !slices.Contains(artifacts, artifact) {
			artifacts = append(artifacts, artifact)
		}
	}
	failed := make([]error, len(artifacts))
	slots := make(chan struct{}, v.limits.Concurrent)
	var all sync.WaitGroup
	for i, artifact := range artifacts {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			failed[i] = v.verify(ctx, signers, hash, artifact, credentials)
		})
	}
	all.Wait()
	return worst(failed)
}

// worst is the first refusal, or the first fault.
func worst(failed []error) error {
	var fault error
	for _, err := range failed {
		var typed *Error
		if errors.As(err, &typed) && !typed.Retryable() {
			return err
		}
		if fault == nil {
			fault = err
		}
	}
	return fault
}

// pinned reads an image as it stands in a pod, and gives its repository its full name, as the nodes do.
func (v *Verifier) pinned(image string) (Artifact, error) {
	if !strings.Contains(image, "@") {
		return Artifact{}, refusal(NotPinned, "image %q is not pinned by digest, so that no signature can speak of it: name it in the Release's `images` with its digest, "+
			"or write it as NAME@sha256:… in the manifests", foreign(image))
	}
	read, err := name.NewDigest(image)
	if err != nil {
		return Artifact{}, refusal(NotPinned, "image %q cannot be read: write it as NAME@sha256: and 64 hexadecimal digits", foreign(image))
	}
	host := read.RegistryStr()
	if host == name.DefaultRegistry {
		host = "docker.io"
	}
	scheme := "oci://"
	if v.plainHTTP[host] {
		scheme = "oci+http://"
	}
	return Artifact{URL: fmt.Sprintf("%s%s/%s", scheme, host, read.RepositoryStr()), Digest: v1alpha1.Digest(read.DigestStr())}, nil
}
