#!/bin/sh
# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Generates deepcopy functions, CRDs and apply configurations: generate.sh CONTROLLER_GEN REPOSITORY
set -eu
controller_gen=$1
cd "$2"

# Generated files of types that are gone must go too.
rm -rf api/v1alpha1/applyconfiguration api/v1alpha1/zz_generated.deepcopy.go config/crd/assent.dev_*.yaml
"$controller_gen" object:headerFile=hack/boilerplate.go.txt crd paths=./api/... output:crd:dir=config/crd
"$controller_gen" applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/...
