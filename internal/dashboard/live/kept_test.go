// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/dashboard/page"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func environment(project, name string, version int) *v1alpha1.Environment {
	return &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name, UID: types.UID(name), ResourceVersion: fmt.Sprint(version)}}
}

// promotion that has ended so many minutes after noon; one that has not where that is zero.
func promotion(name, into string, minutes int) *v1alpha1.Promotion {
	p := &v1alpha1.Promotion{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), ResourceVersion: fmt.Sprint(minutes)},
		Spec:       v1alpha1.PromotionSpec{Environment: into},
	}
	if minutes > 0 {
		p.Status.CompletionTime = metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))
	}
	return p
}

func names[T client.Object](objects []T) []string {
	found := []string{}
	for _, object := range objects {
		found = append(found, object.GetName())
	}
	return found
}

func TestAShelfIsInTheOrderOfProjectsAndNamesWhateverHappens(t *testing.T) {
	shelf := newShelf[*v1alpha1.Environment]()
	var want []*v1alpha1.Environment
	check := func(what string) {
		t.Helper()
		got, _ := shelf.handOut()
		slices.SortFunc(want, func(a, b *v1alpha1.Environment) int {
			return compare(client.ObjectKeyFromObject(a), client.ObjectKeyFromObject(b))
		})
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %v, not %v", what, names(got), names(want))
		}
	}
	for i, at := range []place{{Namespace: "b", Name: "m"}, {Namespace: "a", Name: "z"}, {Namespace: "b", Name: "a"}, {Namespace: "c", Name: "c"}, {Namespace: "a", Name: "a"}} {
		object := environment(at.Namespace, at.Name, i)
		shelf.put(object)
		want = append(want, object)
		if i%2 == 1 {
			check("put " + at.String())
		}
	}
	check("put all")
	for _, i := range []int{0, 3, 1} {
		shelf.take(client.ObjectKeyFromObject(want[i]))
		want = slices.Delete(want, i, i+1)
		check("take one")
	}
	changed := environment(want[0].Namespace, want[0].Name, 99)
	shelf.put(changed)
	want[0] = changed
	check("change one")
}

func TestWhatWasHandedOutNeverChanges(t *testing.T) {
	shelf := newShelf[*v1alpha1.Environment]()
	for _, name := range []string{"a", "b", "c"} {
		shelf.put(environment("shop", name, 1))
	}
	before, _ := shelf.handOut()
	copied := slices.Clone(before)
	shelf.put(environment("shop", "b", 2))
	shelf.take(place{Namespace: "shop", Name: "a"})
	shelf.put(environment("shop", "d", 1))
	after, differ := shelf.handOut()
	if !slices.Equal(before, copied) {
		t.Errorf("it has become %v", names(before))
	}
	if !differ || !slices.Equal(names(after), []string{"b", "c", "d"}) || after[0].ResourceVersion != "2" {
		t.Errorf("then %v was handed out", names(after))
	}
}

func TestTheSameObjectAgainIsNoChange(t *testing.T) {
	kept := newKept()
	kept.put(environment("shop", "dev", 1))
	world, _ := kept.handOut(nil)
	kept.put(environment("shop", "dev", 1))
	fresh := newKept()
	fresh.put(environment("shop", "dev", 1))
	kept.become(ofEnvironments, fresh)
	if again, differs := kept.handOut(world); differs || again != world {
		t.Error("the same was handed out as another World")
	}
	recreated := environment("shop", "dev", 1)
	recreated.UID = "another"
	kept.put(recreated)
	if _, differs := kept.handOut(world); !differs {
		t.Error("another object of the same name was not seen")
	}
}

func TestWhatIsNotListedAgainIsGone(t *testing.T) {
	kept := newKept()
	kept.put(environment("shop", "dev", 1))
	kept.put(environment("shop", "production", 1))
	kept.put(promotion("open", "dev", 0))
	fresh := newKept()
	fresh.put(environment("shop", "dev", 1))
	kept.become(ofEnvironments, fresh)
	world, _ := kept.handOut(nil)
	if got := names(world.Environments); !slices.Equal(got, []string{"dev"}) || len(world.Promotions) != 1 {
		t.Errorf("there is %v, and %d promotions", got, len(world.Promotions))
	}
}

