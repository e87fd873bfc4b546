// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// server answers as an API server does that holds secrets: with a list, and with one script of events after the other, after which the watch ends.
type server struct {
	mu      sync.Mutex
	asked   []string
	list    string
	scripts []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s.mu.Lock()
	answer, last := s.list, false
	if query.Has("watch") {
		s.asked = append(s.asked, "watch from "+query.Get("resourceVersion"))
		if last = len(s.scripts) == 0; !last {
			answer, s.scripts = s.scripts[0], s.scripts[1:]
		}
	} else {
		s.asked = append(s.asked, "list")
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if last {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done() // nothing happens any more
		return
	}
	_, _ = fmt.Fprint(w, answer)
}

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.asked...)
}

const (
	secretsListed  = `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"7"},"items":[` + secretLogin + `]}`
	secretLogin    = `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"namespace":"shop","name":"login","uid":"1","resourceVersion":"5"}}`
	secretOther    = `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"namespace":"shop","name":"other","uid":"2","resourceVersion":"8"}}`
	secretBookmark = `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"9"}}`
	expired        = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old"}`
)

func event(kind, object string) string {
	return fmt.Sprintf(`{"type":%q,"object":%s}`+"\n", kind, object)
}

// followed begins to follow what a server has.
func followed(t *testing.T, s *server) *standingWatch {
	t.Helper()
	listening := httptest.NewServer(s)
	client, err := metadata.NewForConfig(&rest.Config{Host: listening.URL, QPS: -1})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	standing := NewStanding(Readers{}, nil, func(types.NamespacedName) {})
	standing.mutex.Lock()
	key := standingKey{resource: schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, namespace: "shop", environment: types.NamespacedName{Namespace: "p", Name: "e"}}
	watch := standing.acquire(key, func() (Readers, error) { return Readers{Metadata: client}, nil })
	standing.mutex.Unlock()
	t.Cleanup(func() {
		watch.stop()
		listening.Close()
	})
	return watch
}

func (w *standingWatch) names() []string {
	w.standing.mutex.Lock()
	defer w.standing.mutex.Unlock()
	names := []string{}
	for key := range w.seen {
		names = append(names, key.Name)
	}
	return names
}

func TestAWatchThatHasEndedGoesOnFromWhereItWas(t *testing.T) {
	g := NewWithT(t)
	s := &server{list: secretsListed, scripts: []string{event("ADDED", secretOther) + event("BOOKMARK", secretBookmark), event("DELETED", secretLogin)}}
	watch := followed(t, s)
	g.Eventually(watch.names, 10*time.Second).Should(ConsistOf("other"))
	g.Eventually(s.requests, 10*time.Second).Should(Equal([]string{"list", "watch from 7", "watch from 9", "watch from 5"}))
}

func TestAWatchThatIsTooFarBehindIsBegunAnewWithAList(t *testing.T) {
	g := NewWithT(t)
	s := &server{list: secretsListed, scripts: []string{event("ADDED", secretOther) + event("ERROR", expired)}}
	watch := followed(t, s)
	g.Eventually(s.requests, 10*time.Second).Should(Equal([]string{"list", "watch from 7", "list", "watch from 7"}))
	g.Eventually(watch.names).Should(ConsistOf("login"), "what is not in the list is gone")
}

func TestNothingIsAskedAnyMoreOnceAWatchIsStopped(t *testing.T) {
	g := NewWithT(t)
	s := &server{list: secretsListed}
	watch := followed(t, s)
	g.Eventually(s.requests, 10*time.Second).Should(Equal([]string{"list", "watch from 7"}))
	watch.stop()
	g.Consistently(s.requests, 2*time.Second).Should(HaveLen(2))
}
