// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// client asks the API server the few things that tell whether a cluster is ready.
type client struct {
	server string
	http   *http.Client
}

// newClient returns a client that is the administrator.
func newClient(d directory, server string) (*client, error) {
	authority, err := os.ReadFile(d.pki("ca.crt"))
	if err != nil {
		return nil, err
	}
	identity, err := tls.LoadX509KeyPair(d.pki("admin.crt"), d.pki("admin.key"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, errors.New("the cluster's authority has no certificate")
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{identity}, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	return &client{server: server, http: &http.Client{Transport: transport, Timeout: 5 * time.Second}}, nil
}

// do sends a request and decodes the answer into result, unless that is nil.
func (c *client) do(ctx context.Context, method, path, body string, result any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(content)))
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(content, result)
}

// ready says whether the API server has finished starting.
func (c *client) ready(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/readyz", "", nil)
}

// createNodes creates the nodes for kwok to play.
func (c *client) createNodes(ctx context.Context) error {
	for _, name := range nodes() {
		if err := c.do(ctx, http.MethodPost, "/api/v1/nodes", nodeManifest(name), nil); err != nil {
			return fmt.Errorf("creating node %q: %w", name, err)
		}
	}
	return nil
}

// nodesReady says whether pods can be scheduled to every node.
func (c *client) nodesReady(ctx context.Context) error {
	for _, name := range nodes() {
		var node struct {
			Spec struct {
				Taints []struct{ Key string }
			}
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
		if err := c.do(ctx, http.MethodGet, "/api/v1/nodes/"+name, "", &node); err != nil {
			return err
		}
		ready := false
		for _, condition := range node.Status.Conditions {
			ready = ready || condition.Type == "Ready" && condition.Status == "True"
		}
		if !ready {
			return fmt.Errorf("node %q is not ready", name)
		}
		if len(node.Spec.Taints) > 0 {
			return fmt.Errorf("node %q has the taint %q", name, node.Spec.Taints[0].Key)
		}
	}
	return nil
}

// serviceAccountReady says whether pods can be created in the namespace `default`.
func (c *client) serviceAccountReady(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/api/v1/namespaces/default/serviceaccounts/default", "", nil)
}
