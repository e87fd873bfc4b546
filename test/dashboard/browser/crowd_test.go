// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// goalCrowd is how many applications the goals are set for, few how many there are where nobody asks for more, and stages how many each has.
	goalCrowd = 200
	few       = 10
	stages    = 10
	// watchers are who looks at the matrix at the same time.
	watchers = 50
	// firstPaint, onScreen, frame and firstView are the goals: time until something is seen, until a change is, between two frames while scrolling, for 95 of 100,
	// and how large the first view may be, in bytes.
	firstPaint = time.Second
	onScreen   = time.Second
	frame      = 50 * time.Millisecond
	firstView  = 200 << 10
	// changes that are made, one after the other.
	changes = 10
)

// TestTheMatrixOfManyIsQuick measures the matrix in the browser with many applications, written to a real API server as the operator would have written them. As part
// of all tests there are few, and what is looked at is what does not depend on the machine: how much is sent, and what the API server is asked. With
//
//	CROWD=200 go test -run Many -timeout 30m -v ./test/dashboard/browser
//
// there are 200 applications with 10 stages each, and the times are looked at, too. Nothing else should run on the machine meanwhile.
func TestTheMatrixOfManyIsQuick(t *testing.T) {
	RegisterTestingT(t)
	SetDefaultEventuallyTimeout(patience)
	size := few
	if wanted := os.Getenv("CROWD"); wanted != "" {
		var err error
		size, err = strconv.Atoi(wanted)
		check(t, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Minute)
	defer cancel()
	begin(ctx, t)
	c := newCrowd(ctx, t)
	began := time.Now()
	c.come(ctx, t, size)
	t.Logf("%d Environments of %d applications are there after %s", size*stages, size, time.Since(began).Round(time.Second))
	showDashboard(t)

	log, err := connected.Requests()
	check(t, err)
	open := c.watch(ctx, t)
	alice := visits(t, cluster.Alice)
	first := load(t, alice)
	t.Logf("first view: painted after %s; %d requests, %d KiB", first.painted.Round(time.Millisecond), first.requests, first.size>>10)
	if first.size > firstView {
		t.Errorf("the first view has %d bytes, more than %d", first.size, firstView)
	}

	reads := c.readsOf(t, log)
	t.Logf("%d viewers: %s", open+1, reads)
	if reads.lists > listed*pagesOf(size*stages) || reads.watches > listed {
		t.Errorf("%d viewers have cost %s: each of the three kinds is to be listed once and watched once", open+1, reads)
	}
	log, err = connected.Requests()
	check(t, err)
	shown := c.change(t, alice)
	t.Logf("a change is on the screen after %s (median of %d; %s to %s)", median(shown), len(shown), slices.Min(shown), slices.Max(shown))
	after := c.readsOf(t, log)
	t.Logf("meanwhile: %s", after)
	if after.lists+after.watches > 0 {
		t.Errorf("changes with %d viewers have cost %s", open+1, after)
	}
	frames := scroll(t, alice)
	t.Logf("while scrolling, 95 of 100 frames come within %s", frames)
	if size < goalCrowd {
		return
	}
	for _, goal := range []struct {
		what      string
		was, most time.Duration
	}{{"the first paint", first.painted, firstPaint}, {"a change on the screen", median(shown), onScreen}, {"a frame while scrolling", frames, frame}} {
		if goal.was > goal.most {
			t.Errorf("%s took %s: the goal is %s", goal.what, goal.was, goal.most)
		}
	}
}

// loaded is how a page came to be seen.
type loaded struct {
	painted        time.Duration
	size, requests int
}

// load the matrix with nothing in the browser's cache.
func load(t *testing.T, v *visitor) loaded {
	t.Helper()
	v.does(command(network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true}))
	v.opens("/matrix")
	Eventually(func() int { return v.has("tbody tr") }).Should(BeNumerically(">", 0))
	type entry struct {
		Paint          float64
		Size, Requests int
	}
	var found entry
	Eventually(func() float64 {
		found = evaluate[entry](v, `(() => {
			const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource").filter((e) => !e.name.includes("/live?"))];
			return {Paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0, Size: all.reduce((sum, e) => sum + e.transferSize, 0), Requests: all.length};
		})()`)
		return found.Paint
	}).Should(BeNumerically(">", 0))
	return loaded{time.Duration(found.Paint * float64(time.Millisecond)), found.Size, found.Requests}
}

// change what runs somewhere again and again, and return how long each took until it was on the screen: from before it is written until the page has it.
func (c *crowd) change(t *testing.T, v *visitor) []time.Duration {
	t.Helper()
	var took []time.Duration
	for number := range changes {
		environment := c.environments[number*7%len(c.environments)].DeepCopy()
		check(t, c.operator.Get(t.Context(), client.ObjectKeyFromObject(environment), environment))
		version := fmt.Sprintf("9.%d.0", number)
		environment.Status.Current.Version, environment.Status.Current.Release = version, cluster.Application+"-"+version
		evaluate[any](v, `(() => { window.seen = new Promise((done) => {
			const look = () => document.querySelector("main").textContent.includes(`+quoted(version)+`) && done(true);
			new MutationObserver(look).observe(document.querySelector("main"), {childList: true, subtree: true, characterData: true});
		}) })()`)
		began := time.Now()
		check(t, c.operator.Status().Update(t.Context(), environment))
		evaluate[bool](v, `window.seen`)
		took = append(took, time.Since(began).Round(time.Millisecond))
	}
	return took
}

// scroll through the page by a screen's tenth with each frame, and return within how long 95 of 100 frames come.
func scroll(t *testing.T, v *visitor) time.Duration {
	t.Helper()
	frames := evaluate[[]float64](v, `new Promise((done) => {
		const took = [];
		let last = performance.now();
		const step = (now) => {
			took.push(now - last);
			last = now;
			const before = scrollY;
			scrollBy(0, innerHeight / 10);
			if (took.length > 300 || (scrollY === before && took.length > 2)) done(took.slice(1));
			else requestAnimationFrame(step);
		};
		requestAnimationFrame(step);
	})`)
	slices.Sort(frames)
	return time.Duration(frames[len(frames)*95/100] * float64(time.Millisecond)).Round(time.Millisecond)
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// currentOf an Environment that the crowd is made of.
func currentOf(release, promotion string) v1alpha1.Deployment {
	return v1alpha1.Deployment{Release: cluster.Application + "-" + release, Version: release, Promotion: promotion}
}
