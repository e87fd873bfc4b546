// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
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

// inlineText is a source that is its own content.
type inlineText string

func (i inlineText) resolve(context.Context) (v1alpha1.Digest, error) {
	text := string(i)
	switch {
	case text == "":
		return "", invalid("spec.source", "must set one of `oci`, `git`, `helm` and `inline`: create a new Release with one")
	case len(text) > maxInlineBytes:
		return "", invalid(fieldInline, "is %d bytes, at most %d are allowed: push the manifests to a registry and use `oci`",
			len(text), maxInlineBytes)
	case !utf8.ValidString(text):
		return "", invalid(fieldInline, "must be valid UTF-8")
	}
	return v1alpha1.Digest(digest.FromString(text)), nil
}

func (i inlineText) fetch(ctx context.Context, want v1alpha1.Digest) (Tree, error) {
	got, err := i.resolve(ctx)
	if err != nil {
		return nil, err
	}
	if got != want {
		return nil, mismatch(fieldInline, "the text has the digest %q and the Release was resolved to %q: create a new Release", got, want)
	}
	return Tree{inlineFile: []byte(i)}, nil
}
