// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/source"
)

// listed makes a list of referrers.
func listed(t *testing.T, referrers ...ocispec.Descriptor) []byte {
	t.Helper()
	encoded, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: referrers})
	must(t, err)
	return encoded
}

// lists makes a registry answer what is attached, with whatever.
func (r *testRegistry) lists(body []byte, header map[string]string) {
	r.answer(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.Contains(req.URL.Path, "/referrers/") {
			return false
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		for key, value := range header {
			w.Header().Set(key, strings.ReplaceAll(value, "PATH", req.URL.Path))
		}
		_, _ = w.Write(body)
		return true
	})
}

func bundleNamed(text string) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: bundleV03, Digest: digest.FromString(text), Size: int64(len(text))}
}

func TestASignatureIsFoundAmongAThousandOtherReferrers(t *testing.T) {
	release := newKey(t)
	registry := startRegistry(t)
	artifact := registry.push(t, "shop", "content")
	var referrers []ocispec.Descriptor
	for i := range 1000 {
		referrers = append(referrers, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: "application/spdx+json",
			Digest: digest.FromString(fmt.Sprint(i)), Size: 100, Annotations: map[string]string{"org.opencontainers.image.created": "2026-11-01T00:00:00Z"}})
	}
	good := artifact.attachAs(t, bundleV03, release.bundle(t, statement(artifact.digest())))
	good.ArtifactType = bundleV03
	registry.lists(listed(t, append(referrers, good)...), nil)
	must(t, New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{}))
	if seen := registry.seen(); seen > 3 {
		t.Errorf("got %d requests, want none for what is no bundle", seen)
	}
}

func TestOtherReferrersAreNoUnreadSignatures(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	var referrers []ocispec.Descriptor
	for i := range 1000 {
		other := bundleNamed(fmt.Sprint(i))
		other.ArtifactType = "application/spdx+json"
		referrers = append(referrers, other)
	}
	registry.lists(listed(t, referrers...), nil)
	err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
	expectError(t, err, Unsigned, artifact.image()+" is not signed, and must be signed by \"release\": have \"release\" sign it with `cosign sign "+
		artifact.image()+"` (cosign 3 or later)")
	if seen := registry.seen(); seen > 3 {
		t.Errorf("got %d requests, want none for what is no bundle", seen)
	}
}

func TestASignatureIsFoundThoughTheRegistryDoesNotListOfWhichTypeItIs(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	good := artifact.attachAs(t, bundleV03, release.bundle(t, statement(artifact.digest())))
	for _, listedAs := range []string{"", ocispec.MediaTypeEmptyJSON} {
		good.ArtifactType = listedAs
		registry.lists(listed(t, good), nil)
		if err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{}); err != nil {
			t.Errorf("listed as %q: %v", listedAs, err)
		}
	}
}

func TestNoMoreBundlesThanTheLimitAreLookedAt(t *testing.T) {
	for _, listedAs := range []string{bundleV03, ""} {
		t.Run(listedAs, func(t *testing.T) {
			registry, release := startRegistry(t), newKey(t)
			artifact := registry.push(t, "shop", "content")
			var referrers []ocispec.Descriptor
			for i := range 1000 {
				one := bundleNamed(fmt.Sprint(i))
				one.ArtifactType = listedAs
				referrers = append(referrers, one)
			}
			registry.lists(listed(t, referrers...), nil)
			err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
			expectError(t, err, Unsigned, artifact.image()+" has nothing attached that can be read as a signature (the registry lists it and does not have it) "+
				"(of many signatures only the first 32 were looked at: remove those that are not needed): "+
				"have \"release\" sign it with `cosign sign "+artifact.image()+"` (cosign 3 or later)")
			if seen := registry.seen(); seen > 40 {
				t.Errorf("got %d requests, want at most one for each of 32 bundles", seen)
			}
		})
	}
}

