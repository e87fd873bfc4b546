// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/assent-dev/assent/internal/cluster"
)

// patience is more than any of these may take.
const patience = 20 * time.Second

var _ = Describe("A cluster that cannot be reached", func() {
	var shop *project
	BeforeEach(func(ctx context.Context) {
		shop = newProject(ctx)
	})

	It("is not asked again for a while when nobody answers at its address, and then is", func(ctx context.Context) {
		api := newAPIServer(version)
		target := shop.holding(ctx, "remote", api.kubeconfig("x"))
		found := shop.reach(ctx, target)
		api.Close()
		asked := api.asked.value()
		shop.clock.SetTime(shop.clock.Now().Add(cluster.RetryAfter))
		problem := shop.problem(ctx, target)
		Expect(problem).To(withReason(cluster.Unreachable, "it does not accept connections"))
		Expect(problem.Retryable()).To(BeTrue())

		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", api.Listener.Addr().String())
		Expect(err).NotTo(HaveOccurred())
		back := &http.Server{Handler: http.HandlerFunc(version), TLSConfig: api.TLS, ReadHeaderTimeout: patience}
		go func() { _ = back.ServeTLS(listener, "", "") }()
		DeferCleanup(back.Close)
		shop.clock.SetTime(shop.clock.Now().Add(cluster.RetryAfter - 1))
		Expect(shop.problem(ctx, target)).To(Equal(problem))
		_, err = found.Mapper.RESTMapping(schema.GroupKind{Kind: "Pod"})
		Expect(cluster.Problem(err)).To(Equal(problem), "nobody else gets through either")
		Expect(api.asked.value()).To(Equal(asked))
		shop.clock.SetTime(shop.clock.Now().Add(1))
		Expect(shop.reach(ctx, target)).To(BeIdenticalTo(found))
	})

	It("is known to everybody as soon as one request has failed, whatever was so a moment ago", func(ctx context.Context) {
		api := newAPIServer(version)
		target := shop.holding(ctx, "remote", api.kubeconfig("x"))
		found := shop.reach(ctx, target)
		api.Close()
		_, err := found.Dynamic.Resource(configMaps).Namespace("default").Get(ctx, "x", metav1.GetOptions{})
		Expect(cluster.Problem(err)).To(withReason(cluster.Unreachable, "it does not accept connections"))
		Expect(shop.problem(ctx, target)).To(Equal(cluster.Problem(err)))
		// One look a while later tries again, rather than to remember for twice as long.
		shop.clock.SetTime(shop.clock.Now().Add(cluster.RetryAfter))
		Expect(shop.problem(ctx, target)).NotTo(BeIdenticalTo(cluster.Problem(err)))
	})

	It("holds one request for a few seconds, and a thousand for no longer, when it accepts connections and says nothing", func(ctx context.Context) {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(listener.Close)
		var accepted atomic.Int64
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				accepted.Add(1)
				defer func() { _ = connection.Close() }()
			}
		}()
		target := shop.holding(ctx, "remote", kubeconfig("server: 'https://"+listener.Addr().String()+"'", token))
		var group sync.WaitGroup
		for range 1000 {
			group.Go(func() {
				defer GinkgoRecover()
				Expect(shop.problem(ctx, target)).To(withReason(cluster.Unreachable, "it accepts connections, but does not answer"))
			})
		}
		group.Wait()
		Expect(accepted.Load()).To(BeEquivalentTo(1))
	}, NodeTimeout(time.Minute))

	It("holds a request for a few seconds when it lets in and says nothing", func(ctx context.Context) {
		target := shop.holding(ctx, "remote", newAPIServer(silent).kubeconfig("x"))
		Expect(shop.problem(ctx, target)).To(withReason(cluster.Unreachable, "it does not answer in time"))
	}, NodeTimeout(patience))

	It("is not taken for one because a caller has no time", func(ctx context.Context) {
		var works atomic.Bool
		api := newAPIServer(func(w http.ResponseWriter, r *http.Request) {
			if works.Load() {
				version(w, r)
				return
			}
			silent(w, r)
		})
		target := shop.holding(ctx, "remote", api.kubeconfig("x"))
		hurried, cancel := context.WithCancel(ctx)
		go func() {
			defer cancel()
			defer GinkgoRecover()
			Eventually(api.asked.value).WithContext(ctx).Should(Equal(1))
		}()
		_, err := shop.clusters.For(hurried, shop.name, target)
		Expect(err).To(MatchError(context.Canceled))
		works.Store(true)
		shop.reach(ctx, target)
	})

	It("is one whose server has no name that is known", func(ctx context.Context) {
		target := shop.holding(ctx, "remote", kubeconfig("server: 'https://nowhere.invalid'", token))
		Expect(shop.problem(ctx, target)).To(withReason(cluster.Unreachable, "is not known"))
	})

	It("is one whose server does not speak TLS", func(ctx context.Context) {
		api := newAPIServer(version)
		plain := &http.Server{Handler: http.HandlerFunc(version), ReadHeaderTimeout: patience}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		go func() { _ = plain.Serve(listener) }()
		DeferCleanup(plain.Close)
		content := strings.Replace(api.kubeconfig("x"), api.Listener.Addr().String(), listener.Addr().String(), 1)
		Expect(shop.problem(ctx, shop.holding(ctx, "remote", content))).To(withReason(cluster.Untrusted, "does not speak TLS"))
	})
})

