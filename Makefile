# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Everything here works on a machine that has Go, git and make. `make help` lists the commands.

SHELL := /bin/sh
.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go
export CGO_ENABLED := 0
export GOTOOLCHAIN := local

BUILD := $(CURDIR)/.build
DIST := $(CURDIR)/dist
# The plugin is the same file wherever and whenever it is built of one commit with one version of Go.
CLI_FLAGS = -trimpath -buildvcs=false -ldflags '-s -w -X github.com/assent-dev/assent/internal/cli.version=$(VERSION)'
CLI_PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
MODULES := $(patsubst %/,%,$(dir $(shell git ls-files go.mod '*/go.mod')))
# Tools are built once for each version of their module and of Go.
TOOLS := $(shell git hash-object hack/tools/go.mod | cut -c1-12)-$(shell $(GO) env GOVERSION)
CONTROLLER_GEN := $(BUILD)/tools-$(TOOLS)/controller-gen
GOLANGCI_LINT := $(BUILD)/tools-$(TOOLS)/golangci-lint
# The cluster's own kubectl where there is a local cluster, else the machine's.
KUBECTL ?= $(firstword $(wildcard $(DEVCLUSTER)/bin/kubectl) kubectl)

.PHONY: help
help: ## List the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

include hack/devcluster/devcluster.mk

##@ Running

.PHONY: demo
demo: ## Show the whole thing on a local cluster; DEMO=auto does every step by itself and exits
	@mkdir -p "$(BUILD)"
	@[ -x "$(BUILD)/demo" ] || echo "Compiling the demo; the first time this takes a minute."
	@$(GO) build -o "$(BUILD)/demo" ./hack/demo
	@exec "$(BUILD)/demo" --dir="$(DEVCLUSTER)"

.PHONY: build
build: ## Build the binary into bin/
	$(GO) build -trimpath -o bin/assent .

.PHONY: cli
cli: ## Build the kubectl plugin into bin/kubectl-assent
	$(GO) build $(CLI_FLAGS) -o bin/kubectl-assent ./cmd/kubectl-assent

.PHONY: cli-all
cli-all: ## Build the kubectl plugin for every platform: archives, checksums and a krew manifest in dist/
	@for platform in $(CLI_PLATFORMS); do \
	  echo "building kubectl-assent for $$platform"; \
	  GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) build $(CLI_FLAGS) -o "$(BUILD)/cli/$$platform" ./cmd/kubectl-assent; \
	done
	@$(GO) run ./hack/krew --version="$(VERSION)" --output="$(DIST)" \
	  $(foreach platform,$(CLI_PLATFORMS),--binary=$(platform)="$(BUILD)/cli/$(platform)")

.PHONY: install
install: ## Install CRDs, RBAC and guard into the current kubeconfig's cluster
	@KUBECTL="$(KUBECTL)" sh hack/install.sh apply

.PHONY: uninstall
uninstall: ## Remove them again, and with the CRDs every Release, Environment, Promotion and AuditRecord
	@KUBECTL="$(KUBECTL)" sh hack/install.sh delete

.PHONY: run
run: ## Run the operator on this machine, as its own service account, against the current kubeconfig's cluster
	@KUBECTL="$(KUBECTL)" sh hack/operator-kubeconfig.sh "$(BUILD)/operator.kubeconfig"
	$(GO) run . controller --kubeconfig="$(BUILD)/operator.kubeconfig" --cache-dir="$(BUILD)/cache"

.PHONY: image
image: ## Build the container image as an OCI layout in dist/image, without a container engine
	@for arch in amd64 arm64; do \
	  echo "building dist/assent-linux-$$arch"; \
	  GOOS=linux GOARCH=$$arch $(GO) build -trimpath -buildvcs=false -ldflags '-s -w' -o "$(DIST)/assent-linux-$$arch" .; \
	done
	@$(GO) run ./hack/image --version="$(VERSION)" --output="$(DIST)/image" \
	  --binary=amd64="$(DIST)/assent-linux-amd64" --binary=arm64="$(DIST)/assent-linux-arm64"

##@ Changing

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Generate deepcopy functions, CRDs and apply configurations
	@sh hack/generate.sh "$(CONTROLLER_GEN)" .

.PHONY: fmt
fmt: ## Format the code
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Lint the code and the API types
	@GOLANGCI_LINT="$(GOLANGCI_LINT)" MODULES="$(MODULES)" sh hack/lint.sh

.PHONY: lint-fix
lint-fix: $(GOLANGCI_LINT) ## Lint, and repair what can be repaired
	@GOLANGCI_LINT="$(GOLANGCI_LINT)" MODULES="$(MODULES)" sh hack/lint.sh --fix

.PHONY: verify
verify: $(CONTROLLER_GEN) $(GOLANGCI_LINT) ## Check that generated files are current, modules tidy and lint clean
	@CONTROLLER_GEN="$(CONTROLLER_GEN)" GOLANGCI_LINT="$(GOLANGCI_LINT)" MODULES="$(MODULES)" sh hack/verify.sh

##@ Testing

.PHONY: test
test: ## Everything a change must pass, with a cluster of its own
	@sh hack/test.sh

.PHONY: test-unit
test-unit: ## The tests that need no cluster
	@sh hack/test.sh unit

.PHONY: test-apps
test-apps: ## Promote, upgrade and roll back the applications in the folder APPS (APPS/APPLICATION/VERSION/…) on a local cluster
	@sh hack/test.sh apps "$(APPS)"

.PHONY: faults
faults: ## Try every fault at every write of a promotion: crashes, lost answers, conflicts, stale caches; takes about half an hour
	@sh hack/test.sh faults

.PHONY: mutation
mutation: ## Take each gate, permission check and rule of the guard out in turn, and look whether a test notices
	@sh hack/test.sh mutation

.PHONY: badinput
badinput: ## Generate thousands of inputs from the schemas, and look how the operator bears them
	@sh hack/test.sh badinput

.PHONY: bench
bench: ## Measure against a program that only writes, and against kubectl and Helm; BENCH passes flags, such as BENCH="--only B1,B2"
	$(GO) run ./test/bench $(BENCH)

FUZZTIME ?= 30s
.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (30s)
	@sh hack/fuzz.sh "$(FUZZTIME)"

.PHONY: clean
clean: ## Remove what was built, but not a local cluster
	rm -rf bin dist "$(BUILD)"

# A tool's binary is moved into place only when it is whole. The awk prints progress instead of 1,500 package names.
define build-tool
	@mkdir -p "$(@D)"
	@echo "building $(1): once, this takes a few minutes"
	@$(GO) -C hack/tools build -v -trimpath -o "$@.part" $(2) 2>&1 | \
	  awk '/[ #:]/ {print; next} ++n % 100 == 0 {print "  " n " packages compiled"; fflush()}'
	@mv "$@.part" "$@"
endef

$(CONTROLLER_GEN):
	$(call build-tool,controller-gen,sigs.k8s.io/controller-tools/cmd/controller-gen)

$(GOLANGCI_LINT):
	$(call build-tool,golangci-lint with kube-api-linter,sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter)
