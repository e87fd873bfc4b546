// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// keptVariable is the environment variable that names a file, for who judges hundreds of changed guards and cannot install everything anew for
// each. The first run, which finds no such file, leaves the cluster as its tests needed it, and writes the names of what it has made. The runs
// after it find all that, and install and put back nothing: the guard is as somebody else has left it.
const keptVariable = "ASSENT_GUARD_KEPT"

// namesOfTheWorld are what a run leaves to the next.
type namesOfTheWorld struct {
	Project, Rival            string
	Target, Elsewhere, Locked v1alpha1.Target
}

// kept says that a run before this one has prepared everything.
func (w *world) kept() bool {
	file := os.Getenv(keptVariable)
	if file == "" || w.first {
		return false
	}
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// keeps says that this is one of those runs, whose tests leave behind what a changed guard has let them.
func (w *world) keeps() bool {
	return os.Getenv(keptVariable) != ""
}

// keep writes down what the next run finds.
func (w *world) keep() {
	GinkgoHelper()
	w.first = true
	if !w.keeps() {
		return
	}
	content, err := json.Marshal(namesOfTheWorld{w.project.Name, w.rival.Name, w.target, w.elsewhere, w.locked})
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(os.Getenv(keptVariable), content, 0o600)).To(Succeed())
}

// resume finds what the run before this one has made.
func (w *world) resume(ctx context.Context) {
	GinkgoHelper()
	content, err := os.ReadFile(os.Getenv(keptVariable))
	Expect(err).NotTo(HaveOccurred())
	var names namesOfTheWorld
	Expect(json.Unmarshal(content, &names)).To(Succeed())
	w.target, w.elsewhere, w.locked = names.Target, names.Elsewhere, names.Locked
	w.project, err = w.cluster.ProjectNamed(names.Project)
	Expect(err).NotTo(HaveOccurred())
	w.rival, err = w.cluster.ProjectNamed(names.Rival)
	Expect(err).NotTo(HaveOccurred())
	w.enter(ctx)
	w.enterLocked(ctx)
	// The records of the runs before are still there.
	w.sequence = rand.Int63nRange(1, 9_000_000_000)
}

// install puts everything in force that is shipped, unless somebody has changed the guard on purpose.
func (w *world) install(ctx context.Context) {
	GinkgoHelper()
	if !w.kept() {
		Expect(w.cluster.Install(ctx)).To(Succeed())
	}
}

// putBack is install for tests that have changed something; the first of the runs that are kept leaves it changed for the others.
func (w *world) putBack(ctx context.Context) {
	GinkgoHelper()
	if !w.keeps() {
		w.install(ctx)
	}
}

// ordinal labels the first way of an attack.
func ordinal(i int) string {
	if i == 0 {
		return "first"
	}
	return "more"
}
