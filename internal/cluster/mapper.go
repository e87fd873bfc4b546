// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"net/http"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// resettingMapper drops what else is known of a cluster's kinds when the mapper is reset.
type resettingMapper struct {
	meta.RESTMapper
	forget *capabilities
}

var _ meta.ResettableRESTMapper = &resettingMapper{}

// Reset makes the mapper and the Capabilities look again.
func (m *resettingMapper) Reset() {
	meta.MaybeResetRESTMapper(m.RESTMapper)
	m.forget.drop()
}

// mapper is controller-runtime's, which asks at first use and again when it does not know a kind, and which can be made to forget as well: kinds
// can go, and come back with another scope.
type mapper struct {
	config *rest.Config
	client *http.Client

	mutex sync.RWMutex
	known meta.RESTMapper
}

var _ meta.ResettableRESTMapper = &mapper{}

func newMapper(config *rest.Config, client *http.Client) (*mapper, error) {
	known, err := apiutil.NewDynamicRESTMapper(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a mapper: %w", err)
	}
	return &mapper{config: config, client: client, known: known}, nil
}

// Reset forgets everything.
func (m *mapper) Reset() {
	known, err := apiutil.NewDynamicRESTMapper(m.config, m.client)
	if err != nil {
		return // it worked with the same configuration before, and what is known still looks again for what it does not know
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.known = known
}

func (m *mapper) current() meta.RESTMapper {
	m.mutex.RLock()
	defer m.mutex.RUnlock()
	return m.known
}

// KindFor is as in meta.RESTMapper, as are all below.
func (m *mapper) KindFor(resource schema.GroupVersionResource) (schema.GroupVersionKind, error) {
	return m.current().KindFor(resource)
}

// KindsFor is as in meta.RESTMapper.
func (m *mapper) KindsFor(resource schema.GroupVersionResource) ([]schema.GroupVersionKind, error) {
	return m.current().KindsFor(resource)
}

// ResourceFor is as in meta.RESTMapper.
func (m *mapper) ResourceFor(input schema.GroupVersionResource) (schema.GroupVersionResource, error) {
	return m.current().ResourceFor(input)
}

// ResourcesFor is as in meta.RESTMapper.
func (m *mapper) ResourcesFor(input schema.GroupVersionResource) ([]schema.GroupVersionResource, error) {
	return m.current().ResourcesFor(input)
}

// RESTMapping is as in meta.RESTMapper.
func (m *mapper) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	return m.current().RESTMapping(kind, versions...)
}

// RESTMappings is as in meta.RESTMapper.
func (m *mapper) RESTMappings(kind schema.GroupKind, versions ...string) ([]*meta.RESTMapping, error) {
	return m.current().RESTMappings(kind, versions...)
}

// ResourceSingularizer is as in meta.RESTMapper.
func (m *mapper) ResourceSingularizer(resource string) (string, error) {
	return m.current().ResourceSingularizer(resource)
}
