// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/render"
	"github.com/assent-dev/assent/internal/source"
)

// Contents reads what Releases consist of.
type Contents struct {
	// Sources fetches by digest.
	Sources *source.Fetcher
	// Live reads the Secrets that Releases refer to, and the Releases of a bundle. They are never cached.
	Live client.Reader
}

// Setting is where the content of a Release is rendered for.
type Setting struct {
	// Namespace that the objects go to.
	Namespace string
	// Upgrade says that something ran there before.
	Upgrade bool
	// Overlay of the Environment.
	Overlay v1alpha1.Overlay
	// Values for charts from the Environment's ConfigMaps and Secrets; those of the overlay go over them.
	Values []map[string]any
	// Capabilities finds out what the cluster can do; only charts ask for it.
	Capabilities func(context.Context) (render.Capabilities, error)
}

// Resolve finds the digest of a Release's content. Errors are of type *source.Error.
func (c *Contents) Resolve(ctx context.Context, release *v1alpha1.Release) (v1alpha1.Digest, error) {
	if isBundle(release) {
		members, err := c.membersOf(ctx, release)
		if err != nil {
			return "", err
		}
		return bundleDigest(members), nil
	}
	credentials, err := c.credentials(ctx, release)
	if err != nil {
		return "", err
	}
	return c.Sources.Resolve(ctx, release.Spec.Source, credentials)
}

// Check makes sure that a Release's content is there, and that it can be rendered as far as that does not depend on the Environment.
// Errors are of type *source.Error or *render.Error.
func (c *Contents) Check(ctx context.Context, release *v1alpha1.Release, digest v1alpha1.Digest) error {
	if isBundle(release) {
		_, err := c.sameMembers(ctx, release, digest)
		return err
	}
	tree, err := c.fetch(ctx, release, digest)
	if err != nil {
		return err
	}
	if release.Spec.Source.Helm.URL != "" {
		return render.CheckChart(tree) // what it renders depends on the Environment's values
	}
	_, err = render.Render(tree, render.Options{Path: pathOf(release), Images: release.Spec.Images}) //nolint:contextcheck // it ends by itself, within its bounds
	return err
}

// Objects are the rendered objects of a Release's content with that digest, before they are placed anywhere.
// Errors are of type *source.Error or *render.Error.
func (c *Contents) Objects(ctx context.Context, release *v1alpha1.Release, digest v1alpha1.Digest, setting Setting) ([]*unstructured.Unstructured, error) {
	if isBundle(release) {
		return c.bundled(ctx, release, digest, setting)
	}
	values, err := layers(setting, "")
	if err != nil {
		return nil, err
	}
	return c.rendered(ctx, release, digest, setting, values, setting.Overlay)
}

// rendered objects of a Release that is no bundle.
func (c *Contents) rendered(
	ctx context.Context, release *v1alpha1.Release, digest v1alpha1.Digest, setting Setting, values []map[string]any, overlay v1alpha1.Overlay,
) ([]*unstructured.Unstructured, error) {
	tree, err := c.fetch(ctx, release, digest)
	if err != nil {
		return nil, err
	}
	options := render.Options{Path: pathOf(release), Images: release.Spec.Images, Overlay: overlay}
	if helm := release.Spec.Source.Helm; helm.URL != "" {
		capabilities, err := setting.Capabilities(ctx)
		if err != nil {
			return nil, err
		}
		options.Chart = &render.Chart{
			ReleaseName: cmp.Or(helm.ReleaseName, release.Spec.Application), Namespace: setting.Namespace,
			Upgrade: setting.Upgrade, Values: values, Capabilities: capabilities,
		}
	} else if len(values) > 0 {
		return nil, &render.Error{Message: fmt.Sprintf(
			"`spec.overlay.values` and `spec.overlay.valuesFrom` are for Helm charts, and release %q is none: use `spec.overlay.patches`", release.Name)}
	}
	return render.Render(tree, options) //nolint:contextcheck // it ends by itself, within its bounds
}

func (c *Contents) fetch(ctx context.Context, release *v1alpha1.Release, digest v1alpha1.Digest) (source.Tree, error) {
	credentials, err := c.credentials(ctx, release)
	if err != nil {
		return nil, err
	}
	return c.Sources.Fetch(ctx, release.Spec.Source, digest, credentials)
}

// pathOf is the path inside of a Release's source.
func pathOf(release *v1alpha1.Release) string {
	return cmp.Or(release.Spec.Source.OCI.Path, release.Spec.Source.Git.Path)
}

// layers of values for a chart, the later ones over the earlier ones. In a bundle, they are those below the application's name.
func layers(setting Setting, application string) ([]map[string]any, error) {
	all := setting.Values
	if inline := setting.Overlay.Values; inline != nil {
		parsed, err := render.ParseValues("spec.overlay.values", inline.Raw)
		if err != nil {
			return nil, err
		}
		all = append(all[:len(all):len(all)], parsed)
	}
	if application == "" {
		return all, nil
	}
	var own []map[string]any
	for _, layer := range all {
		switch below := layer[application].(type) {
		case nil:
		case map[string]any:
			own = append(own, below)
		default:
			return nil, &render.Error{Message: fmt.Sprintf(
				"the values of a bundle stand below the name of their application, and what stands below %q is no map: correct the values of the environment", application)}
		}
	}
	return own, nil
}
