// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

type releaseCreate struct {
	*session
	waiting
	output *output
	dryRun string

	release   v1alpha1.Release
	images    []string
	bundle    []string
	inline    string
	notesFile string
	digest    string
	secret    string
}

func newReleaseCreate(s *session) *cobra.Command {
	r := &releaseCreate{session: s}
	cmd := &cobra.Command{
		Use:   "create [NAME] --application APPLICATION --version VERSION --oci|--git|--helm|--inline|--bundle …",
		Short: "Create a Release from flags and from what CI says about its run",
		Long: `Create a Release. Its name is APPLICATION-VERSION where none is given. The commit, the author, the branch and the link to the run come from the
environment of GitHub Actions, GitLab CI or Jenkins where no flag says otherwise. Elsewhere, as in Tekton, whose steps are told nothing of their run, set
ASSENT_BUILD_COMMIT, ASSENT_BUILD_URL, ASSENT_BUILD_AUTHOR and ASSENT_BUILD_BRANCH.

A tag of --oci is resolved to its digest once, by the operator; --digest pins it at once. Images of --image are pinned to the digest that their tag has now. With --wait the command ends when the content has been fetched, or cannot be.

It needs the right to create Releases, as the ClusterRole assent-releaser has it.`,
		Example: `  kubectl assent release create --application shop --version 1.1.0 --oci oci://registry.example.com/shop/manifests --tag 1.1.0 --wait
  kubectl assent release create --application shop --version 1.2.0 --git https://git.example.com/shop --commit 4f1c2d9e0b7a6853c1d2e3f405162738495a6b7c
  kubectl assent release create --application shop --version 1.0.1 --inline manifests.yaml`,
		Args: names(0, 1, "at most one Release"),
	}
	r.output = addOutput(cmd)
	r.addWait(cmd)
	r.sourceFlags(cmd)
	flags, spec := cmd.Flags(), &r.release.Spec
	flags.StringVar(&r.dryRun, "dry-run", "none", `"client" only prints what would be created, "server" has the API server look at it.`)
	flags.StringVar(&spec.Application, "application", "", "The application.")
	flags.StringVar(&spec.Version, "version", "", "Its version.")
	flags.StringArrayVar(&r.images, "image", nil, "An image to pin, as NAME=REGISTRY/IMAGE:TAG, NAME=REGISTRY/IMAGE@sha256:… or NAME@sha256:…; can be given several times. A tag is looked up in its registry.")
	flags.StringVar(&spec.Notes, "notes", "", "Notes for the people who decide, as Markdown.")
	flags.StringVar(&r.notesFile, "notes-file", "", "A file with the notes; - is the standard input.")
	flags.StringVar(&spec.Build.Commit, "build-commit", "", "The commit that was built.")
	flags.StringVar(&spec.Build.URL, "build-url", "", "The link to the CI run.")
	flags.StringVar(&spec.Build.Author, "build-author", "", "The author of the change.")
	flags.StringVar(&spec.Build.Branch, "build-branch", "", "The branch that was built.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := r.complete(cmd.Context(), args); err != nil {
			return misused(cmd, err)
		}
		return r.run(cmd.Context())
	}
	return cmd
}

func (r *releaseCreate) sourceFlags(cmd *cobra.Command) {
	flags, source := cmd.Flags(), &r.release.Spec.Source
	flags.StringVar(&source.OCI.URL, "oci", "", "An OCI artifact: oci://HOST/REPOSITORY; with --tag, --digest or both, and --path.")
	flags.StringVar(&source.OCI.Tag, "tag", "", "The tag of the artifact.")
	flags.StringVar(&r.digest, "digest", "", "The digest of the artifact or chart.")
	flags.StringVar(&source.Git.URL, "git", "", "A Git repository: https://HOST/PATH; with --commit, and --path.")
	flags.StringVar(&source.Git.Commit, "commit", "", "The full hash of the commit of --git.")
	flags.StringVar(&source.OCI.Path, "path", "", "The path in the artifact or repository.")
	flags.StringVar(&source.Helm.URL, "helm", "", "A chart: oci://HOST/REPOSITORY, or https://HOST/PATH with --chart; with --chart-version.")
	flags.StringVar(&source.Helm.Chart, "chart", "", "The chart's name in the repository of --helm.")
	flags.StringVar(&source.Helm.Version, "chart-version", "", "The chart's version; where none is given, that of the Release.")
	flags.StringVar(&r.inline, "inline", "", "A file with the manifests themselves; - is the standard input.")
	flags.StringSliceVar(&r.bundle, "bundle", nil, "Other Releases of the project that are delivered together.")
	flags.StringVar(&r.secret, "secret", "", "The Secret with the credentials for the source.")
}

