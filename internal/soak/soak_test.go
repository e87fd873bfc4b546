// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package soak_test

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/soak"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// running is a Release that has been healthy since noon, and for so many seconds before.
func running(uid string, before int64) v1alpha1.SucceededRelease {
	return v1alpha1.SucceededRelease{Name: uid, UID: uid, HealthySinceTime: metav1.NewTime(noon), HealthySeconds: ptr.To(before)}
}

// stopped is a Release that has been healthy for so many seconds, and is not any more.
func stopped(uid string, seconds int64) v1alpha1.SucceededRelease {
	return v1alpha1.SucceededRelease{Name: uid, UID: uid, HealthySeconds: ptr.To(seconds)}
}

func TestAReleaseThatSucceedsAgainIsListedOnceAndKeepsItsTime(t *testing.T) {
	status := &v1alpha1.EnvironmentStatus{Releases: []v1alpha1.SucceededRelease{running("b", 10), stopped("a", 30)}}
	again := noon.Add(time.Minute)
	soak.Succeeded(status, v1alpha1.SucceededRelease{Name: "a", UID: "a", SucceededTime: metav1.NewTime(again)})
	want := []v1alpha1.SucceededRelease{
		{Name: "a", UID: "a", SucceededTime: metav1.NewTime(again), HealthySinceTime: metav1.NewTime(again), HealthySeconds: ptr.To[int64](30)},
		stopped("b", 70),
	}
	if !reflect.DeepEqual(status.Releases, want) {
		t.Errorf("got %+v, want %+v", status.Releases, want)
	}
}

func TestAClockThatStandsStillIsLeftAlone(t *testing.T) {
	never := v1alpha1.SucceededRelease{Name: "never", UID: "never"}
	status := &v1alpha1.EnvironmentStatus{Releases: []v1alpha1.SucceededRelease{stopped("a", 30), never}}
	soak.Stopped(status, noon.Add(time.Minute))
	if want := []v1alpha1.SucceededRelease{stopped("a", 30), never}; !reflect.DeepEqual(status.Releases, want) {
		t.Errorf("got %+v, want nothing that has to be written", status.Releases)
	}
}

func TestAClockIsResumedWhereItStandsStillAndGoesOnWhereItRuns(t *testing.T) {
	resumed := stopped("a", 30)
	resumed.HealthySinceTime = metav1.NewTime(noon.Add(time.Minute))
	for name, test := range map[string]struct {
		uid  string
		from v1alpha1.SucceededRelease
		want v1alpha1.SucceededRelease
	}{
		"it stands still":                 {"a", stopped("a", 30), resumed},
		"it runs":                         {"a", running("a", 30), running("a", 30)},
		"it is of a Release that is gone": {"b", stopped("a", 30), stopped("a", 30)},
	} {
		t.Run(name, func(t *testing.T) {
			status := &v1alpha1.EnvironmentStatus{Releases: []v1alpha1.SucceededRelease{test.from}}
			soak.Resumed(status, test.uid, noon.Add(time.Minute+time.Millisecond))
			if want := []v1alpha1.SucceededRelease{test.want}; !reflect.DeepEqual(status.Releases, want) {
				t.Errorf("got %+v, want %+v", status.Releases, want)
			}
		})
	}
}