func TestOfEndedPromotionsTheLastOfEachEnvironmentIsKept(t *testing.T) {
	for _, test := range []struct {
		name string
		put  []*v1alpha1.Promotion
		want []string
	}{
		{"all that have not ended", []*v1alpha1.Promotion{promotion("a", "dev", 0), promotion("b", "dev", 0)}, []string{"a", "b"}},
		{"the last one that has", []*v1alpha1.Promotion{promotion("a", "dev", 1), promotion("b", "dev", 3), promotion("c", "dev", 2)}, []string{"b"}},
		{"in each Environment", []*v1alpha1.Promotion{promotion("a", "dev", 1), promotion("b", "production", 3)}, []string{"a", "b"}},
		{"one that ends is the last", []*v1alpha1.Promotion{promotion("a", "dev", 1), promotion("b", "dev", 0), promotion("b", "dev", 2)}, []string{"b"}},
		{"one that ends is not the last", []*v1alpha1.Promotion{promotion("a", "dev", 5), promotion("b", "dev", 0), promotion("b", "dev", 2)}, []string{"a"}},
		{"the last one changes", []*v1alpha1.Promotion{promotion("a", "dev", 5), promotion("a", "dev", 6)}, []string{"a"}},
	} {
		kept := newKept()
		for _, p := range test.put {
			kept.put(p)
		}
		world, _ := kept.handOut(nil)
		if got := names(world.Promotions); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, not %v", test.name, got, test.want)
		}
	}
}

func TestWhereTheLastPromotionIsDeletedItIsLookedForOnce(t *testing.T) {
	kept := newKept()
	kept.put(environment("shop", "dev", 1))
	for _, p := range []*v1alpha1.Promotion{promotion("old", "dev", 1), promotion("last", "dev", 2), promotion("open", "dev", 0), promotion("elsewhere", "gone", 2)} {
		kept.put(p)
	}
	kept.remove(promotion("open", "dev", 0))
	kept.remove(promotion("old", "dev", 1))
	if missing := kept.missing(); len(missing) != 0 {
		t.Errorf("these are missing: %v", missing)
	}
	kept.remove(promotion("last", "dev", 2))
	kept.remove(promotion("elsewhere", "gone", 2))
	if missing := kept.missing(); !slices.Equal(missing, []place{{Namespace: "shop", Name: "dev"}}) {
		t.Errorf("these are missing: %v", missing)
	}
	if missing := kept.missing(); len(missing) != 0 {
		t.Errorf("these are missing again: %v", missing)
	}
	kept.put(promotion("old", "dev", 1))
	if world, _ := kept.handOut(nil); !slices.Equal(names(world.Promotions), []string{"old"}) {
		t.Errorf("%v", names(world.Promotions))
	}
}

func TestWhatNobodyIsShownIsNotKept(t *testing.T) {
	kept := newKept()
	object := environment("shop", "dev", 1)
	object.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "assent"}}
	object.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "stays"}
	kept.put(object)
	world, _ := kept.handOut(nil)
	if got := world.Environments[0]; got.ManagedFields != nil || len(got.Annotations) != 1 || got.Annotations["mine"] != "stays" {
		t.Errorf("kept: %v, %v", got.ManagedFields, got.Annotations)
	}
}

func TestTheProjectsAreThoseOfAllKinds(t *testing.T) {
	kept := newKept()
	kept.put(environment("c", "dev", 1))
	kept.put(environment("a", "dev", 1))
	kept.put(environment("a", "production", 1))
	kept.put(&v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "shop-1"}})
	kept.put(promotion("open", "dev", 0))
	world, _ := kept.handOut(nil)
	if want := []string{"a", "b", "c", "shop"}; !slices.Equal(world.Projects, want) {
		t.Errorf("%v, not %v", world.Projects, want)
	}
}

// BenchmarkOneChange is what one changed Promotion costs until there is a World with it, among 2,000 Environments and 10,000 Promotions.
func BenchmarkOneChange(b *testing.B) {
	kept := newKept()
	for project := range 200 {
		for stage := range 10 {
			kept.put(environment(fmt.Sprintf("project-%03d", project), fmt.Sprintf("stage-%d", stage), 1))
		}
		for open := range 50 {
			p := promotion(fmt.Sprintf("promotion-%02d", open), "stage-1", 0)
			p.Namespace = fmt.Sprintf("project-%03d", project)
			kept.put(p)
		}
	}
	var last *page.World
	last, _ = kept.handOut(last)
	b.ReportAllocs()
	for i := range b.N {
		changed := promotion("promotion-07", "stage-1", 0)
		changed.Namespace, changed.ResourceVersion = fmt.Sprintf("project-%03d", i%200), fmt.Sprint(i+1)
		kept.put(changed)
		world, differs := kept.handOut(last)
		if !differs || len(world.Promotions) != 10_000 || len(world.Environments) != 2_000 {
			b.Fatal("the change is not there")
		}
		last = compose([]portion{{scope: everything, has: world}})
	}
}
