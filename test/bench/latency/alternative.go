// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package latency

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/assent-dev/assent/test/bench/measure"
	"github.com/assent-dev/assent/test/bench/scene"
	"github.com/assent-dev/assent/test/cluster"
)

// alternative is what one would use instead: a command that is given by somebody who has the deployer's own token. See test/bench/alternatives.
type alternative struct {
	scene *scene.Scene
	name  measure.Contender
	// command of the binary, and how it wants to have the manifests.
	command string
	write   func(dir string, v version) (path string, err error)
	binary  string
}

// alternatives builds their binary.
func alternatives(ctx context.Context, s *scene.Scene) ([]contestant, error) {
	s.Say("building kubectl and Helm; the first time this takes some minutes")
	binary := filepath.Join(s.Dir, "alternatives")
	build := exec.CommandContext(ctx, "go", "-C", filepath.Join(s.Root, "test", "bench", "alternatives"), "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building kubectl and Helm: %w: %s", err, output)
	}
	return []contestant{
		&alternative{scene: s, name: measure.Kubectl, command: "kubectl", write: file, binary: binary},
		&alternative{scene: s, name: measure.Helm, command: "helm", write: chart, binary: binary},
	}, nil
}

// file with the manifests.
func file(dir string, v version) (string, error) {
	path := filepath.Join(dir, "all.yaml")
	return path, os.WriteFile(path, []byte(v.manifests), 0o600)
}

// chart with the manifests as its only template.
func chart(dir string, v version) (string, error) {
	templates := filepath.Join(dir, "templates")
	return dir, errors.Join(
		os.MkdirAll(templates, 0o700),
		os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte("apiVersion: v2\nname: shop\nversion: 1.0.0\n"), 0o600),
		os.WriteFile(filepath.Join(templates, "all.yaml"), []byte(v.manifests), 0o600),
	)
}

func (a *alternative) contender() measure.Contender { return a.name }

func (a *alternative) place(ctx context.Context) (*scene.Place, error) {
	place, err := a.scene.Bare(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.let(ctx, place); err != nil {
		return nil, err
	}
	config, err := a.scene.Cluster.ServiceAccountConfig(ctx, place.Target.Namespace, place.Target.ServiceAccountName)
	if err != nil {
		return nil, err
	}
	return place, writeKubeconfig(a.path(place, "kubeconfig"), config)
}

// let the deployer see everything in the target: Helm waits for ever for what it may not watch, such as ReplicaSets.
func (a *alternative) let(ctx context.Context, place *scene.Place) error {
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "sees", Namespace: place.Target.Namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: place.Target.Namespace, Name: place.Target.ServiceAccountName}},
	}
	if err := a.scene.As(cluster.Admin).Create(ctx, binding); err != nil {
		return fmt.Errorf("letting the deployer see: %w", err)
	}
	return nil
}

func (a *alternative) leave(ctx context.Context, _ *scene.Place) error {
	return a.scene.Rest(ctx)
}

// path of a file that belongs to a place.
func (a *alternative) path(place *scene.Place, name string) string {
	return filepath.Join(a.scene.Dir, place.Target.Namespace, name)
}

func (a *alternative) roll(ctx context.Context, place *scene.Place, v version) (measured finish, err error) {
	if err := a.scene.Operator.Pause(); err != nil {
		return measured, err
	}
	defer func() { err = errors.Join(err, a.scene.Operator.Resume()) }()
	if err := a.scene.Rest(ctx); err != nil {
		return measured, err
	}
	log, err := a.scene.Cluster.Requests()
	if err != nil {
		return measured, err
	}
	if err := a.run(ctx, place, v, &measured); err != nil {
		return measured, err
	}
	account := "system:serviceaccount:" + place.Target.Namespace + ":" + place.Target.ServiceAccountName
	measured.written, err = lastWrite(log, place, v.objects, func(r cluster.Request) bool { return r.User.Username == account })
	return measured, err
}

// run the command in a process that is there already.
func (a *alternative) run(ctx context.Context, place *scene.Place, v version, measured *finish) error {
	dir := a.path(place, v.name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path, err := a.write(dir, v)
	if err != nil {
		return err
	}
	cache := filepath.Join(a.scene.Dir, "cache-"+a.command)
	ctx, cancel := context.WithTimeout(ctx, scene.Patience)
	defer cancel()
	process := exec.CommandContext(ctx, a.binary, a.command, "--kubeconfig", a.path(place, "kubeconfig"), "--namespace", place.Target.Namespace, "--cache", cache, path)
	process.Env = append(os.Environ(), "HOME="+cache, "HELM_CACHE_HOME="+cache, "HELM_CONFIG_HOME="+cache, "HELM_DATA_HOME="+cache)
	var stderr bytes.Buffer
	process.Stderr = &stderr
	in, err := process.StdinPipe()
	if err != nil {
		return err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	lines := json.NewDecoder(out)
	var prepared struct{}
	err = lines.Decode(&prepared)
	if err == nil {
		_, err = fmt.Fprintln(in)
	}
	var done struct{ Began, Ready time.Time }
	if err == nil {
		err = lines.Decode(&done)
	}
	if err := errors.Join(err, process.Wait()); err != nil {
		return fmt.Errorf("%s: %w: %s", a.name, err, stderr.String())
	}
	measured.began, measured.ready = done.Began, done.Ready
	return nil
}

// writeKubeconfig for an account with a token.
func writeKubeconfig(path string, config *rest.Config) error {
	const name = "deployer"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: config.BearerToken}
	kubeconfig.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	kubeconfig.CurrentContext = name
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), clientcmd.WriteToFile(*kubeconfig, path)); err != nil {
		return fmt.Errorf("writing the deployer's kubeconfig: %w", err)
	}
	return nil
}
