// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

// Package browser_test has people use the dashboard in a real browser, Chromium, against a real API server with the real operator. Everybody signs in with a token of
// their own, in a browser context of their own.
//
// A project has the application shop, its Releases shop-1.0.0 and shop-1.1.0, and the Environments staging and production. Bob asks, alice and carol decide, mallory may
// only look.
package browser_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-logr/logr/testr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard"
	"github.com/assent-dev/assent/test/cluster"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = time.Minute
	interval = 100 * time.Millisecond
)

var (
	connected *cluster.Cluster
	admin     client.Client
	// home is the dashboard's address, below a path prefix as behind a proxy.
	home string
	// chromium is the browser that everybody's contexts are of.
	chromium context.Context
)

func TestBrowser(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(interval)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	begin(ctx, t)
	operator, err := connected.BuildOperator(ctx, t.TempDir())
	check(t, err)
	check(t, operator.Start(ctx))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(operator.Log(0))
		}
		check(t, operator.Stop())
	})
	showDashboard(t)
	RunSpecs(t, "The dashboard in a browser")
}

// begin with a cluster that has Assent in it.
func begin(ctx context.Context, t *testing.T) {
	t.Helper()
	var err error
	connected, err = cluster.Connect()
	check(t, err)
	check(t, connected.Install(ctx))
	admin, err = connected.Client(cluster.Admin)
	check(t, err)
}

// showDashboard serves it without an identity of its own, and starts the browser.
func showDashboard(t *testing.T) {
	t.Helper()
	config, err := connected.Config(cluster.Admin) // its identity must not be used
	check(t, err)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	home = "http://" + listener.Addr().String() + "/delivery"
	served, err := dashboard.New(dashboard.Options{Address: listener.Addr().String(), ExternalURL: home, SignIn: "token", LogFormat: "text"}, config, clock.RealClock{}, testr.New(t))
	check(t, err)
	server := &http.Server{Handler: served, ReadHeaderTimeout: patience}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		served.Close()
	})
	start(t)
}

// start the browser.
func start(t *testing.T) {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program(t)), chromedp.NoSandbox, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.UserDataDir(t.TempDir()))
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	var end context.CancelFunc
	chromium, end = chromedp.NewContext(allocated)
	t.Cleanup(func() {
		end()
		stop()
	})
	if err := chromedp.Do(chromium); err != nil {
		t.Fatalf("starting Chromium: %v: `sh hack/packages.sh chromium` installs it", err)
	}
}

func program(t *testing.T) string {
	t.Helper()
	for _, path := range filepath.SplitList(os.Getenv("PATH")) {
		if found := filepath.Join(path, "chromium"); isFile(found) {
			return found
		}
	}
	t.Fatal("there is no Chromium: `sh hack/packages.sh chromium` installs it")
	return ""
}

func isFile(path string) bool {
	found, err := os.Stat(path)
	return err == nil && !found.IsDir()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tokenOf somebody whom the cluster knows.
func tokenOf(user string) string {
	GinkgoHelper()
	token, err := os.ReadFile(filepath.Join(connected.Dir(), "users", user+".token"))
	Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(string(token))
}

// promotionOf a project, as it is now.
func promotionOf(ctx context.Context, project, name string) *v1alpha1.Promotion {
	GinkgoHelper()
	promotion := &v1alpha1.Promotion{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: project, Name: name}, promotion)).To(Succeed())
	return promotion
}
