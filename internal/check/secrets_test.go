// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/check"
)

const token = "s3cr3t-t0ken"

var _ = Describe("A check that sends a Secret", func() {
	var (
		project string
		asked   v1alpha1.Check
		host    string
		got     atomic.Value
		handler http.HandlerFunc
	)
	ask := func(ctx context.Context) check.Finding {
		live, err := devcluster.ClientFor(operator)
		Expect(err).NotTo(HaveOccurred())
		return (&check.HTTP{Secrets: live, Networks: local}).Ask(ctx, asked, subject(project))
	}
	letRead := func(ctx context.Context) {
		allow(ctx, project, "read-token", controller, rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"ticket"}, Verbs: []string{"get"},
		})
		Eventually(func() string { return ask(ctx).Message }).WithContext(ctx).WithTimeout(patience).ShouldNot(ContainSubstring("must not read"))
	}
	create := func(ctx context.Context, hosts, value string) {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "ticket", Namespace: project, Annotations: map[string]string{v1alpha1.AnnotationCheckHosts: hosts}},
			Data:       map[string][]byte{"token": []byte(value)},
		}
		Expect(admin.Create(ctx, secret)).To(Succeed())
	}
	BeforeEach(func(ctx context.Context) {
		project = newProject(ctx)
		got.Store("")
		handler = func(http.ResponseWriter, *http.Request) {}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got.Store(r.Header.Get("Authorization"))
			handler(w, r)
		}))
		DeferCleanup(server.Close)
		host = strings.TrimPrefix(server.URL, "http://")
		asked = asking(server.URL)
		asked.HTTP.Headers = []v1alpha1.HTTPHeader{{Name: "Authorization", SecretRef: v1alpha1.SecretKeyReference{Name: "ticket", Key: "token"}}}
	})

	It("sends it to the host that the Secret names", func(ctx context.Context) {
		create(ctx, "tickets.example.com, "+host, "Bearer "+token+"\n")
		letRead(ctx)
		Expect(ask(ctx)).To(Equal(check.Finding{Result: v1alpha1.CheckPassed, Message: host + " answered 200"}))
		Expect(got.Load()).To(Equal("Bearer " + token))
	})

	It("sends nothing to a host that the Secret does not name", func(ctx context.Context) {
		create(ctx, "tickets.example.com", token)
		letRead(ctx)
		Expect(ask(ctx)).To(Equal(check.Finding{Result: v1alpha1.CheckFailed, Message: fmt.Sprintf(
			"secret \"ticket\" must not be sent to %q: add that host to the Secret's annotation assent.dev/check-hosts, which lists hosts separated by commas", host)}))
		Expect(got.Load()).To(BeEmpty())
	})

	It("says what to allow when the operator may not read it, and what to create when it is not there", func(ctx context.Context) {
		Expect(ask(ctx)).To(Equal(check.Finding{Result: v1alpha1.CheckFailed, Message: fmt.Sprintf("the operator must not read secret \"ticket\": in project %q create a Role "+
			"that allows `get` on secrets with resourceNames [\"ticket\"], and bind it to service account assent-system/assent-controller", project)}))
		letRead(ctx)
		Expect(ask(ctx)).To(Equal(check.Finding{Result: v1alpha1.CheckFailed, Message: fmt.Sprintf("secret \"ticket\" does not exist in project %q: create it with the key \"token\"", project)}))
	})

	It("refuses a key that is not there, and a value of two lines", func(ctx context.Context) {
		create(ctx, host, "one\nX-Injected: two")
		letRead(ctx)
		Expect(ask(ctx)).To(Equal(check.Finding{Result: v1alpha1.CheckFailed, Message: `key "token" of secret "ticket" must be one line to be sent as a header`}))
		asked.HTTP.Headers[0].SecretRef.Key = "password"
		Expect(ask(ctx)).To(Equal(check.Finding{Result: v1alpha1.CheckFailed, Message: `secret "ticket" has no key "password", or nothing in it`}))
		Expect(got.Load()).To(BeEmpty())
	})

	It("hides it where the server repeats it, in the answer, in what `when` says and in a redirect", func(ctx context.Context) {
		create(ctx, host, "Bearer "+token)
		letRead(ctx)
		handler = func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `{"message": %q, "token": %q}`, "you sent "+r.Header.Get("Authorization"), token)
		}
		Expect(ask(ctx).Message).To(Equal("`when` is not met: " + host + ` answered 403: {"message": "you sent [hidden]", "token": "[hidden]"}`))
		asked.HTTP.When = "{'a': true}[body.token]"
		Expect(ask(ctx).Message).To(And(ContainSubstring("no such key: [hidden]"), Not(ContainSubstring(token))))
		handler = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://"+token+".example.com/")
			w.WriteHeader(http.StatusFound)
			_, _ = io.WriteString(w, token)
		}
		Expect(ask(ctx).Message).To(And(ContainSubstring("redirects"), Not(ContainSubstring(token))))
		// Cut in the middle of it, nothing is left over.
		handler = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("a", 192)+token) }
		asked.HTTP.When = "false"
		Expect(ask(ctx).Message).NotTo(ContainSubstring("s3cr"))
	})
})

func TestNothingIsSentWithoutTheSecretThatACheckNames(t *testing.T) {
	var asked atomic.Int32
	address, host := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for name, test := range map[string]struct {
		secret  oneSecret
		retry   bool
		message string
	}{
		"it is not there": {oneSecret{fault: apierrors.NewNotFound(corev1.Resource("secrets"), "ticket")}, false,
			`secret "ticket" does not exist in project "shop": create it with the key "token"`},
		"it must not be read": {oneSecret{fault: apierrors.NewForbidden(corev1.Resource("secrets"), "ticket", nil)}, false,
			"the operator must not read secret \"ticket\": in project \"shop\" create a Role that allows `get` on secrets with resourceNames [\"ticket\"], " +
				"and bind it to service account assent-system/assent-controller"},
		"the API server fails":       {oneSecret{fault: errors.New("no connection")}, true, `secret "ticket" could not be read: no connection`},
		"it names another host":      {oneSecret{hosts: "tickets.example.com", value: token}, false, fmt.Sprintf("secret \"ticket\" must not be sent to %q: add that host to the Secret's annotation assent.dev/check-hosts, which lists hosts separated by commas", host)},
		"there is nothing in it":     {oneSecret{hosts: host, value: "\r\n"}, false, `secret "ticket" has no key "token", or nothing in it`},
		"it has two lines":           {oneSecret{hosts: host, value: "one\nX-Injected: two"}, false, `key "token" of secret "ticket" must be one line to be sent as a header`},
		"it has a control character": {oneSecret{hosts: host, value: "one\x7f"}, false, `key "token" of secret "ticket" must be one line to be sent as a header`},
	} {
		t.Run(name, func(t *testing.T) {
			made := asking(address)
			made.HTTP.Headers = []v1alpha1.HTTPHeader{{Name: "Authorization", SecretRef: v1alpha1.SecretKeyReference{Name: "ticket", Key: "token"}}}
			finding := (&check.HTTP{Secrets: test.secret, Networks: local}).Ask(t.Context(), made, subject("shop"))
			expect(t, finding, v1alpha1.CheckFailed, test.retry, test.message)
		})
	}
	if asked.Load() != 0 {
		t.Errorf("the server was asked %d times", asked.Load())
	}
}
