// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/assent-dev/assent/api/v1alpha1"
)

const (
	// SystemNamespace is where the operator lives.
	SystemNamespace = "assent-system"
	// ServiceAccount is the operator's.
	ServiceAccount = "assent-controller"

	fieldManager = "assent-install"
	// Policies take about a second to be in force; a busy machine takes longer.
	patience = time.Minute
	interval = 50 * time.Millisecond
)

// Install applies the objects, the roles, the guard and its stamping, and waits until they are in force. Several suites may do it at once,
// and on a cluster that has them already.
func (c *Cluster) Install(ctx context.Context) error {
	admin, err := c.Client(Admin)
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, "config/crd"); err != nil {
		return err
	}
	if err := waitForDefinitions(ctx, admin); err != nil {
		return err
	}
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: SystemNamespace}}
	if err := admin.Create(ctx, system); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating namespace %q: %w", SystemNamespace, err)
	}
	for _, directory := range []string{"config/rbac", "config/guard", "config/guard/stamping"} {
		if err := c.Apply(ctx, directory); err != nil {
			return err
		}
	}
	return c.WaitForGuard(ctx)
}

// Apply builds the kustomization in a directory, named from the repository's root, and applies its objects server-side as the administrator.
func (c *Cluster) Apply(ctx context.Context, directory string) error {
	objects, err := Build(directory)
	if err != nil {
		return err
	}
	admin, err := c.Client(Admin)
	if err != nil {
		return err
	}
	for i := range objects {
		object := &objects[i]
		err := admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(fieldManager), client.ForceOwnership)
		if err != nil {
			return fmt.Errorf("applying %s %q: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// Build returns the objects of the kustomization in a directory, named from the repository's root.
func Build(directory string) ([]unstructured.Unstructured, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, directory))
	if err != nil {
		return nil, fmt.Errorf("building %q: %w", directory, err)
	}
	objects := make([]unstructured.Unstructured, 0, resources.Size())
	for _, resource := range resources.Resources() {
		content, err := resource.Map()
		if err != nil {
			return nil, fmt.Errorf("building %q: %w", directory, err)
		}
		objects = append(objects, unstructured.Unstructured{Object: content})
	}
	return objects, nil
}

// repository is the first directory upwards that holds a go.mod.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("finding the repository: no go.mod above the working directory")
		}
	}
}

// WaitForGuard returns once the policies that decide and the one that stamps are in force. It probes with writes that are dry runs and must fail.
func (c *Cluster) WaitForGuard(ctx context.Context) error {
	admin, err := c.Client(Admin)
	if err != nil {
		return err
	}
	for _, probe := range []struct {
		waitsFor string
		inForce  func(context.Context, client.Client) error
	}{
		{"the stamping", probeStamping},
		{"the guard of Promotions", probePromotions},
		{"the guard of all objects", probeObjects},
	} {
		var last error
		err := poll(ctx, func(ctx context.Context) (bool, error) {
			last = probe.inForce(ctx, admin)
			return last == nil, nil
		})
		if err != nil {
			return fmt.Errorf("waiting for %s: %w: %w", probe.waitsFor, err, last)
		}
	}
	return nil
}

func probeStamping(ctx context.Context, admin client.Client) error {
	promotion := NewPromotion(metav1.NamespaceDefault, "probe", "probe", "probe")
	if err := admin.Create(ctx, promotion, client.DryRunAll); err != nil {
		return err
	}
	if promotion.Spec.RequestedBy.Username == "" {
		return errors.New("`requestedBy` is not stamped")
	}
	return nil
}

func probePromotions(ctx context.Context, admin client.Client) error {
	promotion := NewPromotion(metav1.NamespaceDefault, "probe", "probe", "probe")
	promotion.Spec.Approvals = []v1alpha1.Approval{{User: "nobody", Decision: v1alpha1.DecisionApproved}}
	return denied(admin.Create(ctx, promotion, client.DryRunAll), "(G2)")
}

func probeObjects(ctx context.Context, admin client.Client) error {
	release := NewRelease(metav1.NamespaceDefault, "probe", "1", "{}")
	release.Finalizers = []string{"assent.dev/probe"}
	return denied(admin.Create(ctx, release, client.DryRunAll), "(G13)")
}

func denied(err error, rule string) error {
	switch {
	case err == nil:
		return fmt.Errorf("expected a denial by %s; the write was admitted", rule)
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), rule):
		return nil
	default:
		return fmt.Errorf("expected a denial by %s: %w", rule, err)
	}
}

func waitForDefinitions(ctx context.Context, admin client.Client) error {
	return poll(ctx, func(ctx context.Context) (bool, error) {
		for _, plural := range []string{"releases", "environments", "promotions", "auditrecords"} {
			definition := &apiextensionsv1.CustomResourceDefinition{}
			if err := admin.Get(ctx, client.ObjectKey{Name: plural + "." + v1alpha1.GroupName}, definition); err != nil {
				return false, fmt.Errorf("waiting for the definition of %s: %w", plural, err)
			}
			if !established(definition) {
				return false, nil
			}
		}
		return true, nil
	})
}

func established(definition *apiextensionsv1.CustomResourceDefinition) bool {
	for _, condition := range definition.Status.Conditions {
		if condition.Type == apiextensionsv1.Established {
			return condition.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}

func poll(ctx context.Context, condition wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextTimeout(ctx, interval, patience, true, condition)
}

// ControllerConfig connects as the operator's own service account, with a token that the API server issues for an hour.
func (c *Cluster) ControllerConfig(ctx context.Context) (*rest.Config, error) {
	return c.ServiceAccountConfig(ctx, SystemNamespace, ServiceAccount)
}

// ServiceAccountConfig connects as a service account, with a token that the API server issues for an hour.
func (c *Cluster) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	admin, err := c.Config(Admin)
	if err != nil {
		return nil, err
	}
	clientset, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	token, err := clientset.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("requesting a token of service account %q in %q: %w", name, namespace, err)
	}
	config := rest.AnonymousClientConfig(admin)
	config.BearerToken = token.Status.Token
	config.QPS = -1
	return config, nil
}
