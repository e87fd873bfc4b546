// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/cluster"
)

// namespaceAt is a place whose cluster answers so about its namespaces.
func namespaceAt(t *testing.T, status int, labels map[string]string) *place {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		answer := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "shop-prod", "labels": labels}}
		if status != http.StatusOK {
			reasons := map[int]metav1.StatusReason{http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusForbidden: metav1.StatusReasonForbidden}
			answer = map[string]any{"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": status, "reason": reasons[status]}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	client, err := dynamic.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return &place{Cluster: &cluster.Cluster{Dynamic: client}}
}

func TestALockHoldsOnlyWhereTheNamespaceSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		open   bool
		status int
		label  string
		says   string
		theirs bool
	}{
		"no lock is wanted":               {open: true, status: http.StatusNotFound},
		"the namespace says so":           {status: http.StatusOK, label: "shop"},
		"the namespace says nothing":      {status: http.StatusOK, says: "does not carry the label", theirs: true},
		"it is locked by another project": {status: http.StatusOK, label: "other", says: "does not carry the label", theirs: true},
		"there is no namespace":           {status: http.StatusNotFound, says: "does not exist", theirs: true},
		"nobody shows the namespace":      {status: http.StatusForbidden, says: "it cannot be seen whether", theirs: true},
		"the answer is a fault":           {status: http.StatusInternalServerError, says: "read namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := v1alpha1.EnvironmentSpec{Target: v1alpha1.Target{Namespace: "shop-prod"}}
			if !c.open {
				spec.Lock = v1alpha1.LockEnabled
			}
			err := namespaceAt(t, c.status, map[string]string{v1alpha1.LabelLock: c.label}).lockable(t.Context(), "shop", spec)
			g := NewWithT(t)
			g.Expect(err).To(saying(c.says))
			_, isTheirs := err.(*lockError) //nolint:errorlint // it is never wrapped
			g.Expect(isTheirs).To(Equal(c.theirs))
		})
	}
}
