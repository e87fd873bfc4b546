// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestImagesArePinnedToTheDigestThatTheirTagHas(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	tag, err := name.NewTag(host + "/shop:1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	r := &releaseCreate{session: newSession(genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: io.Discard, ErrOut: &said})}
	const given = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	for text, want := range map[string]v1alpha1.ReleaseImage{
		"web=" + host + "/shop:1.2.0":            {Name: "web", NewName: host + "/shop", Digest: v1alpha1.Digest(digest.String())},
		"web=registry.example.com/shop@" + given: {Name: "web", NewName: "registry.example.com/shop", Digest: given},
		"registry.example.com/shop@" + given:     {Name: "registry.example.com/shop", Digest: given},
	} {
		if got, err := r.pin(t.Context(), text); err != nil || got != want {
			t.Errorf("%s is %+v (%v), and not %+v", text, got, err, want)
		}
	}
	if want := host + "/shop:1.2.0 is " + digest.String() + "\n"; said.String() != want {
		t.Errorf("it says %q, and not %q", said.String(), want)
	}
	for text, want := range map[string]string{
		"web=" + host + "/shop:2.0.0": "looking up the digest of --image", "web=shop": "must name registry, image, and tag or digest", "web=" + host + "/shop": "must name registry, image, and tag or digest",
		"shop:1": "must be NAME=REGISTRY/IMAGE:TAG", "=shop:1": "must be NAME=REGISTRY/IMAGE:TAG", "@" + given: "must be NAME=REGISTRY/IMAGE:TAG",
	} {
		if _, err := r.pin(t.Context(), text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
