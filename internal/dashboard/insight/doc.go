// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package insight makes delivery figures of what has happened. It is pure: it is given audit records and the time, and returns numbers, each with how many
// events it rests on.
//
//	records by Environment, in the order of their sequence ──► rollouts: Intent to outcome
//	                                                             │
//	             rollouts ──► incidents: from a failure to what ends it ──► events of each figure ──► measures, of a period and of the one before it
//
// The first four figures are named after those of DORA (https://dora.dev/guides/dora-metrics-four-keys/), which speaks of production. So where no stage is
// chosen, the figures are those of the last stages: of Environments that no other one of the application names in `after`. They differ from DORA's where
// the records of Assent, which begins with the artifact, know less:
//
//   - Deployment frequency: rollouts that have succeeded, of Promotions of type Promote, for each week. A rollback brings no change, and does not count.
//   - Lead time: from the creation of a Release to its first success in an Environment. DORA's begins with the commit, of which Assent knows no time: the build
//     comes on top. A Release that is not there any more has no time of creation, and its success does not count; such are counted as Missing. Promoting the
//     same Release again does not count.
//   - Change failure rate: of rollouts of type Promote that have succeeded, failed or gone back by themselves, the share that has failed, has gone back, or has
//     succeeded and was followed by a rollback that started within [Soon]. DORA asks for changes that needed people's intervention, a hotfix among them; a
//     fix that was rolled out forward looks like any other change here, so the true rate may be higher. A rollout that was cancelled counts for neither: the
//     records do not say whether it was bad. Nor does one that has ended without an intent: nothing was applied.
//   - Time to restore: from a failure to the next success in the same Environment. A failure begins with the record Failed, or with the request for a
//     rollback within [Soon] of a success (its start, where the Promotion is not there any more). A rollout that has gone back by itself (RolledBack) restores
//     what ran before: it takes from its start, since nobody knows when it became bad, to its end, and so at most that. Failures before the first of them is
//     restored are one incident. DORA calls this failed deployment recovery time; what fails without a rollout is not in the records. Incidents that nothing
//     has ended yet are counted as Open, and are in no time.
//
// Two more are about decisions:
//
//   - Time to approve: from the request to the last approval that counted when the rollout started, as the operator first saw it. When it was enough the
//     records do not say, so it is at most that; approvals that a new plan has voided do not count. The time of a request is known while the Promotion is there;
//     others are counted as Missing. What started without approvals, or in spite of missing ones, does not count.
//   - Override rate: of all rollouts that have started, rollbacks too, the share that an override has opened gates for.
//
// A time is said as a median and as what nine of ten did not exceed, by nearest rank. Below [Enough] events a share or a time says nothing, and none is given; a
// frequency needs six days, or the whole period if that is shorter. The time before the first record and the first Environment does not count for it, nor what is
// left of today. Days are those of UTC.
//
// The order within an Environment is that of the sequence, whatever clocks say; a span that would be below zero because two clocks differ is zero, and what is
// said to be in the future is taken as now.
package insight
