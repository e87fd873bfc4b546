// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package health tells when the objects of a rollout have become healthy, by watching them, and why they have not, down to the pod's reason.
package health
