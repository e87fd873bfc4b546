// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// shopReleases of some versions, each an hour younger than the one before.
func shopReleases(versions ...string) []*v1alpha1.Release {
	var all []*v1alpha1.Release
	for i, version := range versions {
		all = append(all, &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Name: "shop-" + version, Namespace: "shop", CreationTimestamp: metav1.NewTime(friday.Add(time.Duration(i) * time.Hour))},
			Spec:       v1alpha1.ReleaseSpec{Application: "shop", Version: version},
		})
	}
	return all
}

func TestNotesAreRolledUpSinceWhatRuns(t *testing.T) {
	semantic := []string{"1.9.0", "1.10.0", "1.11.0-rc.1", "1.11.0", "1.10.1", "2.0.0"}
	for name, each := range map[string]struct {
		versions    []string
		runs, asked string
		want        string
		back        bool
	}{
		"all that is newer than what runs, the newest first":    {semantic, "1.9.0", "1.11.0", "1.11.0 1.11.0-rc.1 1.10.1 1.10.0", false},
		"what is newer than what is asked for is no part of it": {semantic, "1.10.0", "1.10.1", "1.10.1", false},
		"nothing runs yet":                      {semantic, "", "1.11.0", "1.11.0", false},
		"it runs already":                       {semantic, "1.11.0", "1.11.0", "1.11.0", false},
		"what runs is gone":                     {semantic, "0.9.0", "1.11.0", "1.11.0", false},
		"going back takes back what came since": {semantic, "1.11.0", "1.10.0", "1.11.0 1.11.0-rc.1 1.10.1 1.10.0", true},
		"versions that are not semantic count by when they came":  {[]string{"spring", "april", "summer"}, "spring", "summer", "summer april", false},
		"an older one of such versions is a way back":             {[]string{"spring", "april", "summer"}, "summer", "spring", "summer april spring", true},
		"two releases of one version count by when they came too": {[]string{"1.0.0", "1.0.0+b", "1.0.0+a"}, "1.0.0", "1.0.0+a", "1.0.0+a 1.0.0+b", false},
	} {
		t.Run(name, func(t *testing.T) {
			all := shopReleases(each.versions...)
			other := shopReleases("1.9.5")[0]
			other.Spec.Application = "stock"
			var asked *v1alpha1.Release
			for _, one := range all {
				if one.Spec.Version == each.asked {
					asked = one
				}
			}
			runs := v1alpha1.Deployment{}
			if each.runs != "" {
				runs = v1alpha1.Deployment{Release: "shop-" + each.runs, Version: each.runs}
			}
			found, back := rolledUp(append(all, other), asked, runs)
			var got []string
			for _, one := range found {
				got = append(got, one.Spec.Version)
			}
			if strings.Join(got, " ") != each.want || back != each.back {
				t.Errorf("they are %q (back: %v), and not %q", got, back, each.want)
			}
		})
	}
}

func TestALinkGoesToTheWebAlone(t *testing.T) {
	for address, want := range map[string]string{
		"https://ci.example.com/runs/1?x=y": "https://ci.example.com/runs/1?x=y", "http://ci": "http://ci", "HTTPS://CI.example": "https://CI.example",
		"javascript:alert(1)": "", "\x20javascript:alert(1)": "", "java\nscript:alert(1)": "", "data:text/html,x": "", "//evil.example": "", "/runs/1": "", "https:": "",
		"https:alert(1)": "", "ftp://a": "", "": "", "https://%zz": "", "vbscript:x": "", "file:///etc/passwd": "",
	} {
		if got := webAddress(address); got != want {
			t.Errorf("%q is %q, and not %q", address, got, want)
		}
	}
}

func TestMomentsOfWhichNobodyKnowsTheTimeStayWhereTheyAre(t *testing.T) {
	at := func(hour int) time.Time { return friday.Add(time.Duration(hour) * time.Hour) }
	sorted := inTime([]momentShown{{At: at(1), Text: "a"}, {Text: "b"}, {At: at(5), Text: "e"}, {Text: "f"}, {At: at(3), Text: "d"}, {At: at(1), Text: "c"}})
	got := ""
	for _, moment := range sorted {
		got += moment.Text
	}
	if got != "abcdef" {
		t.Errorf("they are in the order %s", got)
	}
}
