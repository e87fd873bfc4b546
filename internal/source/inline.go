// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	fieldInline = "spec.source.inline"
	// inlineFile is the name that inline text has in its tree, and so in the messages about it.
	inlineFile = "inline.yaml"
	// maxInlineBytes is the bound of the field in the API.
	maxInlineBytes = 256 << 10
)

func resolveInline(text string) (v1alpha1.Digest, error) {
	switch {
	case text == "":
		return "", invalid("spec.source", "must set one of `oci` and `inline`: create a new Release with one")
	case len(text) > maxInlineBytes:
		return "", invalid(fieldInline, "is %d bytes, at most %d are allowed: push the manifests to a registry and use `oci`",
			len(text), maxInlineBytes)
	case !utf8.ValidString(text):
		return "", invalid(fieldInline, "must be valid UTF-8")
	}
	return v1alpha1.Digest(digest.FromString(text)), nil
}

func fetchInline(text string, want v1alpha1.Digest) (Tree, error) {
	got, err := resolveInline(text)
	if err != nil {
		return nil, err
	}
	if got != want {
		return nil, mismatch(fieldInline, "the text has the digest %q and the Release was resolved to %q: create a new Release", got, want)
	}
	return Tree{inlineFile: []byte(text)}, nil
}
