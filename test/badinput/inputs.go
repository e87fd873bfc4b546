// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/test/cluster"
)

// Input is one object that somebody sends.
type Input struct {
	// Name says which field holds what, and is the same in each run.
	Name string
	// Kind of the object.
	Kind *Kind
	// Field that is bad, as the API server writes it; "" where it is no single one.
	Field string
	// Refused says that the schema rules the input out. Any other may be refused as well: by a rule, or by the guard.
	Refused bool

	// spec is made when the input is sent.
	spec     func() any
	metadata map[string]any
	body     []byte
}

// Body is the input as JSON, as an object of that name and namespace.
func (i *Input) Body(namespace, name string) []byte {
	if i.body != nil {
		return []byte(strings.NewReplacer("NAMESPACE", namespace, "NAME", name).Replace(string(i.body)))
	}
	metadata := map[string]any{"name": name, "namespace": namespace}
	for key, value := range i.metadata {
		metadata[key] = value
	}
	content := map[string]any{"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": i.Kind.Name, "metadata": metadata, "spec": i.spec()}
	if _, gone := content["spec"].(absent); gone {
		delete(content, "spec")
	}
	body, err := json.Marshal(content)
	if err != nil {
		panic(fmt.Sprintf("input %q: %v", i.Name, err)) // it is made of what JSON has
	}
	return body
}

// Surroundings are what good values of an input refer to.
type Surroundings struct {
	// Target of Environments.
	Target v1alpha1.Target
	// Release and Environment of Promotions, and the user who creates them.
	Release, Environment, User string
}

// base of a kind is the specification that an input differs from by what is bad in it.
func (s Surroundings) base(kind *Kind) map[string]any {
	switch kind.Name {
	case "Release":
		return map[string]any{"application": cluster.Application, "version": "1.0.0", "source": map[string]any{"inline": goodManifests}}
	case "Environment":
		target := map[string]any{"namespace": s.Target.Namespace, "serviceAccountName": s.Target.ServiceAccountName}
		return map[string]any{"application": cluster.Application, "target": target}
	case "Promotion":
		return map[string]any{"release": s.Release, "environment": s.Environment}
	}
	return sampleObject(&kind.spec)
}

// Inputs are all that there are for a kind, in the same order each time: those of each field, of each two optional fields of an object together, of
// the whole object, and a number of combinations that the seed chooses.
func Inputs(kind *Kind, around Surroundings, combinations int, seed uint64) []Input {
	maker := maker{kind: kind, base: around.base(kind)}
	everyField(nil, &kind.spec, maker.field)
	everyField(nil, &kind.spec, maker.pairs)
	maker.whole()
	maker.combine(combinations, rand.New(rand.NewPCG(seed, seed)))
	return maker.made
}

type maker struct {
	kind *Kind
	base map[string]any
	made []Input
	// taken are the changes that a schema does not rule out.
	taken []change
}

type change struct {
	at field
	of value
}

func (m *maker) add(name string, at field, refused bool, spec func() any) {
	m.made = append(m.made, Input{Name: m.kind.Name + " " + name, Kind: m.kind, Field: at.String(), Refused: refused, spec: spec})
}

// field makes the inputs of one field.
func (m *maker) field(at field, of *schema) {
	if len(at) == 0 {
		return
	}
	for _, one := range values(at, of) {
		m.add(fmt.Sprintf("%s: %s", at, one.called), at, one.refused, func() any { return put(m.base, &m.kind.spec, at, one.is) })
		if !one.refused {
			m.taken = append(m.taken, change{at, one})
		}
	}
	for _, name := range needed(of) {
		without := at.below(name)
		m.add(fmt.Sprintf("%s: left out", without), without, true, func() any { return put(m.base, &m.kind.spec, without, absent{}) })
	}
}

// pairs makes the inputs of an object in which two optional properties are set at once.
func (m *maker) pairs(at field, of *schema) {
	var optional []string
	for _, name := range sortedNames(of) {
		if !slices.Contains(of.Required, name) {
			optional = append(optional, name)
		}
	}
	for i, one := range optional {
		for _, other := range optional[i+1:] {
			both := slices.Contains(choice(of), one) && slices.Contains(choice(of), other)
			m.add(fmt.Sprintf("%s: %s and %s", at, one, other), at, both && exclusive(of), func() any {
				return addTo(put(m.base, &m.kind.spec, at.below(one), setting(of, one)), at, other, setting(of, other))
			})
		}
	}
}

func setting(of *schema, name string) any {
	property := of.Properties[name]
	return sample(name, &property)
}

// addTo a specification one more property of an object in it, and leave what is beside it as it is.
func addTo(current any, at field, name string, value any) any {
	switch content := current.(type) {
	case map[string]any:
		if len(at) == 0 {
			content[name] = value
			return content
		}
		content[at[0]] = addTo(content[at[0]], at[1:], name, value)
	case []any:
		content[0] = addTo(content[0], at[1:], name, value)
	}
	return current
}

// combine makes inputs in which several fields are set at once.
func (m *maker) combine(count int, r *rand.Rand) {
	for i := range count {
		var changes []change
		var fields []string
		for range 2 + r.IntN(5) {
			one := m.taken[r.IntN(len(m.taken))]
			changes, fields = append(changes, one), append(fields, fmt.Sprintf("%s %s", one.at, one.of.called))
		}
		m.add(fmt.Sprintf("combination %d: %s", i, strings.Join(fields, "; ")), nil, false, func() any {
			var spec any = m.base
			for _, one := range changes {
				spec = put(spec, &m.kind.spec, one.at, one.of.is)
			}
			return spec
		})
	}
}

// whole makes the inputs that are bad outside of the specification, or no object at all.
func (m *maker) whole() {
	for _, one := range []value{
		{called: "null", is: nil, refused: true}, {called: "a text", is: "text", refused: true}, {called: "a list", is: []any{}, refused: true},
		{called: "empty", is: map[string]any{}, refused: true}, {called: "left out", is: absent{}, refused: true},
	} {
		m.add("spec: "+one.called, nil, one.refused, func() any { return one.is })
	}
	for name, metadata := range strangeMetadata() {
		m.made = append(m.made, Input{Name: m.kind.Name + " metadata: " + name, Kind: m.kind, spec: func() any { return m.base }, metadata: metadata})
	}
	spec, err := json.Marshal(m.base)
	if err != nil {
		panic(err) // it is made of what JSON has
	}
	for name, body := range strangeBodies(m.kind.Name, string(spec)) {
		m.made = append(m.made, Input{Name: m.kind.Name + " body: " + name, Kind: m.kind, Refused: name != anotherKind, body: []byte(body)})
	}
	slices.SortStableFunc(m.made, func(a, b Input) int { return strings.Compare(a.Name, b.Name) })
}

// Choose a number of inputs by a seed; all of them if there are no more.
func Choose(inputs []Input, count int, seed uint64) []Input {
	chosen := slices.Clone(inputs)
	r := rand.New(rand.NewPCG(seed, 1))
	r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen[:min(count, len(chosen))]
}
