// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"reflect"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func secret(name string, kind corev1.SecretType, data map[string]string) *corev1.Secret {
	made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Type: kind, Data: map[string][]byte{}}
	for key, value := range data {
		made.Data[key] = []byte(value)
	}
	return made
}

func TestValuesComeFromWhatTheProjectGivesForThatAndFromNothingElse(t *testing.T) {
	s := &shelf{
		objects: []client.Object{
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "settings"}, Data: map[string]string{"values.yaml": "a: 1", "broken": "- a"}},
			secret("passwords", v1alpha1.SecretTypeValues, map[string]string{"values.yaml": "b: 2"}),
			secret("token", corev1.SecretTypeOpaque, map[string]string{"values.yaml": "c: 3"}),
		},
		broken: map[string]error{"hidden": forbidden("hidden"), "odd": errBroken},
	}
	configMap := v1alpha1.ValuesReference{Kind: v1alpha1.ValuesConfigMap, Name: "settings", Key: "values.yaml"}
	named := func(name string) v1alpha1.ValuesReference {
		return v1alpha1.ValuesReference{Kind: v1alpha1.ValuesSecret, Name: name, Key: "values.yaml"}
	}
	for name, c := range map[string]struct {
		from []v1alpha1.ValuesReference
		want []map[string]any
		says string
	}{
		"nothing named":            {},
		"a ConfigMap":              {from: []v1alpha1.ValuesReference{configMap}, want: []map[string]any{{"a": 1.0}}},
		"a Secret over it":         {from: []v1alpha1.ValuesReference{configMap, named("passwords")}, want: []map[string]any{{"a": 1.0}, {"b": 2.0}}},
		"a Secret of another type": {from: []v1alpha1.ValuesReference{named("token")}, says: `Secret "token" has type "Opaque"`},
		"one that is missing":      {from: []v1alpha1.ValuesReference{configMap, named("lost")}, says: "`spec.overlay.valuesFrom[1]`: Secret \"lost\" does not exist"},
		"one that nobody shows":    {from: []v1alpha1.ValuesReference{named("hidden")}, says: `the operator must not read Secret "hidden"`},
		"one that is not read":     {from: []v1alpha1.ValuesReference{named("odd")}, says: errBroken.Error()},
		"a key that is missing":    {from: []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesConfigMap, Name: "settings", Key: "other"}}, says: `has no key "other"`},
		"a text that is no map":    {from: []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesConfigMap, Name: "settings", Key: "broken"}}, says: "valuesFrom[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			found, err := valuesOf(t.Context(), s, "shop", v1alpha1.Overlay{ValuesFrom: c.from})
			g.Expect(err).To(saying(c.says))
			g.Expect(found.layers).To(HaveLen(len(c.want)))
			for i, layer := range c.want {
				g.Expect(fmt.Sprint(found.layers[i])).To(Equal(fmt.Sprint(layer)))
			}
			unread := found.digest == ""
			g.Expect(unread).To(Equal(len(c.want) == 0))
		})
	}
}

func TestWhatIsWrongWithValuesSaysWhoMendsIt(t *testing.T) {
	s := &shelf{broken: map[string]error{"hidden": forbidden("hidden"), "odd": errBroken}}
	for name, mends := range map[string]string{"lost": "by creating it", "hidden": "by binding ClusterRole assent-values-reader", "odd": ""} {
		t.Run(name, func(t *testing.T) {
			_, err := valuesText(t.Context(), s, "shop", "spec.overlay.valuesFrom[0]", v1alpha1.ValuesReference{Kind: v1alpha1.ValuesConfigMap, Name: name, Key: "a"})
			wrong, isTheirs := err.(*valuesError) //nolint:errorlint // it is never wrapped
			g := NewWithT(t)
			g.Expect(isTheirs).To(Equal(mends != ""))
			if isTheirs {
				g.Expect(wrong.remedy).To(ContainSubstring(mends))
			}
		})
	}
}

func TestCredentialsAreThoseThatTheSourceNames(t *testing.T) {
	login := map[string]string{"username": "bob", "password": "secret"}
	git := secret("git", corev1.SecretTypeBasicAuth, login)
	git.Annotations = map[string]string{v1alpha1.AnnotationSourceHosts: "git.example.org"}
	s := &shelf{
		objects: []client.Object{
			git,
			secret("opaque", corev1.SecretTypeOpaque, login),
			secret("untyped", "", login),
			secret("registry", corev1.SecretTypeDockerConfigJson, map[string]string{corev1.DockerConfigJsonKey: `{"auths":{"registry.example.org":{"username":"bob","password":"secret"}}}`}),
		},
		broken: map[string]error{"hidden": forbidden("hidden"), "odd": errBroken},
	}
	from := func(change func(*v1alpha1.ReleaseSource)) *v1alpha1.Release {
		release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
		change(&release.Spec.Source)
		return release
	}
	named := func(name string) *v1alpha1.Release {
		return from(func(source *v1alpha1.ReleaseSource) { source.Git.SecretRef.Name = name })
	}
	for name, c := range map[string]struct {
		release *v1alpha1.Release
		empty   bool
		says    string
	}{
		"none":                           {release: named(""), empty: true},
		"of a Git server":                {release: named("git")},
		"of a registry":                  {release: from(func(source *v1alpha1.ReleaseSource) { source.OCI.SecretRef.Name = "registry" })},
		"of a chart's":                   {release: from(func(source *v1alpha1.ReleaseSource) { source.Helm.SecretRef.Name = "registry" })},
		"of another type":                {release: named("opaque"), empty: true, says: `has type "Opaque": it must have type`},
		"of no type":                     {release: named("untyped"), empty: true, says: `has type "Opaque": it must have type`},
		"that do not exist":              {release: named("lost"), empty: true, says: `secret "lost" does not exist in project "shop"`},
		"that the operator must not see": {release: named("hidden"), empty: true, says: `the operator must not read secret "hidden"`},
		"that cannot be read":            {release: named("odd"), empty: true, says: `secret "odd" could not be read`},
		"of a registry, not found":       {release: from(func(source *v1alpha1.ReleaseSource) { source.OCI.SecretRef.Name = "lost" }), empty: true, says: "spec.source.oci.secretRef"},
		"of a chart's, not found":        {release: from(func(source *v1alpha1.ReleaseSource) { source.Helm.SecretRef.Name = "lost" }), empty: true, says: "spec.source.helm.secretRef"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			found, err := (&Contents{Live: s}).credentials(t.Context(), c.release)
			g.Expect(err).To(saying(c.says))
			g.Expect(reflect.ValueOf(found).IsZero()).To(Equal(c.empty))
		})
	}
}