var _ = Describe("A server that is not what it should be", func() {
	var shop *project
	BeforeEach(func(ctx context.Context) {
		shop = newProject(ctx)
	})

	It("is not followed to another server, which would get the token", func(ctx context.Context) {
		elsewhere := newAPIServer(version)
		api := newAPIServer(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		})
		target := shop.holding(ctx, "remote", api.kubeconfig("x"))
		Expect(shop.problem(ctx, target)).To(withReason(cluster.InvalidAnswer, "redirects to another server"))
		Expect(api.asked.value()).To(Equal(1))
		Expect(elsewhere.asked.value()).To(BeZero())
	})

	It("is not followed there from a later request either, by whatever client", func(ctx context.Context) {
		elsewhere := newAPIServer(version)
		api := newAPIServer(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/version" {
				version(w, r)
				return
			}
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		})
		found := shop.reach(ctx, shop.holding(ctx, "remote", api.kubeconfig("x")))
		_, err := found.Dynamic.Resource(configMaps).Namespace("default").Get(ctx, "x", metav1.GetOptions{})
		Expect(cluster.Problem(err)).To(withReason(cluster.InvalidAnswer, "redirects to another server"))
		_, err = found.Mapper.RESTMapping(schema.GroupKind{Kind: "Pod"})
		Expect(cluster.Problem(err)).To(withReason(cluster.InvalidAnswer, "redirects to another server"))
		Expect(elsewhere.asked.value()).To(BeZero())
	})

	It("cannot fill the memory", func(ctx context.Context) {
		api := newAPIServer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"gitVersion":"v1.37.2","major":"`)
			for range 9 {
				_, _ = w.Write([]byte(strings.Repeat("1", 1<<20)))
			}
			_, _ = fmt.Fprint(w, `"}`)
		})
		Expect(shop.problem(ctx, shop.holding(ctx, "remote", api.kubeconfig("x")))).To(withReason(cluster.InvalidAnswer, "too long"))
	})

	It("cannot make anybody wait for long by asking for patience", func(ctx context.Context) {
		api := newAPIServer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprint(w, secret)
		})
		Expect(shop.problem(ctx, shop.holding(ctx, "remote", api.kubeconfig("x")))).To(withReason(cluster.InvalidAnswer, "not as a Kubernetes API server"))
		Expect(api.asked.value()).To(Equal(1))
	}, NodeTimeout(patience))

	It("is told from a Kubernetes API server", func(ctx context.Context) {
		api := newAPIServer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"message":%q}`, secret)
		})
		Expect(shop.problem(ctx, shop.holding(ctx, "remote", api.kubeconfig("x")))).To(withReason(cluster.InvalidAnswer, "not as a Kubernetes API server"))
	})
})

// silent answers nothing until the client has gone.
func silent(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
}
