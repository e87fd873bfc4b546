// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// preview is where pages of the fixture are written for people to look at: go test ./internal/dashboard/page -run Preview -preview /somewhere
var preview = flag.String("preview", "", "write pages of the fixture into this folder, to be looked at in a browser")

func TestAPreviewOfEachPageCanBeLookedAt(t *testing.T) {
	into := *preview
	if into == "" {
		into = t.TempDir()
	} else {
		defer func(at time.Time) { friday = at }(friday)
		friday = time.Now()
	}
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(into, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(into, "assets")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(into, "assets"), os.DirFS("../assets")); err != nil {
		t.Fatal(err)
	}
	styles, err := filepath.Glob("../assets/css/*.css")
	if err != nil || len(styles) == 0 {
		t.Fatalf("styles %v: %v", styles, err)
	}
	var all []byte
	for _, name := range styles {
		css, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, css...)
	}
	write("assets/app.css", all)
	c, world := viewer(), everything()
	views := map[string]func() (View, error){
		"matrix": func() (View, error) { return Matrix(c, world, MatrixFilter{}) },
		"large":  func() (View, error) { return Matrix(c, large(200), MatrixFilter{}) },
		"stale": func() (View, error) {
			stale := *world
			stale.Stale = "The API server has not answered for 2 minutes. What you see may be out of date."
			view, err := Matrix(c, &stale, MatrixFilter{Text: "nothing of the kind"})
			if err == nil {
				view, err = view.InFrame(c, &stale, 0)
			}
			return view, err
		},
		"inbox": func() (View, error) {
			return Inbox(c, world, []*v1alpha1.Promotion{
				waits(world.Environments[2], "2.1.0", 5*time.Hour, blockedBy(v1alpha1.GateWindow, "a freeze lasts", monday)),
				waits(world.Environments[8], "1.4.0", time.Hour),
				waits(world.Environments[11], "0.9.0", 10*time.Minute, func(p *v1alpha1.Promotion) { p.Spec.Type, p.Spec.Reason = v1alpha1.PromotionTypeRollback, "" }),
			})
		},
		"inbox-empty": func() (View, error) { return Inbox(c, world, nil) },
		"problem": func() (View, error) {
			return Problem(c, 403, "This promotion cannot be approved by you", `promotions.assent.dev "cart-1.4.0-production" is forbidden: needs the verb "approve"`, "Ask whoever administers the project.", "")
		},
	}
	for name, make := range views {
		view, err := make()
		if err == nil && name != "stale" {
			view, err = view.InFrame(c, world, 3)
		}
		if err != nil {
			t.Fatal(err)
		}
		view = view.MayPromote([]Place{{"shop", "cart-staging"}, {"shop", "cart-production"}})
		document, err := c.Document(view, "/"+name, "assets")
		if err != nil {
			t.Fatal(err)
		}
		write(name+".html", document)
	}
}
