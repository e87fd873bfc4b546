// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/assent-dev/assent/api/v1alpha1"
)

// These are answers that a healthy API server does not give when it is asked to.

var (
	shop    = v1alpha1.Target{Namespace: "shop", ServiceAccountName: "deployer"}
	webshop = Owner{Project: "webshop", Environment: "production"}
	prices  = v1alpha1.ObjectReference{Kind: "ConfigMap", Namespace: "shop", Name: "prices"}
)

// answer is what the API server says to a method: an object, or an error.
type answer any

// answering makes a deployer whose API server gives these answers, by method. It fails the test at any other method.
func answering(t *testing.T, answers map[string]answer) (*Factory, *Deployer) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said, known := answers[r.Method]
		if !known {
			t.Errorf("the API server was asked to %s %s", r.Method, r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		if status, failed := said.(apierrors.APIStatus); failed {
			refused := status.Status()
			refused.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
			w.WriteHeader(int(refused.Code))
			said = refused
		}
		if err := json.NewEncoder(w).Encode(said); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Version: "v1"}})
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	factory := NewFactory(&rest.Config{Host: server.URL}, mapper)
	deployer, err := factory.As(shop, PromotionIdentity{})
	if err != nil {
		t.Fatal(err)
	}
	return factory, deployer
}

// running is the ConfigMap as the API server has it.
func running(change func(object *unstructured.Unstructured)) map[string]any {
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	object.SetNamespace(prices.Namespace)
	object.SetName(prices.Name)
	object.SetUID("1")
	object.SetLabels(map[string]string{v1alpha1.LabelProject: webshop.Project, v1alpha1.LabelEnvironment: webshop.Environment})
	if change != nil {
		change(object)
	}
	return object.Object
}

func TestAPruneTakesTheAPIServersAnswerForWhatItIs(t *testing.T) {
	configMaps := schema.GroupResource{Resource: "configmaps"}
	going := metav1.Now()
	for name, test := range map[string]struct {
		answers map[string]answer
		deleted bool
		err     ErrorKind
	}{
		"deleted":                         {answers: map[string]answer{"GET": running(nil), "DELETE": metav1.Status{Status: metav1.StatusSuccess}}, deleted: true},
		"gone since it was looked at":     {answers: map[string]answer{"GET": running(nil), "DELETE": apierrors.NewNotFound(configMaps, "prices")}},
		"deletion is refused":             {answers: map[string]answer{"GET": running(nil), "DELETE": apierrors.NewForbidden(configMaps, "prices", errors.New("no"))}, err: RefusedError},
		"reading is refused":              {answers: map[string]answer{"GET": apierrors.NewForbidden(configMaps, "prices", errors.New("no"))}, err: RefusedError},
		"not asked twice while it goes":   {answers: map[string]answer{"GET": running(func(object *unstructured.Unstructured) { object.SetDeletionTimestamp(&going) })}, deleted: true},
		"there is none":                   {answers: map[string]answer{"GET": apierrors.NewNotFound(configMaps, "prices")}},
		"the API server is not available": {answers: map[string]answer{"GET": apierrors.NewServiceUnavailable("starting")}, err: TransientError},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			_, deployer := answering(t, test.answers)
			outcome, trouble := deployer.pruneOne(t.Context(), prices, webshop)
			g.Expect(outcome).To(Equal(pruneOutcome{deleted: test.deleted}))
			if test.err == "" {
				g.Expect(trouble).To(BeNil())
				return
			}
			g.Expect(trouble).NotTo(BeNil())
			g.Expect(trouble.kind).To(Equal(test.err), trouble.message)
		})
	}
}

// lost is a mapper that could not ask which kinds there are.
type lost struct{ meta.RESTMapper }

func (lost) RESTMapping(schema.GroupKind, ...string) (*meta.RESTMapping, error) {
	return nil, apierrors.NewServiceUnavailable("starting")
}

func TestAKindThatCannotBeLookedUpIsNotTakenForOneThatIsGone(t *testing.T) {
	_, trouble := (&Deployer{mapper: lost{}, target: shop}).lookToPrune(t.Context(), prices, webshop)
	g := NewWithT(t)
	g.Expect(trouble).NotTo(BeNil())
	g.Expect(trouble.kind).To(Equal(TransientError))
}

func TestWhatARolloutStandsOnIsUntouchable(t *testing.T) {
	for name, test := range map[string]struct {
		ref  v1alpha1.ObjectReference
		says string
	}{
		"the deployer":             {v1alpha1.ObjectReference{Kind: "ServiceAccount", Namespace: "shop", Name: "deployer"}, "are never pruned"},
		"its namespace":            {v1alpha1.ObjectReference{Kind: "Namespace", Name: "shop"}, "are never pruned"},
		"a former target's object": {v1alpha1.ObjectReference{Kind: "ConfigMap", Namespace: "old", Name: "prices"}, `"old" is no longer`},
		"what has no namespace":    {v1alpha1.ObjectReference{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "shop"}, ""},
		"an object of the target":  {prices, ""},
	} {
		t.Run(name, func(t *testing.T) {
			reason := (&Deployer{target: shop}).untouchable(test.ref)
			if test.says == "" {
				NewWithT(t).Expect(reason).To(BeEmpty())
				return
			}
			NewWithT(t).Expect(reason).To(ContainSubstring(test.says))
		})
	}
}

