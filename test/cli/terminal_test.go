// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cli"
	"github.com/assent-dev/assent/test/cluster"
)

// heard is what was printed so far.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(text []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(text)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// openTerminal is a pseudo-terminal: what is written to keys is read from screen.
func openTerminal(t *testing.T) (keys, screen *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	return keys, screen
}

// testPlanChangesWhileAsked: alice is shown a plan, somebody changes the Environment's rules, and only then she says yes.
func testPlanChangesWhileAsked(t *testing.T, connected *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	project, err := newProject(ctx, connected)
	must(t, err)
	dir := t.TempDir()
	must(t, writeKubeconfigs(connected, dir, project))
	as := func(user string) string { return "--kubeconfig=" + filepath.Join(dir, user+".kubeconfig") }
	var bob heard
	quiet := genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &bob, ErrOut: &bob}
	if code := cli.Run(ctx, quiet, []string{"promote", "shop-1.0.0", "--to", "staging", as(cluster.Bob)}); code != 0 {
		t.Fatal(bob.String())
	}

	keys, screen := openTerminal(t)
	var alice heard
	ended := make(chan int, 1)
	go func() {
		streams := genericiooptions.IOStreams{In: screen, Out: &alice, ErrOut: &alice}
		ended <- cli.Run(ctx, streams, []string{"approve", "shop-1.0.0-staging", as(cluster.Alice)})
	}()
	if err := poll(ctx, func(context.Context) (bool, error) { return strings.Contains(alice.String(), "[y/N] "), nil }); err != nil {
		t.Fatalf("alice was not asked: %v; bob: %s; alice: %s", err, bob.String(), alice.String())
	}
	changePlan(ctx, t, connected, project)
	_, err = keys.WriteString("y\n")
	must(t, err)
	if code := <-ended; code != 1 {
		t.Errorf("the exit code is %d: %s", code, alice.String())
	}
	if want := `has changed since it was shown, and nothing was decided: look at the new one by`; !strings.Contains(alice.String(), want) || !strings.Contains(alice.String(), "(G7)") {
		t.Errorf("%q and the API server's reason are missing: %s", want, alice.String())
	}
	if left := promotion(ctx, t, connected, project); len(left.Spec.Approvals) != 0 {
		t.Errorf("something was decided: %+v", left.Spec.Approvals)
	}
}

func changePlan(ctx context.Context, t *testing.T, connected *cluster.Cluster, project string) {
	t.Helper()
	admin, err := connected.Client(cluster.Admin)
	must(t, err)
	before := promotion(ctx, t, connected, project).Status.Plan.Digest
	environment := &v1alpha1.Environment{}
	must(t, admin.Get(ctx, client.ObjectKey{Namespace: project, Name: "staging"}, environment))
	changed := environment.DeepCopy()
	changed.Spec.Overlay.Labels = map[string]string{"team": "shop"}
	must(t, admin.Patch(ctx, changed, client.MergeFrom(environment)))
	must(t, poll(ctx, func(ctx context.Context) (bool, error) {
		now := promotion(ctx, t, connected, project).Status.Plan.Digest
		return now != "" && now != before, nil
	}))
}

func promotion(ctx context.Context, t *testing.T, connected *cluster.Cluster, project string) *v1alpha1.Promotion {
	t.Helper()
	admin, err := connected.Client(cluster.Admin)
	must(t, err)
	found := &v1alpha1.Promotion{}
	must(t, admin.Get(ctx, client.ObjectKey{Namespace: project, Name: "shop-1.0.0-staging"}, found))
	return found
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