// complete puts together what belongs together. Whether it is a whole Release is for the API server to say.
func (r *releaseCreate) complete(ctx context.Context, args []string) error {
	spec := &r.release.Spec
	if spec.Application == "" || spec.Version == "" {
		return fmt.Errorf("give --application and --version")
	}
	if r.dryRun != "none" && r.dryRun != "client" && r.dryRun != "server" {
		return fmt.Errorf("--dry-run must be none, client or server")
	}
	r.release.Name = spec.Application + "-" + spec.Version
	if len(args) == 1 {
		r.release.Name = args[0]
	}
	if err := r.completeSource(); err != nil {
		return err
	}
	for _, text := range r.images {
		image, err := r.pin(ctx, text)
		if err != nil {
			return err
		}
		spec.Images = append(spec.Images, image)
	}
	if r.notesFile != "" {
		notes, err := r.file(r.notesFile)
		if err != nil {
			return err
		}
		spec.Notes = notes
	}
	spec.Build = fromCI(spec.Build, os.Getenv)
	if advice := tektonAdvice(spec.Build, exists); advice != "" {
		r.say("%s", advice)
	}
	return nil
}

// completeSource moves the flags that sources share to the one that was chosen.
func (r *releaseCreate) completeSource() error {
	source := &r.release.Spec.Source
	path, reference := source.OCI.Path, v1alpha1.LocalReference{Name: r.secret}
	source.OCI.Path = ""
	chosen := 0
	if source.OCI.URL != "" {
		chosen++
		source.OCI.Path, source.OCI.Digest, source.OCI.SecretRef = path, v1alpha1.Digest(r.digest), reference
	}
	if source.Git.URL != "" {
		chosen++
		source.Git.Path, source.Git.SecretRef = path, reference
	}
	if source.Helm.URL != "" {
		chosen++
		if source.Helm.Version == "" {
			source.Helm.Version = r.release.Spec.Version
		}
		source.Helm.Digest, source.Helm.SecretRef = v1alpha1.Digest(r.digest), reference
	}
	if r.inline != "" {
		chosen++
		text, err := r.file(r.inline)
		if err != nil {
			return err
		}
		source.Inline = text
	}
	if len(r.bundle) > 0 {
		chosen++
		for _, name := range r.bundle {
			source.Bundle = append(source.Bundle, v1alpha1.BundledRelease{Name: name})
		}
	}
	if chosen != 1 {
		return fmt.Errorf("say where the manifests are, by one of --oci, --git, --helm, --inline and --bundle")
	}
	return nil
}

func (r *releaseCreate) file(name string) (string, error) {
	if name == "-" {
		text, err := io.ReadAll(r.In)
		return string(text), err
	}
	text, err := os.ReadFile(name) //nolint:gosec // the file that whoever runs this has named
	return string(text), err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (r *releaseCreate) run(ctx context.Context) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	r.release.Namespace = c.project
	options := []client.CreateOption{client.FieldOwner(v1alpha1.FieldManager)}
	switch r.dryRun {
	case "client":
		return r.print(c, "would be created")
	case "server":
		options = append(options, client.DryRunAll)
	}
	if err := c.Create(ctx, &r.release, options...); err != nil {
		return err
	}
	if r.dryRun == "server" {
		return r.print(c, "would be created, the API server says")
	}
	if !r.wait {
		return r.print(c, "created")
	}
	r.say("release.assent.dev/%s created", r.release.Name)
	failed := r.awaitReady(ctx, c)
	if r.output.forPeople() {
		return failed
	}
	return errors.Join(r.output.print(r.Out, c.scheme, &r.release), failed)
}

func (r *releaseCreate) print(c *connection, done string) error {
	if r.output.forPeople() {
		fmt.Fprintf(r.Out, "release.assent.dev/%s %s\n", r.release.Name, done)
		return nil
	}
	return r.output.print(r.Out, c.scheme, &r.release)
}

// awaitReady waits until the content has been fetched, or never can be.
func (r *releaseCreate) awaitReady(ctx context.Context, c *connection) error {
	const interval = 500 * time.Millisecond
	told := ""
	err := wait.PollUntilContextTimeout(ctx, interval, r.timeout, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(&r.release), &r.release); err != nil {
			return false, err
		}
		ready := meta.FindStatusCondition(r.release.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil {
			return false, nil
		}
		if line := ready.Reason + ": " + ready.Message; line != told {
			told = line
			r.say("%s", line)
		}
		final := ready.Reason == v1alpha1.ReasonInvalidSource || ready.Reason == v1alpha1.ReasonDigestMismatch || ready.Reason == v1alpha1.ReasonBlockedRelease
		if final {
			return false, &ending{exitEnded, fmt.Errorf("release %q can never be promoted: %s", r.release.Name, ready.Message)}
		}
		return ready.Status == metav1.ConditionTrue, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return &ending{exitTimedOut, fmt.Errorf("release %q is not ready within %s; it is tried again by itself: %s", r.release.Name, r.timeout, told)}
	}
	return err
}
