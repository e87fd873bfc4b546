// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/assent-dev/assent/internal/cluster"
)

// FuzzParse looks for text that is neither refused as it should be nor harmless.
func FuzzParse(f *testing.F) {
	f.Add(kubeconfig(server, token))
	f.Add(kubeconfig(server+", insecure-skip-tls-verify: true", token))
	f.Add(kubeconfig(server, "exec: {command: x}, as: x, tokenFile: x"))
	f.Add(kubeconfig("server: 'https://[::1]:443/a/b/'", token))
	f.Add(bomb())
	f.Fuzz(func(t *testing.T, content string) {
		connection, err := cluster.Parse([]byte(content), reference)
		if err != nil {
			var problem *cluster.Error
			if !errors.As(err, &problem) || problem.Reason != cluster.InvalidKubeconfig {
				t.Fatalf("refused with %#v", err)
			}
			return
		}
		config := connection.Config
		files := config.CAFile + config.CertFile + config.KeyFile + config.BearerTokenFile
		at, err := url.Parse(config.Host)
		switch {
		case err != nil, at.Scheme != "https", at.User != nil, strings.ContainsAny(config.Host, "?#"), config.Insecure, files != "":
			t.Errorf("connects in a way that it must not: %q, files %q", config.Host, files)
		case config.ExecProvider != nil, config.AuthProvider != nil, config.Proxy != nil, config.Impersonate.UserName != "", config.Username != "":
			t.Error("connects as somebody or through something that it must not")
		}
	})
}
