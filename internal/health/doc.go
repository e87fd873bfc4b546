// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package health tells when the objects of a rollout have become healthy, by watching them, and why they have not, down to the pod's reason.
//
// While a rollout runs, each kind of its objects is watched in one of three ways:
//
//	not at all     healthy once applied: configuration, and what an application does not depend on to start (Ingress,
//	               HorizontalPodAutoscaler, PersistentVolumeClaim; a claim that is missing shows in the pods that wait for it)
//	as the operator   workloads, and the replica sets and pods that they consist of; one watch for a kind and namespace, shared by all rollouts there
//	as the deployer   custom resources, which the operator itself may not read
//
// kstatus judges what is seen, with three differences. An observation counts only for the object that was applied (its UID) as it was
// applied (its generation). A Job is healthy when it is complete, and not while it runs. A failure that an object shows when it is first
// seen may be that of an earlier rollout, and is final only when it is set anew.
//
// Nothing is asked on a timer. A promotion is told that something has changed, once, until it asks for the Report.
package health
