// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// managerWithout an API server: nobody listens there.
func managerWithout(t *testing.T, cached bool) ctrl.Manager {
	t.Helper()
	mgr, err := ctrl.NewManager(&rest.Config{Host: "127.0.0.1:1"}, ctrl.Options{
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
			known := meta.NewDefaultRESTMapper(nil)
			known.Add(corev1.SchemeGroupVersion.WithKind("ConfigMap"), meta.RESTScopeNamespace)
			return known, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if cached {
		wanted, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, _ = mgr.GetCache().GetInformer(wanted, &corev1.ConfigMap{}) // it is wanted from now on, and never there
	}
	return mgr
}

func TestAManagerThatIsToldToEndEndsWhetherItsCachesAreCompleteOrNot(t *testing.T) {
	for name, cached := range map[string]bool{"they are": false, "they cannot be": true} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			mgr := managerWithout(t, cached)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- Run(ctx, mgr) }()
			g.Consistently(ended, "100ms").ShouldNot(Receive(), "nobody has told it")
			stop()
			g.Eventually(ended, "5s").Should(Receive(BeNil()))
		})
	}
}