func TestAListIsNotReadOnWhenThereAreBundlesEnough(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	registry.lists(listed(t, bundleNamed("a"), bundleNamed("b")), map[string]string{"Link": "<PATH?page=again>; rel=\"next\""})
	_ = New(WithLimits(Limits{Bundles: 2})).Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
	if seen := registry.seen(); seen > 4 {
		t.Errorf("got %d requests, want two for the list and two for bundles", seen)
	}
}

func TestAListWithoutEndIsLeft(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	registry.lists(listed(t), map[string]string{"Link": "<PATH?page=again>; rel=\"next\""})
	err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
	expectError(t, err, Unsigned, artifact.image()+" has so much attached that not all of it was looked at, and no signature among the first: "+
		"remove what is not needed, or push it to another repository")
	if seen := registry.seen(); seen > pages+1 {
		t.Errorf("got %d requests, want at most one for each of %d pages", seen, pages)
	}
}

func TestAListThatCannotBeReadIsAFaultThatPasses(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	for name, body := range map[string][]byte{
		"garbage":   []byte("<html>"),
		"cut":       []byte("{\"manifests\": ["),
		"too large": listed(t, ocispec.Descriptor{ArtifactType: strings.Repeat("x", metadataBytes)}),
	} {
		registry.lists(body, nil)
		err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
		if typed := new(Error); err == nil || !asError(err, &typed) || !typed.Retryable() || len(typed.Message) > 1000 {
			t.Errorf("%s: got %v, want a fault that passes", name, err)
		}
	}
}

func TestWhatARegistryListsFalselyIsLeftOut(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	good := artifact.attachAs(t, bundleV03, release.bundle(t, statement(artifact.digest())))
	good.ArtifactType = bundleV03
	loop := bundleNamed("loop")
	loop.MediaType = ocispec.MediaTypeImageIndex
	itself := artifact.described
	itself.ArtifactType = bundleV03
	negative, nameless, huge := good, good, good
	negative.Size = -1
	nameless.Digest = "sha256:../../etc/passwd"
	huge.Size = 1 << 40
	tests := map[string]struct {
		referrer ocispec.Descriptor
		detail   string
	}{
		"an index that may name itself": {loop, "it is of the media type \"application/vnd.oci.image.index.v1+json\" and must be an image manifest"},
		"the artifact itself":           {itself, "it has no layer with a bundle"},
		"a negative size":               {negative, "it has -1 bytes, of at most 2097152"},
		"no digest":                     {nameless, "its descriptor has no digest"},
		"a terabyte":                    {huge, "it has 1099511627776 bytes, of at most 2097152"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			registry.lists(listed(t, test.referrer), nil)
			err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
			expectError(t, err, Unsigned, artifact.image()+" has nothing attached that can be read as a signature ("+test.detail+
				"): have \"release\" sign it with `cosign sign "+artifact.image()+"` (cosign 3 or later)")
			registry.lists(listed(t, test.referrer, good), nil)
			must(t, New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{}))
		})
	}
}

func TestAFalseSizeInAListHidesNoSignature(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	good := artifact.attachAs(t, bundleV03, release.bundle(t, statement(artifact.digest())))
	good.ArtifactType = bundleV03
	lying := good
	lying.Size++
	registry.lists(listed(t, lying), nil)
	err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
	expectError(t, err, Unreachable, "registry \""+registry.host()+"\" could not deliver a signature of "+artifact.image()+
		" (mismatch Content-Length): check that it is up and reachable; it is tried again")
	registry.lists(listed(t, lying, good), nil)
	must(t, New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{}))
}

