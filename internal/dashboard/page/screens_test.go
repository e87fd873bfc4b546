// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/insight"
)

// screens is where the pictures of pages are, with the digests of what each shows.
const (
	screens = "../../../docs/dashboard"
	digests = screens + "/SCREENS"
)

// takeScreens takes them anew, with Chromium: go test ./internal/dashboard/page -run Screen -screens
var takeScreens = flag.Bool("screens", false, "take the pictures of pages in docs/dashboard anew")

// CheckScreen fails where the picture of a page in the docs does not show what the page is now, styles included.
func CheckScreen(t *testing.T, name string, c Context, view View) {
	t.Helper()
	document, err := c.Document(view, "", "/assets")
	if err != nil {
		t.Fatal(err)
	}
	sheet := stylesOf(t)
	sum := sha256.Sum256(append(slices.Clone(document), sheet...))
	line := hex.EncodeToString(sum[:]) + "  " + name
	if *takeScreens {
		takeScreen(t, name, document, sheet)
		write(t, name, line)
	}
	known, err := os.ReadFile(digests)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Split(string(known), "\n"), line) {
		t.Errorf("the picture of %q in docs/dashboard is not what the page shows now: take it again by `go test ./internal/dashboard/page -run Screen -screens`, and look at it", name)
	}
	for _, scheme := range []string{"light", "dark"} {
		if _, err := os.Stat(filepath.Join(screens, name+"-"+scheme+".png")); err != nil {
			t.Error(err)
		}
	}
}

func stylesOf(t *testing.T) []byte {
	t.Helper()
	names, err := filepath.Glob("../assets/css/*.css")
	if err != nil || len(names) == 0 {
		t.Fatalf("styles %v: %v", names, err)
	}
	var sheet bytes.Buffer
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sheet.Write(content)
	}
	return sheet.Bytes()
}

// takeScreen by Chromium, without scripts: times are in UTC then, and the same each time.
func takeScreen(t *testing.T, name string, document, sheet []byte) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) })
	mux.HandleFunc("GET /assets/app.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		_, _ = w.Write(sheet)
	})
	mux.Handle("GET /assets/icon.svg", http.StripPrefix("/assets", http.FileServer(http.Dir("../assets"))))
	site := httptest.NewServer(mux)
	defer site.Close()
	for scheme, setting := range map[string]string{"light": "1", "dark": "0"} {
		to, err := filepath.Abs(filepath.Join(screens, name+"-"+scheme+".png"))
		if err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(t.Context(), "chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,960",
			"--blink-settings=preferredColorScheme="+setting, "--user-data-dir="+t.TempDir(), "--screenshot="+to, site.URL)
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
}

// write the line of a page in the place of its last one.
func write(t *testing.T, name, line string) {
	t.Helper()
	known, err := os.ReadFile(digests)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(known)), "\n"), func(l string) bool { return l == "" || strings.HasSuffix(l, "  "+name) })
	lines = append(lines, line)
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	if err := os.WriteFile(digests, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestScreensAreCurrent(t *testing.T) {
	c, world := viewer(), everything()
	environments, releases, history, requests := delivered()
	projects := []string{"payments", "shop"}
	for name, make := range map[string]func() (View, error){
		"matrix": func() (View, error) { return Matrix(c, world, MatrixFilter{}) },
		"inbox": func() (View, error) {
			return Inbox(c, world, []*v1alpha1.Promotion{waits(world.Environments[2], "2.1.0", 5*time.Hour, blockedBy(v1alpha1.GateWindow, "a freeze lasts", monday)), waits(world.Environments[8], "1.4.0", time.Hour)})
		},
		"release": func() (View, error) { return Release(c, candidate()) },
		"audit": func() (View, error) {
			return Audit(c, AuditSeen{Filter: AuditFilter{Page: 1}, Environments: environments, Projects: projects, Records: history.records})
		},
		"insight": func() (View, error) {
			return Insight(c, InsightSeen{Scope: insight.Scope{Days: 30}, Environments: environments, Releases: releases, Projects: projects, Requests: requests, Records: history.records})
		},
		"signin": func() (View, error) {
			c := Context{Base: c.Base, Now: c.Now}
			return SignIn(c, SignInOffer{Provider: "Example", Token: true, Return: c.Path("matrix")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			view, err := make()
			if err == nil && name != "signin" {
				view, err = view.InFrame(c, world, 2)
			}
			if err != nil {
				t.Fatal(err)
			}
			who := c
			if name == "signin" {
				who.Me = v1alpha1.Person{}
			}
			CheckScreen(t, name, who, view)
		})
	}
}
