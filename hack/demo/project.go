// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// ci is the service account that may create Releases in the project, and no more.
const ci = "system:serviceaccount:shop:ci"

const releaseManifest = `apiVersion: assent.dev/v1alpha1
kind: Release
metadata:
  name: shop-%[1]s
  namespace: shop
spec:
  application: shop
  version: %[1]s
  source:
    oci:
      # Plain HTTP, because the registry is on this machine.
      url: oci+http://%[2]s
      tag: %[1]s
      digest: %[3]s
  images:
  - name: shop/web
    newName: %[4]s
    digest: %[5]s
  notes: %[6]s
`

// notes are what approvers read about a version.
func notes(version string) string {
	if version == "1.0.0" {
		return "The first version."
	}
	return "Customers can pay with vouchers. The opening banner is gone."
}

// createProject creates the sample project, and the Releases as CI.
func (d *demo) createProject(ctx context.Context, releases []release) error {
	d.progress("Creating the project \"shop\": Environments dev, staging and production, their deployers, and who may do what")
	arguments := []string{"apply"}
	for _, file := range []string{"namespaces", "deployers", "people", "environments"} {
		arguments = append(arguments, "-f", filepath.Join("config", "samples", file+".yaml"))
	}
	if _, err := d.kubectl(ctx, "", arguments...); err != nil {
		return fmt.Errorf("creating the project: %w", err)
	}
	wait := []string{"wait", "--namespace=shop", "--for=condition=Ready", "--timeout=60s"}
	for _, r := range releases {
		manifest := fmt.Sprintf(releaseManifest, r.version, r.repository, r.digest, r.image, r.imageDigest, notes(r.version))
		if _, err := d.kubectl(ctx, manifest, "apply", "--as="+ci, "-f", "-"); err != nil {
			return fmt.Errorf("creating the Release of version %s: %w", r.version, err)
		}
		wait = append(wait, "release/shop-"+r.version)
	}
	err := d.during("Waiting until the operator has fetched both Releases and verified their digests", func() error {
		_, err := d.kubectl(ctx, "", wait...)
		return err
	})
	if err != nil {
		return fmt.Errorf("the Releases are not ready: %w\n%s", err, d.conditions(ctx, "releases"))
	}
	return nil
}

// promoteToDev promotes the first version to dev, as bob, and waits until it is healthy.
func (d *demo) promoteToDev(ctx context.Context) error {
	bob := "--kubeconfig=" + d.path("users", "bob.kubeconfig")
	if _, err := d.kubectl(ctx, "", bob, "apply", "-f", request("1.0.0", "dev")); err != nil {
		return fmt.Errorf("promoting to dev: %w", err)
	}
	err := d.during("Waiting until 1.0.0 is healthy in dev; Bob has promoted it, and dev needs no approval", func() error {
		_, err := d.kubectl(ctx, "", bob, "wait", "--namespace=shop", "--for=condition=Succeeded", "--timeout=120s", "promotion/shop-1.0.0-dev")
		return err
	})
	if err != nil {
		return fmt.Errorf("the Promotion to dev has not succeeded: %w\n%s", err, d.conditions(ctx, "promotions"))
	}
	return nil
}

// request is the manifest by which bob asks for a version in an Environment.
func request(version, environment string) string {
	return filepath.Join("hack", "demo", "requests", environment+"-"+version+".yaml")
}

// conditions are those of all objects of a kind in the project, for an error.
func (d *demo) conditions(ctx context.Context, kind string) string {
	output, err := d.kubectl(ctx, "", "get", kind, "--namespace=shop", "-o",
		`jsonpath={range .items[*]}{.metadata.name}{range .status.conditions[*]}{"\n  "}{.type}={.status} {.reason}: {.message}{end}{"\n"}{end}`)
	if err != nil {
		return ""
	}
	return strings.TrimRight(output, "\n")
}
