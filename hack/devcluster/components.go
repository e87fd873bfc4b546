// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
)

const (
	podRange     = "10.1.0.0/16"
	serviceRange = "10.0.0.0/24"
	// serviceAddress is the first of serviceRange: the API server's own inside the cluster.
	serviceAddress = "10.0.0.1"
)

// component is one program of the cluster.
type component struct {
	name      string
	arguments []string
}

// addresses are where the components of one cluster listen. Whatever else could listen is told not to.
type addresses struct {
	etcdPort      int
	apiServerPort int
}

// chooseAddresses finds free ones.
func chooseAddresses() (addresses, error) {
	ports, err := freePorts(2)
	if err != nil {
		return addresses{}, err
	}
	return addresses{etcdPort: ports[0], apiServerPort: ports[1]}, nil
}

func (a addresses) etcd() string { return "http://" + loopback + ":" + strconv.Itoa(a.etcdPort) }
func (a addresses) apiServer() string {
	return "https://" + loopback + ":" + strconv.Itoa(a.apiServerPort)
}

// etcd keeps the cluster's objects. It does not wait for the disk: nobody needs the objects after a power failure.
func etcd(d directory, a addresses) component {
	return component{"etcd", []string{
		"--data-dir=" + d.etcdData(),
		"--listen-client-urls=" + a.etcd(),
		"--advertise-client-urls=" + a.etcd(),
		// The only member has no peers: any port will do, and nobody has to know it.
		"--listen-peer-urls=http://" + loopback + ":0",
		"--unsafe-no-fsync",
		"--log-level=warn",
	}}
}

// apiServer serves with RBAC, with all admission plugins that are on by default, and with an audit log.
func apiServer(d directory, a addresses, trusted issuer) component {
	return component{"kube-apiserver", append([]string{
		"--etcd-servers=" + a.etcd(),
		"--bind-address=" + loopback,
		"--advertise-address=" + loopback,
		"--secure-port=" + strconv.Itoa(a.apiServerPort),
		// The address of a Service's endpoint must not be a loopback one, so there is nothing that could be written.
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=" + serviceRange,
		"--tls-cert-file=" + d.pki("apiserver.crt"),
		"--tls-private-key-file=" + d.pki("apiserver.key"),
		"--client-ca-file=" + d.pki("ca.crt"),
		"--token-auth-file=" + d.tokens(),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + d.pki("service-accounts.key"),
		"--service-account-signing-key-file=" + d.pki("service-accounts.key"),
		"--allow-privileged=true",
		"--audit-policy-file=" + d.auditPolicy(),
		"--audit-log-path=" + d.auditLog(),
		// Suites read the log from where it stood: it must not begin anew at the 100 MiB that are the default. In MiB.
		"--audit-log-maxsize=1000000",
		"--profiling=false",
	}, trusted.arguments(d)...)}
}

// controllerManager runs every controller that is on by default: without the one for the nodes' life cycle, for example, nodes
// keep the taint that they are born with, and no pod is ever scheduled.
func controllerManager(d directory) component {
	const name = "kube-controller-manager"
	return component{name, []string{
		"--kubeconfig=" + d.componentKubeconfig("system:"+name),
		"--secure-port=0",
		"--leader-elect=false",
		// Each controller acts as its own service account, as in any real cluster.
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + d.pki("service-accounts.key"),
		"--root-ca-file=" + d.pki("ca.crt"),
		"--cluster-signing-cert-file=" + d.pki("ca.crt"),
		"--cluster-signing-key-file=" + d.pki("ca.key"),
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
		"--profiling=false",
	}}
}

// scheduler assigns pods to the nodes.
func scheduler(d directory) component {
	const name = "kube-scheduler"
	return component{name, []string{
		"--kubeconfig=" + d.componentKubeconfig("system:"+name),
		"--secure-port=0",
		"--leader-elect=false",
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
		"--profiling=false",
	}}
}

// kwok plays the kubelets. It does not limit its own requests.
func kwok(d directory) component {
	return component{"kwok", []string{
		"--kubeconfig=" + d.componentKubeconfig("kwok"),
		"--config=" + d.kwokConfig(),
		"--manage-all-nodes=true",
		// Room for more pods than the default range, which is also that of the services.
		"--cidr=" + podRange,
		"--node-lease-duration-seconds=40",
		"--node-port=0",
	}}
}

// nodes are the names of the cluster's nodes.
func nodes() []string { return []string{"node-1", "node-2"} }

// nodeManifest describes a node that has room for anything.
func nodeManifest(name string) string {
	return fmt.Sprintf(`{
  "apiVersion": "v1",
  "kind": "Node",
  "metadata": {"name": %q, "labels": {"kubernetes.io/hostname": %q, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
  "status": {
    "capacity": {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti"},
    "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti"}
  }
}`, name, name)
}
