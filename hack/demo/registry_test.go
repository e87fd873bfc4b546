// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/render"
	"github.com/assent-dev/assent/internal/source"
)

func TestTheOperatorRendersWhatTheDemoPushes(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	both := []string{
		"ConfigMap/shop", "Deployment/shop", "HorizontalPodAutoscaler/shop", "Ingress/shop", "NetworkPolicy/shop",
		"PodDisruptionBudget/shop", "Service/shop", "ServiceAccount/shop",
	}
	for version, only := range map[string]string{"1.0.0": "ConfigMap/shop-banner", "1.1.0": "CronJob/shop-vouchers"} {
		t.Run(version, func(t *testing.T) {
			objects := rendered(t, strings.TrimPrefix(server.URL, "http://"), version)
			want := append([]string{only}, both...)
			slices.Sort(want)
			var got []string
			for _, object := range objects {
				got = append(got, object.GetKind()+"/"+object.GetName())
				if namespace := object.GetNamespace(); namespace != "" {
					t.Errorf("%s/%s sets the namespace %q, which is the Environment's to say", object.GetKind(), object.GetName(), namespace)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("version %s is rendered to\n%q\nwant\n%q", version, got, want)
			}
		})
	}
}

// rendered pushes a version, and fetches and renders it as the operator does.
func rendered(t *testing.T, address, version string) []*unstructured.Unstructured {
	t.Helper()
	pushed, err := push(t.Context(), address, version)
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := source.New(t.TempDir(), source.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	from := v1alpha1.ReleaseSource{OCI: v1alpha1.OCISource{
		URL: "oci+http://" + pushed.repository, Tag: version, Digest: v1alpha1.Digest(pushed.digest),
	}}
	digest, err := fetcher.Resolve(t.Context(), from, source.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := fetcher.Fetch(t.Context(), from, digest, source.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	image := v1alpha1.ReleaseImage{Name: "shop/web", NewName: pushed.image, Digest: v1alpha1.Digest(pushed.imageDigest)}
	objects, err := render.Render(tree, render.Options{Images: []v1alpha1.ReleaseImage{image}})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestAVersionHasTheSameDigestOnEachMachine(t *testing.T) {
	for _, version := range []string{"1.0.0", "1.1.0"} {
		var digests []string
		for range 2 {
			server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
			pushed, err := push(t.Context(), strings.TrimPrefix(server.URL, "http://"), version)
			server.Close()
			if err != nil {
				t.Fatal(err)
			}
			digests = append(digests, pushed.digest+" "+pushed.imageDigest)
		}
		if digests[0] != digests[1] {
			t.Errorf("version %s is pushed as %s and as %s", version, digests[0], digests[1])
		}
	}
}
