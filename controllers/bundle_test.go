// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestTheValuesOfABundleStandBelowTheApplicationsOfItsCharts(t *testing.T) {
	chart := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Application: "shop", Source: v1alpha1.ReleaseSource{Helm: v1alpha1.HelmSource{URL: "oci://registry.example/shop"}}}}
	plain := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Application: "pay", Source: v1alpha1.ReleaseSource{Inline: "kind: ConfigMap"}}}
	for _, c := range []struct {
		name, inline string
		from         []map[string]any
		refused      string
	}{
		{name: "there are none"},
		{name: "below a chart's application", inline: `{"shop": {"replicas": 2}}`},
		{name: "below a name that no application has", inline: `{"shpo": {"replicas": 2}}`, refused: `"shpo"`},
		{name: "below an application that is no chart", from: []map[string]any{{"pay": map[string]any{}}}, refused: `"pay"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			setting := Setting{Values: c.from}
			if c.inline != "" {
				setting.Overlay.Values = &apiextensionsv1.JSON{Raw: []byte(c.inline)}
			}
			err := placed(setting, []*v1alpha1.Release{plain, chart})
			if c.refused == "" && err != nil || c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
				t.Errorf("refused with %v, want %q", err, c.refused)
			}
		})
	}
}
