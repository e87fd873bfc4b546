// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func digest(letter string) v1alpha1.Digest {
	return v1alpha1.Digest("sha256:" + strings.Repeat(letter, 64))
}

// fullRecord has something in every field, and text that encoders like to change.
func fullRecord(t testing.TB) *v1alpha1.AuditRecord {
	t.Helper()
	record, err := Seal("shop", v1alpha1.AuditHead{Sequence: 41, Head: digest("0")}, v1alpha1.AuditRecordSpec{
		Environment:    "production",
		Type:           v1alpha1.AuditIntent,
		Time:           metav1.NewTime(noon),
		Promotion:      v1alpha1.ObjectIdentity{Name: "shop-1.4.0", UID: "5c1e"},
		Release:        v1alpha1.AuditedRelease{ObjectIdentity: v1alpha1.ObjectIdentity{Name: "shop-1.4.0", UID: "9d2f"}, Version: "1.4.0", Digest: digest("1")},
		PlanDigest:     digest("2"),
		RenderedDigest: digest("3"),
		RequestedBy:    v1alpha1.Person{Username: "bob", UID: "7", Groups: []string{"system:authenticated", "developers"}},
		Reason:         "Rabatt <50 % & \"more\"\u2028für Zoë 🎉",
		Decisions: []v1alpha1.AuditedDecision{{
			User: "alice", UID: "8", Groups: []string{"shop-owners", "all"}, Decision: v1alpha1.DecisionApproved,
			Rules: []string{"owners"}, Comment: "ok\n", Time: metav1.NewTime(noon.Add(-time.Minute)),
		}},
		Target:  v1alpha1.Target{Namespace: "shop-prod", ServiceAccountName: "assent-deployer"},
		Objects: []v1alpha1.ObjectReference{{Group: "apps", Kind: "Deployment", Namespace: "shop-prod", Name: "shop"}, {Kind: "Namespace", Name: "shop-prod"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// completeRecord has something in the fields too that most records leave out.
func completeRecord(t testing.TB) *v1alpha1.AuditRecord {
	t.Helper()
	spec := fullRecord(t).Spec
	spec.PromotionType = v1alpha1.PromotionTypeRollback
	spec.Gates = []v1alpha1.OverridableGate{v1alpha1.OverridableGate(v1alpha1.GateWindow), v1alpha1.OverridableGate(v1alpha1.GateHold)}
	spec.By = v1alpha1.Person{Username: "erin", UID: "9", Groups: []string{"system:authenticated", "incident-managers"}}
	spec.DecidedBy = "alice"
	spec.ValuesDigest = digest("3")
	spec.Fallback = v1alpha1.Fallback{
		Release: v1alpha1.ObjectIdentity{Name: "shop-1.3.0", UID: "8"}, Version: "1.3.0", ReleaseDigest: digest("1"), RenderedDigest: digest("2"),
	}
	spec.Checks = []v1alpha1.AuditedCheck{
		{Name: "smoke", Result: v1alpha1.CheckPassed, Message: "status is 200", Time: spec.Time}, {Name: "errors", Result: v1alpha1.CheckFailed, Message: "too many", Time: spec.Time},
	}
	record, err := Seal("shop", v1alpha1.AuditHead{Sequence: 41, Head: digest("0")}, spec)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// A hash that is computed in another way tomorrow would make every history look edited. The file holds what is hashed,
// so that anybody can check a record with a JSON canonicaliser and sha256sum.
func TestTheHashOfARecordNeverChanges(t *testing.T) {
	const want = "sha256:a5f5a748b88be4fe4502de47e97020aeb37dcd5c43aaf187f361e0b6a47c4cf5"
	record := fullRecord(t)
	if record.Spec.Hash != want {
		t.Errorf("the hash is %s, want %s", record.Spec.Hash, want)
	}
	canonical, err := os.ReadFile("testdata/record.canonical.json")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(canonical)
	if got := "sha256:" + hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the canonical form in testdata has the hash %s, want %s", got, want)
	}
	var spec v1alpha1.AuditRecordSpec
	if err := json.Unmarshal(canonical, &spec); err != nil {
		t.Fatal(err)
	}
	spec.Hash = want
	if !reflect.DeepEqual(spec, roundTrip(t, record).Spec) {
		t.Error("the canonical form in testdata is not that of the record")
	}
}

func TestTheHashDoesNotDependOnHowTheRecordWasEncoded(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(spec *v1alpha1.AuditRecordSpec)
	}{
		{"nothing", func(*v1alpha1.AuditRecordSpec) {}},
		{"the hash itself", func(spec *v1alpha1.AuditRecordSpec) { spec.Hash = "" }},
		{"the time zone", func(spec *v1alpha1.AuditRecordSpec) {
			spec.Time = metav1.NewTime(spec.Time.In(time.FixedZone("Europe/Zurich", 3600)))
			spec.Decisions[0].Time = metav1.NewTime(spec.Decisions[0].Time.In(time.FixedZone("Asia/Kolkata", 19800)))
		}},
		{"parts of a second, which the API does not keep", func(spec *v1alpha1.AuditRecordSpec) {
			spec.Time = metav1.NewTime(spec.Time.Add(999 * time.Millisecond))
			spec.Decisions[0].Time = metav1.NewTime(spec.Decisions[0].Time.Add(time.Microsecond))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			record := fullRecord(t)
			want := record.Spec.Hash
			test.change(&record.Spec)
			if got, err := Hash(record.Spec); err != nil || got != want {
				t.Errorf("the hash is %s (%v), want %s", got, err, want)
			}
			if got, err := Hash(roundTrip(t, record).Spec); err != nil || got != want {
				t.Errorf("the hash after a round trip through the API's encoding is %s (%v), want %s", got, err, want)
			}
		})
	}
}

func TestEmptyListsHaveTheHashOfAbsentOnes(t *testing.T) {
	absent := entry(v1alpha1.AuditRejected, "first")
	absent.Decisions = []v1alpha1.AuditedDecision{{User: "dave", Decision: v1alpha1.DecisionRejected, Time: metav1.NewTime(noon)}}
	absent.RequestedBy.Username = "bob"
	empty := *absent.DeepCopy()
	empty.RequestedBy.Groups, empty.Objects = []string{}, []v1alpha1.ObjectReference{}
	empty.Decisions[0].Groups, empty.Decisions[0].Rules = []string{}, []string{}
	want, err := Hash(absent)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Hash(empty); err != nil || got != want {
		t.Errorf("the hash is %s (%v), want %s", got, err, want)
	}
}

func TestHashingLeavesTheRecordAsItIs(t *testing.T) {
	record := fullRecord(t)
	record.Spec.Time = metav1.NewTime(record.Spec.Time.In(time.FixedZone("Europe/Zurich", 3600)))
	before := record.DeepCopy()
	if _, err := Hash(record.Spec); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, record) {
		t.Error("the record was changed")
	}
}

// Every field is under the hash: whatever is changed in a record is found.
func TestEveryFieldIsUnderTheHash(t *testing.T) {
	record := completeRecord(t)
	want := record.Spec.Hash
	changed := 0
	changeEach(reflect.ValueOf(&record.Spec).Elem(), "spec", func(field string, spec reflect.Value, undo func()) {
		defer undo()
		if field == "spec.Hash" {
			return
		}
		changed++
		got, err := Hash(spec.Interface().(v1alpha1.AuditRecordSpec))
		if err != nil || got == want {
			t.Errorf("a change of %s is not found (%v)", field, err)
		}
	})
	if changed < 56 {
		t.Errorf("only %d fields were changed", changed)
	}
}

// changeEach changes every leaf of a struct in turn, and swaps the entries of every list.
func changeEach(root reflect.Value, name string, check func(field string, root reflect.Value, undo func())) {
	var walk func(value reflect.Value, name string)
	change := func(value reflect.Value, name string, to reflect.Value) {
		before := reflect.New(value.Type()).Elem()
		before.Set(value)
		value.Set(to)
		check(name, root, func() { value.Set(before) })
	}
	walk = func(value reflect.Value, name string) {
		if moment, is := value.Interface().(metav1.Time); is {
			change(value, name, reflect.ValueOf(metav1.NewTime(moment.Add(time.Second))))
			return
		}
		switch value.Kind() {
		case reflect.Struct:
			for i := range value.NumField() {
				walk(value.Field(i), name+"."+value.Type().Field(i).Name)
			}
		case reflect.Slice:
			change(value, name+" (first left out)", value.Slice(1, value.Len()))
			if value.Len() > 1 {
				swapped := reflect.MakeSlice(value.Type(), value.Len(), value.Len())
				reflect.Copy(swapped, value)
				reflect.Swapper(swapped.Interface())(0, 1)
				change(value, name+" (order)", swapped)
			}
			for i := range value.Len() {
				walk(value.Index(i), name+"[]")
			}
		case reflect.String:
			change(value, name, reflect.ValueOf(value.String()+"x").Convert(value.Type()))
		case reflect.Int64:
			change(value, name, reflect.ValueOf(value.Int()+1).Convert(value.Type()))
		default:
			panic("a field of a kind that this test does not know: " + name)
		}
	}
	walk(root, name)
}

func TestRecordsSortByNameAsTheyDoByNumber(t *testing.T) {
	if before, after := Name("production", 999), Name("production", 1000); before >= after {
		t.Errorf("%s does not come before %s", before, after)
	}
	if got, want := Name("production", 9999999999), "production-9999999999"; got != want {
		t.Errorf("the last record is named %s, want %s", got, want)
	}
}

// roundTrip is what comes back of a record that was written as JSON and read as YAML, as `kubectl get -o yaml` shows it.
func roundTrip(t testing.TB, record *v1alpha1.AuditRecord) *v1alpha1.AuditRecord {
	t.Helper()
	raw, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.JSONToYAML(raw)
	if err != nil {
		t.Fatal(err)
	}
	var back v1alpha1.AuditRecord
	if err := yaml.UnmarshalStrict(text, &back); err != nil {
		t.Fatal(err)
	}
	return &back
}
