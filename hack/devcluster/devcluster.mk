# The local cluster: a real Kubernetes control plane on this machine, with nothing but Go installed.
# DEVCLUSTER is its directory; clusters with different directories run side by side.
DEVCLUSTER ?= $(CURDIR)/.devcluster

.PHONY: cluster-build cluster-up cluster-down

cluster-build: ## Build the local cluster's binaries, once; takes about 12 minutes the first time
	cd hack/devcluster && CGO_ENABLED=0 go run . build

# For an OIDC issuer: make cluster-up CLUSTER_FLAGS="--oidc-issuer https://… --oidc-client-id ID --oidc-ca /path/to/ca.crt"
cluster-up: ## Start the local cluster in .devcluster (or DEVCLUSTER=DIR) and wait until it is ready
	cd hack/devcluster && CGO_ENABLED=0 go run . up --dir "$(abspath $(DEVCLUSTER))" $(CLUSTER_FLAGS)

cluster-down: ## Stop the local cluster in .devcluster (or DEVCLUSTER=DIR) and remove its data
	cd hack/devcluster && CGO_ENABLED=0 go run . down --dir "$(abspath $(DEVCLUSTER))"
