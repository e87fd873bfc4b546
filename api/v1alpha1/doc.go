// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the objects of Assent: Release, Environment, Promotion and AuditRecord.
//
// +kubebuilder:object:generate=true
// +groupName=assent.dev
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
package v1alpha1
