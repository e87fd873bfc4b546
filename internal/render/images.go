// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// pinImages puts the Release's digests into the pod templates. A container is looked at once, by the name it has in the manifests.
func pinImages(objects []*unstructured.Unstructured, images []v1alpha1.ReleaseImage) error {
	if len(images) == 0 {
		return nil
	}
	pins := imagePins{byName: make(map[string]v1alpha1.ReleaseImage, len(images)), used: map[string]bool{}, present: map[string]bool{}}
	for _, image := range images {
		pins.byName[image.Name] = image
	}
	for _, object := range objects {
		// The schema in a definition may have a property called `containers`, which holds none.
		if object.GetKind() != "CustomResourceDefinition" {
			pins.visit(object.Object)
		}
	}
	for i, image := range images {
		if !pins.used[image.Name] {
			return &Error{Message: fmt.Sprintf("`spec.images[%d]` %q matches no image in the manifests, which have %s: "+
				"create a new Release with a name as the manifests have it, without tag and digest", i, image.Name, quotedList(pins.names()))}
		}
	}
	return nil
}

type imagePins struct {
	byName  map[string]v1alpha1.ReleaseImage
	used    map[string]bool
	present map[string]bool
}

func (p *imagePins) names() []string {
	names := make([]string, 0, len(p.present))
	for name := range p.present {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// visit looks for containers and image volumes wherever they are, since each kind has its pod template in a place of its own.
func (p *imagePins) visit(value any) {
	switch typed := value.(type) {
	case map[string]any:
		for key, child := range typed {
			switch key {
			case "containers", "initContainers", "ephemeralContainers":
				p.pinEach(child, "image")
			case "volumes":
				p.pinVolumes(child)
			}
			p.visit(child)
		}
	case []any:
		for _, child := range typed {
			p.visit(child)
		}
	}
}

func (p *imagePins) pinVolumes(value any) {
	volumes, _ := value.([]any)
	for _, volume := range volumes {
		if fields, isMap := volume.(map[string]any); isMap {
			p.pinEach([]any{fields["image"]}, "reference")
		}
	}
}

func (p *imagePins) pinEach(value any, field string) {
	items, _ := value.([]any)
	for _, item := range items {
		fields, isMap := item.(map[string]any)
		if !isMap {
			continue
		}
		if image, isText := fields[field].(string); isText && image != "" {
			fields[field] = p.pin(image)
		}
	}
}

func (p *imagePins) pin(image string) string {
	name := imageName(image)
	p.present[name] = true
	wanted, found := p.byName[name]
	if !found {
		return image
	}
	p.used[name] = true
	if wanted.NewName != "" {
		name = wanted.NewName
	}
	return name + "@" + string(wanted.Digest)
}

// imageName is the image without tag and digest. A colon before the last slash belongs to a port.
func imageName(image string) string {
	name, _, _ := strings.Cut(image, "@")
	slash := strings.LastIndex(name, "/")
	if colon := strings.LastIndex(name, ":"); colon > slash {
		name = name[:colon]
	}
	return name
}
