// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	shippedguard "github.com/assent-dev/assent/config/guard"
)

// manifests are the policies and bindings as this version ships them.
type manifests struct {
	policies []admissionregistrationv1.ValidatingAdmissionPolicy
	bindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// ship reads the shipped manifests, once: they are part of the binary.
var ship = sync.OnceValues(func() (manifests, error) {
	var all manifests
	err := fs.WalkDir(shippedguard.Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := shippedguard.Files.ReadFile(path)
		if err != nil {
			return err
		}
		if err := all.add(content); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	return all, err
})

func (m *manifests) add(content []byte) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.addDocument(document); err != nil {
			return err
		}
	}
}

func (m *manifests) addDocument(document []byte) error {
	var meta metav1.TypeMeta
	if err := yaml.Unmarshal(document, &meta); err != nil {
		return err
	}
	switch meta.Kind {
	case "ValidatingAdmissionPolicy":
		var policy admissionregistrationv1.ValidatingAdmissionPolicy
		if err := yaml.UnmarshalStrict(document, &policy); err != nil {
			return err
		}
		m.policies = append(m.policies, policy)
	case "ValidatingAdmissionPolicyBinding":
		var binding admissionregistrationv1.ValidatingAdmissionPolicyBinding
		if err := yaml.UnmarshalStrict(document, &binding); err != nil {
			return err
		}
		m.bindings = append(m.bindings, binding)
	default:
		return fmt.Errorf("unexpected kind %q", meta.Kind)
	}
	return nil
}
