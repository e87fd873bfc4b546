// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// config is where the manifests are, seen from this package.
const config = "../../config"

// render builds a kustomization and decodes what it holds, strictly: a field that no kind has fails the test.
func render(t *testing.T, folder string) []client.Object {
	t.Helper()
	g := NewWithT(t)
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(config, folder))
	g.Expect(err).NotTo(HaveOccurred())
	manifests, err := resources.AsYaml()
	g.Expect(err).NotTo(HaveOccurred())
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		g.Expect(add(kinds)).To(Succeed())
	}
	decoder := serializer.NewCodecFactory(kinds, serializer.EnableStrict).UniversalDeserializer()
	var objects []client.Object
	for documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		g.Expect(err).NotTo(HaveOccurred())
		object, _, err := decoder.Decode(document, nil, nil)
		g.Expect(err).NotTo(HaveOccurred(), "%s", document)
		objects = append(objects, object.(client.Object))
	}
}

// all are the objects of one type.
func all[T client.Object](objects []client.Object) []T {
	var found []T
	for _, object := range objects {
		if typed, ok := object.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// the only object of its type.
func the[T client.Object](t *testing.T, objects []client.Object) T {
	t.Helper()
	found := all[T](objects)
	NewWithT(t).Expect(found).To(HaveLen(1))
	return found[0]
}

// kustomizations are all folders of config with one.
func kustomizations(t *testing.T) []string {
	t.Helper()
	var folders []string
	NewWithT(t).Expect(filepath.WalkDir(config, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "kustomization.yaml" {
			folder, _ := filepath.Rel(config, filepath.Dir(path))
			folders = append(folders, folder)
		}
		return err
	})).To(Succeed())
	return folders
}

func TestEveryKustomizationBuildsAndHoldsOnlyFieldsThatItsKindsHave(t *testing.T) {
	folders := kustomizations(t)
	NewWithT(t).Expect(folders).To(ContainElements("crd", "default", "default-without-stamping", "guard", "install", "rbac", "samples"))
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) {
			NewWithT(t).Expect(render(t, folder)).NotTo(BeEmpty())
		})
	}
}

func TestEveryManifestIsPartOfItsKustomization(t *testing.T) {
	// Examples to change and to apply one by one, by somebody in particular.
	apart := []string{"samples/promotion.yaml", "samples/release_oci.yaml"}
	for _, folder := range kustomizations(t) {
		t.Run(folder, func(t *testing.T) {
			g := NewWithT(t)
			files, err := filepath.Glob(filepath.Join(config, folder, "*.yaml"))
			g.Expect(err).NotTo(HaveOccurred())
			listed := resourcesOf(g, folder)
			for _, file := range files {
				name := filepath.Base(file)
				if name != "kustomization.yaml" && !slices.Contains(apart, filepath.Join(folder, name)) {
					g.Expect(listed).To(ContainElement(name))
				}
			}
		})
	}
}

func TestStampingIsTheOnlyDifferenceBetweenTheTwoWaysToInstall(t *testing.T) {
	g := NewWithT(t)
	g.Expect(names(render(t, "default"))).To(ConsistOf(
		append(names(render(t, "default-without-stamping")), names(render(t, "guard/stamping"))...)))
}

func TestInstallingWithoutTheOperatorLeavesOutNothingButTheOperator(t *testing.T) {
	g := NewWithT(t)
	g.Expect(names(render(t, "default-without-stamping"))).To(ConsistOf(
		append(names(render(t, "install")), names(render(t, "manager"))...)))
}

func TestTheOperatorsNamespaceIsHeldToRestrictedPodSecurity(t *testing.T) {
	namespace := the[*corev1.Namespace](t, render(t, "default"))
	g := NewWithT(t)
	g.Expect(namespace.Name).To(Equal("assent-system"))
	g.Expect(namespace.Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))
}

func TestEveryNamespacedObjectThatIsInstalledIsInTheOperatorsNamespace(t *testing.T) {
	for _, object := range render(t, "default") {
		if object.GetNamespace() != "" {
			NewWithT(t).Expect(object.GetNamespace()).To(Equal("assent-system"), "%T %s", object, object.GetName())
		}
	}
}

// resourcesOf are the entries of a kustomization.
func resourcesOf(g *WithT, folder string) []string {
	content, err := os.ReadFile(filepath.Join(config, folder, "kustomization.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var kustomization types.Kustomization
	g.Expect(kustomization.Unmarshal(content)).To(Succeed())
	return kustomization.Resources
}

// names tell objects apart.
func names(objects []client.Object) []string {
	var found []string
	for _, object := range objects {
		found = append(found, object.GetObjectKind().GroupVersionKind().String()+" "+object.GetNamespace()+"/"+object.GetName())
	}
	return found
}
