// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package guard holds the admission policies as this version ships them, so that the operator can tell whether the cluster has them.
package guard

import "embed"

// Files holds the policies that decide and their bindings, as `kubectl apply -k config/guard` installs them. Stamping is not among them:
// it decides nothing.
//
//go:embed promotions.yaml objects.yaml projects.yaml locks.yaml scaling.yaml targets.yaml bindings.yaml
var Files embed.FS
