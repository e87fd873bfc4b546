// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// localTimes are what a datetime-local input sends: a time without its zone.
var localTimes = []string{"2006-01-02T15:04", "2006-01-02T15:04:05"}

// farthest is how many seconds a zone is at most from UTC.
const farthest = 14 * 60 * 60

// start is the earliest start that a form asks for; zero for at once. A time without a zone is in that of `offset`, such as +02:00 or Z: nothing is guessed.
func start(at, offset string, now time.Time) (metav1.Time, error) {
	if at == "" {
		return metav1.Time{}, nil
	}
	moment, err := time.Parse(time.RFC3339, at)
	if err != nil {
		moment, err = local(at, offset)
	}
	if err != nil {
		return metav1.Time{}, err
	}
	if !moment.After(now) {
		return metav1.Time{}, invalid{"`at` must be a time that is still to come; leave it empty to start as soon as nothing else is waited for"}
	}
	return metav1.NewTime(moment.Truncate(time.Second)), nil
}

func local(at, offset string) (time.Time, error) {
	zone, err := time.Parse("Z07:00", offset)
	_, seconds := zone.Zone()
	wrong := invalid{"`at` must be a time such as 2031-03-10T20:00:00Z, or 2031-03-10T20:00 with `offset` as that of its zone from UTC, such as +02:00"}
	if err != nil || seconds > farthest || seconds < -farthest {
		return time.Time{}, wrong
	}
	for _, layout := range localTimes {
		if moment, err := time.Parse(layout+"Z07:00", at+offset); err == nil {
			return moment, nil
		}
	}
	return time.Time{}, wrong
}
