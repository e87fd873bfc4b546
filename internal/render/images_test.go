// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"reflect"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const pinned = v1alpha1.Digest("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

const workloads = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      initContainers: [{name: i, image: "localhost:5000/shop:1.0"}]
      containers: [{name: a, image: shop}, {name: b, image: "shop/web:1.0@sha256:00"}, {name: c}]
      volumes: [{name: v, image: {reference: "data:1"}}, {name: w}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: job}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: "shop:2.0"}]}}}}}
---
apiVersion: v1
kind: Pod
metadata: {name: pod}
spec: {containers: [{name: a, image: "shopXweb"}], ephemeralContainers: [{name: e, image: "shop@sha256:00"}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: x}
spec: {containers: [{image: shop}]}
`

// imagesIn lists what containers and image volumes refer to, in the order of the manifest.
func imagesIn(t *testing.T, images ...v1alpha1.ReleaseImage) ([]string, error) {
	t.Helper()
	objects, err := Render(treeOf("a.yaml", workloads), Options{Images: images})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, steps := range [][]any{
		{0, "spec", "template", "spec", "initContainers", 0, "image"},
		{0, "spec", "template", "spec", "containers", 0, "image"},
		{0, "spec", "template", "spec", "containers", 1, "image"},
		{0, "spec", "template", "spec", "volumes", 0, "image", "reference"},
		{1, "spec", "jobTemplate", "spec", "template", "spec", "containers", 0, "image"},
		{2, "spec", "containers", 0, "image"},
		{2, "spec", "ephemeralContainers", 0, "image"},
		{3, "spec", "containers", 0, "image"},
	} {
		var value any = objects[steps[0].(int)].Object
		for _, step := range steps[1:] {
			switch step := step.(type) {
			case string:
				value = value.(map[string]any)[step]
			case int:
				value = value.([]any)[step]
			}
		}
		found = append(found, value.(string))
	}
	return found, nil
}

func TestImagesArePinnedByName(t *testing.T) {
	at := "@" + string(pinned)
	for name, row := range map[string]struct {
		images []v1alpha1.ReleaseImage
		want   []string
	}{
		"a name matches with any tag or digest, and nothing but the name": {
			images: []v1alpha1.ReleaseImage{{Name: "shop", Digest: pinned}},
			want:   []string{"localhost:5000/shop:1.0", "shop" + at, "shop/web:1.0@sha256:00", "data:1", "shop" + at, "shopXweb", "shop" + at, "shop"},
		},
		"a port is no tag": {
			images: []v1alpha1.ReleaseImage{{Name: "localhost:5000/shop", NewName: "registry/shop", Digest: pinned}},
			want:   []string{"registry/shop" + at, "shop", "shop/web:1.0@sha256:00", "data:1", "shop:2.0", "shopXweb", "shop@sha256:00", "shop"},
		},
		"a new name is not looked at again": {
			images: []v1alpha1.ReleaseImage{{Name: "shop", NewName: "shop/web", Digest: pinned}, {Name: "shop/web", NewName: "shop", Digest: pinned}},
			want:   []string{"localhost:5000/shop:1.0", "shop/web" + at, "shop" + at, "data:1", "shop/web" + at, "shopXweb", "shop/web" + at, "shop"},
		},
		"image volumes are pinned too": {
			images: []v1alpha1.ReleaseImage{{Name: "data", Digest: pinned}},
			want:   []string{"localhost:5000/shop:1.0", "shop", "shop/web:1.0@sha256:00", "data" + at, "shop:2.0", "shopXweb", "shop@sha256:00", "shop"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := imagesIn(t, row.images...)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %q\nwant %q", got, row.want)
			}
		})
	}
}

func TestAnImageThatMatchesNothingIsAMistake(t *testing.T) {
	for _, name := range []string{"shop:2.0", "shop.web", "größe", "registry/shop", "["} {
		t.Run(name, func(t *testing.T) {
			_, err := imagesIn(t, v1alpha1.ReleaseImage{Name: "shop", Digest: pinned}, v1alpha1.ReleaseImage{Name: name, Digest: pinned})
			expectError(t, err, "`spec.images[1]` \""+name+"\" matches no image", `"data", "localhost:5000/shop", "shop", "shop/web", "shopXweb"`)
		})
	}
	_, err := Render(treeOf("a.yaml", webService), Options{Images: []v1alpha1.ReleaseImage{{Name: "shop", Digest: pinned}}})
	expectError(t, err, "which have nothing")
}
