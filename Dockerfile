# Copyright The Assent Authors.
# SPDX-License-Identifier: Apache-2.0
#
# For machines with a container engine. `make image` builds the same without one.
ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
ENV GOCACHE=/cache/build GOMODCACHE=/cache/modules CGO_ENABLED=0 GOTOOLCHAIN=local
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache go mod download
COPY . .
ARG TARGETOS=linux
ARG TARGETARCH
RUN --mount=type=cache,target=/cache \
    GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -ldflags='-s -w' -o /assent .

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /assent /usr/local/bin/assent
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/assent"]