func TestABlobThatIsNotWhatItsDigestSaysIsNoSignature(t *testing.T) {
	for name, more := range map[string]int{"as long": 0, "longer": 1} {
		t.Run(name, func(t *testing.T) {
			registry, release := startRegistry(t), newKey(t)
			artifact := registry.push(t, "shop", "content")
			signed := release.bundle(t, statement(artifact.digest()))
			other := bytes.Repeat([]byte(" "), len(signed)-more)
			artifact.attach(t, other)
			registry.answer(func(w http.ResponseWriter, req *http.Request) bool {
				if !strings.HasSuffix(req.URL.Path, "/blobs/"+digest.FromBytes(other).String()) {
					return false
				}
				w.(http.Flusher).Flush() // it does not say how long it is
				_, _ = w.Write(signed)
				return true
			})
			err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
			if err == nil || !strings.Contains(err.Error(), "(the registry sent something else than what it lists)") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAReferrerWhoseManifestIsNotJSONIsNoSignature(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	index := listed(t, bundleNamed("no JSON"))
	registry.answer(func(w http.ResponseWriter, req *http.Request) bool {
		switch {
		case strings.Contains(req.URL.Path, "/referrers/"):
			w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
			_, _ = w.Write(index)
		case strings.HasSuffix(req.URL.Path, digest.FromString("no JSON").String()):
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			_, _ = io.WriteString(w, "no JSON")
		default:
			return false
		}
		return true
	})
	err := New().Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
	if err == nil || !strings.Contains(err.Error(), "(its manifest is not JSON)") {
		t.Errorf("got %v", err)
	}
}

func TestARegistryThatHangsIsLeftInTime(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	done := make(chan struct{})
	defer close(done)
	registry.answer(func(http.ResponseWriter, *http.Request) bool {
		<-done
		return true
	})
	verifier := New(WithLimits(Limits{Timeout: 50 * time.Millisecond}))
	err := verifier.Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
	expectError(t, err, Unreachable, "registry \""+registry.host()+"\" did not answer in time for the list of signatures of "+artifact.image()+"; it is tried again")
}

func TestARegistryThatDripsIsLeftInTime(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	artifact := registry.push(t, "shop", "content")
	artifact.attach(t, release.bundle(t, statement(artifact.digest())))
	registry.answer(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.Contains(req.URL.Path, "/blobs/") {
			return false
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = io.WriteString(w, "{")
		w.(http.Flusher).Flush()
		<-req.Context().Done()
		return true
	})
	verifier := New(WithLimits(Limits{Timeout: 200 * time.Millisecond}))
	err := verifier.Verify(t.Context(), policyOf(release.signer(t, "release")), artifact.artifact(), source.Credentials{})
	if typed := new(Error); !asError(err, &typed) || !typed.Retryable() {
		t.Errorf("got %v, want a fault that passes", err)
	}
}

func TestAPanicOverABundleMakesItUnreadable(t *testing.T) {
	wanted := digest.FromString("wanted")
	// A signer without a verifier stands for a bug in the library.
	got := judge(newKey(t).bundle(t, statement(wanted)), []signer{{}}, wanted)
	if want := (finding{standing: unreadable, detail: "it cannot be parsed"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// FuzzNoBundleIsGoodThatNobodyHasSigned also shows that none of them ends the operator.
func FuzzNoBundleIsGoodThatNobodyHasSigned(f *testing.F) {
	wanted := digest.FromString("wanted")
	signers, problems := readSigners([]v1alpha1.Signer{{Name: "release", Key: someKey}})
	if len(problems) > 0 {
		f.Fatal(problems)
	}
	f.Add([]byte(`{"mediaType":"` + bundleV03 + `","verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AA=="}]}}`))
	f.Add([]byte(`{"mediaType":"` + bundleV03 + `","verificationMaterial":{"certificate":{"rawBytes":"AA=="}},"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"AA=="},"signature":"AA=="}}`))
	f.Add([]byte(`{"mediaType":"` + bundleV03 + `","verificationMaterial":{"publicKey":{},"tlogEntries":[{"logId":{"keyId":"AA=="},"canonicalizedBody":"e30="}]},"messageSignature":{}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if judged := judge(content, signers, wanted); judged.standing == good {
			t.Error("it was believed")
		}
	})
}