func TestADeployerThatCannotBeLookedForIsNotTakenForAMissingOne(t *testing.T) {
	accounts := schema.GroupResource{Resource: "serviceaccounts"}
	for name, test := range map[string]struct {
		answer answer
		says   string
	}{
		"there":         {map[string]any{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "deployer"}}, ""},
		"missing":       {apierrors.NewNotFound(accounts, "deployer"), "create the service account"},
		"not available": {apierrors.NewServiceUnavailable("starting"), `look for the deployer "deployer"`},
	} {
		t.Run(name, func(t *testing.T) {
			factory, _ := answering(t, map[string]answer{"GET": test.answer})
			err := factory.CheckDeployer(t.Context(), shop)
			if test.says == "" {
				NewWithT(t).Expect(err).NotTo(HaveOccurred())
				return
			}
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(test.says)))
		})
	}
	err := NewFactory(&rest.Config{Host: "https://not a host"}, nil).CheckDeployer(t.Context(), shop)
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("make a client")))
}

func TestOnlyAnUpdateThatIsRefusedForNothingElseNamesImmutableFields(t *testing.T) {
	causes := func(all ...metav1.StatusCause) *metav1.StatusDetails { return &metav1.StatusDetails{Causes: all} }
	invalid := func(details *metav1.StatusDetails) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonInvalid, Details: details}}
	}
	data := metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "data", Message: "Invalid value: {}: field is immutable when `immutable` is set"}
	selector := metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.selector", Message: "Invalid value: {}: field is immutable"}
	unnamed := metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Message: "Invalid value: {}: field is immutable"}
	wrong := metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.replicas", Message: "Invalid value: -1: must be greater than or equal to 0"}
	for name, test := range map[string]struct {
		err    error
		fields []string
	}{
		"one":                        {invalid(causes(data)), []string{"data"}},
		"two, one of them twice":     {invalid(causes(data, selector, data)), []string{"data", "spec.selector"}},
		"a field without a name":     {invalid(causes(unnamed)), nil},
		"something else wrong":       {invalid(causes(data, wrong)), nil},
		"no details":                 {invalid(nil), nil},
		"refused by somebody's rule": {&apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonForbidden, Details: causes(data)}}, nil},
		"no answer":                  {errors.New("connection refused"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(immutableFields(test.err)).To(Equal(test.fields))
		})
	}
}

func TestARolloutNeverDeletesWhatOthersDependOn(t *testing.T) {
	anew := func(apiVersion, kind, name, namespace string) *unstructured.Unstructured {
		object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
		object.SetName(name)
		object.SetNamespace(namespace)
		object.SetAnnotations(map[string]string{v1alpha1.AnnotationImmutable: v1alpha1.ImmutableRecreate})
		return object
	}
	for name, test := range map[string]struct {
		object *unstructured.Unstructured
		never  bool
	}{
		"a namespace":             {anew("v1", "Namespace", "other", ""), true},
		"a definition":            {anew("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.org", ""), true},
		"the deployer":            {anew("v1", "ServiceAccount", "deployer", "shop"), true},
		"another service account": {anew("v1", "ServiceAccount", "web", "shop"), false},
		"somebody's Namespace":    {anew("example.org/v1", "Namespace", "other", "shop"), false},
	} {
		t.Run(name, func(t *testing.T) {
			trouble := (&Deployer{target: shop}).decideRecreation(test.object, test.object, []string{"data"})
			if !test.never {
				NewWithT(t).Expect(trouble).To(BeNil())
				return
			}
			NewWithT(t).Expect(trouble).NotTo(BeNil())
			NewWithT(t).Expect(trouble.message).To(ContainSubstring("a rollout never deletes a " + test.object.GetKind()))
		})
	}
}

func TestOnlyWhatASecretHoldsIsMaskedInAnExplanation(t *testing.T) {
	holding := func(kind string, values map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": "prices"}, "data": values}}
	}
	refused := errors.New("the value hunter2 is refused")
	for name, test := range map[string]struct {
		object *unstructured.Unstructured
		says   string
		cause  bool
	}{
		"a Secret's value":           {holding("Secret", map[string]any{"password": "hunter2"}), "the value *** is refused", false},
		"another value of a Secret":  {holding("Secret", map[string]any{"password": "swordfish"}), "the value hunter2 is refused", true},
		"an empty value of a Secret": {holding("Secret", map[string]any{"password": ""}), "the value hunter2 is refused", true},
		"a ConfigMap's value":        {holding("ConfigMap", map[string]any{"password": "hunter2"}), "the value hunter2 is refused", true},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			trouble := (&Deployer{target: shop}).explainWrite(test.object, "patch", refused)
			g.Expect(trouble.message).To(ContainSubstring(test.says))
			g.Expect(errors.Is(trouble.cause, refused)).To(Equal(test.cause))
		})
	}
}
