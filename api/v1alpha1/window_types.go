// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// WindowPolicy says when a rollout may start: inside of an allow window, if there are any, and outside of every freeze. It is judged at the start; a
// rollout that has started goes on.
//
// +kubebuilder:validation:MinProperties=1
type WindowPolicy struct {
	// allow names the windows that a rollout may start in. Default: any time.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Allow []Window `json:"allow,omitempty"`
	// freeze names the times in which no rollout starts, whatever `allow` says. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Freeze []Window `json:"freeze,omitempty"`
}

// Window is a span of time: one that recurs (`schedule`, `durationSeconds`, `timeZone`) or a fixed one (`startTime`, `endTime`).
//
// +kubebuilder:validation:ExactlyOneOf=schedule;startTime
// +kubebuilder:validation:XValidation:rule="has(self.schedule) == has(self.durationSeconds)",message="a window with a `schedule` needs `durationSeconds`, and one without must not have it"
// +kubebuilder:validation:XValidation:rule="!has(self.timeZone) || has(self.schedule)",message="`timeZone` is for windows with a `schedule`: `startTime` and `endTime` carry their own"
// +kubebuilder:validation:XValidation:rule="has(self.startTime) == has(self.endTime)",message="a window with a `startTime` needs an `endTime`, and one without must not have it"
// +kubebuilder:validation:XValidation:rule="!has(self.startTime) || !has(self.endTime) || self.startTime < self.endTime",message="`endTime` must be after `startTime`"
type Window struct {
	// schedule says when the window begins, as a cron expression of five fields (minute, hour, day of month, month, day of week), such as "0 9 * * 1-4".
	// A time that daylight saving skips begins the window when the clock has jumped; one that comes twice begins it the first time.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Schedule string `json:"schedule,omitempty"`
	// durationSeconds is how long the window lasts from its beginning on, in seconds that pass, whatever the clock on the wall does.
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31622400
	DurationSeconds int32 `json:"durationSeconds,omitempty"`
	// timeZone of the schedule by its IANA name, such as Europe/Zurich. Default: UTC.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	TimeZone string `json:"timeZone,omitempty"`
	// startTime of a fixed window.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('2000-01-01T00:00:00Z') && self < timestamp('9999-01-01T00:00:00Z')",message="must be a time from the year 2000 to the year 9998, such as 2026-03-01T09:00:00Z"
	StartTime metav1.Time `json:"startTime,omitempty,omitzero"`
	// endTime of a fixed window; the window ends right before it.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('2000-01-01T00:00:00Z') && self < timestamp('9999-01-01T00:00:00Z')",message="must be a time from the year 2000 to the year 9998, such as 2026-03-01T09:00:00Z"
	EndTime metav1.Time `json:"endTime,omitempty,omitzero"`
	// reason that is shown to those who wait.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`
}
