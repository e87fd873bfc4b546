// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/source"
)

func objects(t *testing.T, documents string) []*unstructured.Unstructured {
	t.Helper()
	var found []*unstructured.Unstructured
	for document := range strings.SplitSeq(documents, "---\n") {
		object := &unstructured.Unstructured{}
		must(t, yaml.Unmarshal([]byte(document), &object.Object))
		found = append(found, object)
	}
	return found
}

func TestTheImagesOfAllKindsOfWorkloadsAreFound(t *testing.T) {
	got := Images(objects(t, `
{kind: Pod, spec: {containers: [{image: pod}], initContainers: [{image: pod-init}], ephemeralContainers: [{image: pod-ephemeral}]}}
---
{kind: Deployment, spec: {template: {spec: {containers: [{image: deployment}, {image: deployment}, {name: sidecar, image: sidecar}]}}}}
---
{kind: StatefulSet, spec: {template: {spec: {containers: [{image: stateful-set}]}}}}
---
{kind: DaemonSet, spec: {template: {spec: {containers: [{image: daemon-set}]}}}}
---
{kind: ReplicaSet, spec: {template: {spec: {containers: [{image: replica-set}]}}}}
---
{kind: ReplicationController, spec: {template: {spec: {containers: [{image: replication-controller}]}}}}
---
{kind: Job, spec: {template: {spec: {containers: [{image: job}], volumes: [{image: {reference: volume}}, {emptyDir: {}}, garbage]}}}}
---
{kind: CronJob, spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: cron-job}], initContainers: [{image: cron-job-init}]}}}}}}
---
{kind: PodTemplate, template: {spec: {containers: [{image: pod-template}]}}}
---
{kind: Rollout, spec: {template: {spec: {containers: [{image: custom}]}}}}
---
{kind: JobSet, spec: {replicatedJobs: [{template: {spec: {template: {spec: {containers: [{image: job-set}]}}}}}]}}
---
{kind: CustomResourceDefinition, spec: {versions: [{schema: {containers: [{image: none}]}}]}}
---
{kind: ConfigMap, data: {containers: none, volumes: none}}
---
{kind: Odd, spec: {containers: {image: none}, initContainers: [{image: 1}, {image: ""}, 7], volumes: [{image: none}], icons: [{image: {reference: none}}]}}
`))
	want := []string{"cron-job", "cron-job-init", "custom", "daemon-set", "deployment", "job", "job-set", "pod", "pod-ephemeral", "pod-init", "pod-template", "replica-set",
		"replication-controller", "sidecar", "stateful-set", "volume"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAnImageHasItsFullName(t *testing.T) {
	const sum = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for image, want := range map[string]string{
		"nginx@" + sum:                       "oci://docker.io/library/nginx",
		"nginx:1.29@" + sum:                  "oci://docker.io/library/nginx",
		"shop/cart@" + sum:                   "oci://docker.io/shop/cart",
		"docker.io/nginx@" + sum:             "oci://docker.io/library/nginx",
		"index.docker.io/shop/cart@" + sum:   "oci://docker.io/shop/cart",
		"ghcr.io/shop/cart/web:v1@" + sum:    "oci://ghcr.io/shop/cart/web",
		"registry.example.com:5000/x@" + sum: "oci://registry.example.com:5000/x",
		"127.0.0.1:5000/x@" + sum:            "oci+http://127.0.0.1:5000/x",
		"localhost:5000/x@" + sum:            "oci://localhost:5000/x",
	} {
		got, err := New(WithPlainHTTP("127.0.0.1:5000")).pinned(image)
		if err != nil || got.URL != want || string(got.Digest) != sum {
			t.Errorf("%s: got %v %v, want %s", image, got, err, want)
		}
	}
}

func TestEachImageMustBePinnedAndSigned(t *testing.T) {
	registry, release, other := startRegistry(t), newKey(t), newKey(t)
	first, second, unsigned := registry.push(t, "first", "a"), registry.push(t, "second", "b"), registry.push(t, "unsigned", "c")
	first.attach(t, release.bundle(t, statement(first.digest())))
	second.attach(t, release.bundle(t, statement(second.digest())))
	unsigned.attach(t, other.bundle(t, statement(unsigned.digest())))
	policy, verifier := policyOf(release.signer(t, "release")), New(WithPlainHTTP(registry.host()))
	verify := func(images ...string) error {
		return verifier.VerifyImages(t.Context(), policy, images, source.Credentials{})
	}
	must(t, verify())
	must(t, verify(first.image(), second.image(), first.image()))
	expectError(t, verify(first.image(), "nginx:1.29"), NotPinned, "image \"nginx:1.29\" is not pinned by digest, so that no signature can speak of it: "+
		"name it in the Release's `images` with its digest, or write it as NAME@sha256:… in the manifests")
	for _, broken := range []string{"nginx@sha256:abc", "nginx@md5:" + strings.Repeat("0", 32), "@"} {
		expectError(t, verify(broken), NotPinned, "image \""+broken+"\" cannot be read: write it as NAME@sha256: and 64 hexadecimal digits")
	}
	expectError(t, verify(first.image(), unsigned.image(), second.image()), WrongSigner, unsigned.image()+" is signed, and not by \"release\" but with a key that is none of theirs: "+
		"have \"release\" sign it with `cosign sign "+unsigned.image()+"` (cosign 3 or later), or have an owner of the Environment add who signed to `spec.signatures.signers`")

	third, fourth := registry.push(t, "third", "d"), registry.push(t, "third", "e")
	registry.answer(func(w http.ResponseWriter, req *http.Request) bool {
		if strings.Contains(req.URL.Path, "/third/") {
			w.WriteHeader(http.StatusNotImplemented)
			return true
		}
		return false
	})
	expectError(t, verify(third.image(), unsigned.image()), WrongSigner, unsigned.image()+" is signed, and not by \"release\" but with a key that is none of theirs: "+
		"have \"release\" sign it with `cosign sign "+unsigned.image()+"` (cosign 3 or later), or have an owner of the Environment add who signed to `spec.signatures.signers`")
	expectError(t, verify(third.image(), fourth.image()), Unreachable, "registry \""+registry.host()+"\" could not deliver the list of signatures of "+third.image()+
		" (status 501 Not Implemented): check that it is up and reachable; it is tried again")
}

func TestAnImageIsReadOverTLSUnlessItsRegistryIsNamed(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	image := registry.push(t, "shop", "a")
	image.attach(t, release.bundle(t, statement(image.digest())))
	err := New(WithPlainHTTP("127.0.0.1")).VerifyImages(t.Context(), policyOf(release.signer(t, "release")), []string{image.image()}, source.Credentials{})
	if typed := new(Error); !asError(err, &typed) || !typed.Retryable() {
		t.Errorf("got %v, want plain HTTP to be refused", err)
	}
}

func TestAnImageThatIsNamedTwiceIsVerifiedOnce(t *testing.T) {
	registry, release := startRegistry(t), newKey(t)
	unsigned := registry.push(t, "shop", "a")
	tagged := strings.Replace(unsigned.image(), "@", ":v1@", 1)
	asked := func(images ...string) int {
		registry.answer(nil)
		_ = New(WithPlainHTTP(registry.host())).VerifyImages(t.Context(), policyOf(release.signer(t, "release")), images, source.Credentials{})
		return registry.seen()
	}
	if once, twice := asked(unsigned.image()), asked(unsigned.image(), tagged); once != twice {
		t.Errorf("got %d requests, want %d", twice, once)
	}
}

func TestARuleThatCannotBeCarriedOutIsNamedEvenWhereThereAreNoImages(t *testing.T) {
	err := New().VerifyImages(t.Context(), policyOf(v1alpha1.Signer{Name: "broken", Key: "x"}), nil, source.Credentials{})
	expectError(t, err, InvalidPolicy, "no signature can be verified before the Environment is mended: `spec.signatures.signers[0].key`: of signer \"broken\" "+
		"must be a public key as PEM, which begins with \"-----BEGIN PUBLIC KEY-----\": `cosign public-key` writes one")
}
