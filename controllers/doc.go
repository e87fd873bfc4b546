// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers brings what people decided to the cluster. A reconciler observes, lets a pure package decide, acts,
// and records: every read is in a file named observe, every write to the world in one named act.
//
// One promotion's way through here: promotion_controller.go, promotion_observe.go (with planner.go for the plan and
// promotion_prove.go for the live reads), internal/promotion, promotion_act.go (with ledger.go for the history and settle.go for
// the Environment), promotion_record.go.
package controllers
