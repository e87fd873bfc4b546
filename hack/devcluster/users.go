// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"fmt"
	"os"
)

// user is somebody whom the API server knows by a client certificate.
type user struct {
	name   string
	groups []string
}

// administrator may do everything; the kubeconfig of the cluster is the administrator's.
var administrator = user{"admin", []string{"system:masters"}}

// people are the users who get a kubeconfig of their own. Apart from the administrator none of them may do anything until RBAC says so.
func people() []user {
	return []user{
		administrator,
		{"alice", []string{"shop-owners"}},
		{"carol", []string{"shop-owners"}},
		{"bob", []string{"developers"}},
		{"dave", []string{"security"}},
		{"mallory", nil},
	}
}

// componentUsers are the identities of the components that talk to the API server. The names of the first two are those
// that Kubernetes grants the components' rights to.
func componentUsers() []user {
	return []user{
		{"system:kube-controller-manager", nil},
		{"system:kube-scheduler", nil},
		{"kwok", []string{"system:masters"}},
	}
}

const kubeconfigTemplate = `apiVersion: v1
kind: Config
current-context: devcluster
clusters:
- name: devcluster
  cluster:
    server: %s
    certificate-authority-data: %s
contexts:
- name: devcluster
  context:
    cluster: devcluster
    user: %s
users:
- name: %s
  user:
    client-certificate-data: %s
    client-key-data: %s
`

// writeKubeconfig writes a file by which its holder is that user, with nothing outside the file needed.
func writeKubeconfig(path, server string, ca *authority, u user) error {
	pair, err := ca.client(u.name, u.groups)
	if err != nil {
		return err
	}
	encode := base64.StdEncoding.EncodeToString
	content := fmt.Sprintf(kubeconfigTemplate, server, encode(ca.keyPair.certificate), u.name, u.name, encode(pair.certificate), encode(pair.key))
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig of %q: %w", u.name, err)
	}
	return nil
}
