// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package install tests what is installed, without a cluster: the manifests in config, as kustomize renders them.
package install
