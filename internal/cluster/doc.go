// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster reaches the clusters that Environments name as their targets: this one, and others by a kubeconfig in a Secret of the
// project.
//
//	Target ──no cluster──> the local Cluster
//	   └──kubeconfig──> Secret, read live ──Parse──> Connection ──> Cluster, shared by all who hold the same connection and credentials
//
// A kubeconfig is what a project's owner wrote, and is treated as such. It names no program and no file of the operator's machine, it
// impersonates nobody by itself, and it holds one cluster and one user ([Parse]). Its server may be any HTTPS address that the operator's
// network lets it reach: whoever wants less has to say so in a NetworkPolicy. What is sent there is the kubeconfig's own credentials and the
// rollout, and never anything of the operator's.
//
// What comes back is bounded. A request has a time limit, an answer a size, a redirect leads nowhere else than to the same server, and
// [time to wait] that the server asks for is not honoured for long. A cluster that cannot be reached is not asked again for a while
// ([RetryAfter]); until then everybody gets the same answer at once, and then one request tries for all.
//
// Every problem with reaching a cluster is an [*Error], also inside of what the clients of a [Cluster] return: see [Problem]. Such a problem
// is a reason to wait, not a failed rollout. It never shows anything that the Secret holds.
//
// [time to wait]: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
package cluster
