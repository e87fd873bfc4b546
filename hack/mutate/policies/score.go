// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"io"
	"os"
	"time"

	"sigs.k8s.io/yaml"
)

// exception is a mutant that no test can notice, or that none should have to.
type exception struct {
	// name of the mutant.
	name string
	// reason why it makes no difference.
	reason string
}

// readExceptions reads the file of exceptions. Each has to have a reason, and to be named once.
func readExceptions(path string) ([]exception, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the exceptions: %w", err)
	}
	var file struct {
		Exceptions []struct {
			Reason string   `json:"reason"`
			Names  []string `json:"names"`
		} `json:"exceptions"`
	}
	if err := yaml.UnmarshalStrict(content, &file); err != nil {
		return nil, fmt.Errorf("reading the exceptions in %q: %w", path, err)
	}
	var all []exception
	seen := map[string]bool{}
	for _, e := range file.Exceptions {
		for _, name := range e.Names {
			switch {
			case e.Reason == "":
				return nil, fmt.Errorf("the exception %q in %q has no `reason`", name, path)
			case seen[name]:
				return nil, fmt.Errorf("the exception %q is in %q twice", name, path)
			}
			seen[name] = true
			all = append(all, exception{name: name, reason: e.Reason})
		}
	}
	return all, nil
}

// outcome is what became of a mutant.
type outcome struct {
	mutant mutant
	// killedBy names the test that has noticed it, if one has.
	killedBy string
	// in which mood.
	in mood
	// refused is why the API server does not take it, if it does not.
	refused string
	took    time.Duration
}

// score counts what became of the mutants.
type score struct {
	outcomes   []outcome
	exceptions []exception
	// known are the names of all mutants that there are, whether they were tried or not.
	known map[string]bool
}

// print writes the score, and is an error unless every mutant was noticed that no exception is made of, and every exception is one.
func (s score) print(to io.Writer) error {
	reasons := map[string]string{}
	for _, e := range s.exceptions {
		reasons[e.name] = e.reason
	}
	var killed, invalid int
	var survived, excepted, mistaken []outcome
	for _, o := range s.outcomes {
		_, isException := reasons[o.mutant.name]
		switch {
		case o.refused != "":
			invalid++
		case o.killedBy != "" && isException:
			mistaken = append(mistaken, o)
		case o.killedBy != "":
			killed++
		case isException:
			excepted = append(excepted, o)
		default:
			survived = append(survived, o)
		}
	}
	for _, o := range excepted {
		fmt.Fprintf(to, "exception: %s\n  %s\n", o.mutant.name, reasons[o.mutant.name])
	}
	for _, o := range s.outcomes {
		if o.refused != "" {
			fmt.Fprintf(to, "invalid: %s\n  %s\n", o.mutant.name, o.refused)
		}
	}
	for _, o := range survived {
		fmt.Fprintf(to, "SURVIVED: %s\n%s", o.mutant.name, difference(o.mutant))
	}
	unknown := s.unknown()
	for _, name := range unknown {
		fmt.Fprintf(to, "MISTAKEN EXCEPTION: %s\n  no mutant has this name: take it off the list\n", name)
	}
	for _, o := range mistaken {
		fmt.Fprintf(to, "MISTAKEN EXCEPTION: %s\n  a test notices it: take it off the list\n  %s\n", o.mutant.name, o.killedBy)
	}
	total := killed + len(survived)
	fmt.Fprintf(to, "policies: killed %d/%d = %s; %d exceptions, %d invalid\n", killed, total, percent(killed, total), len(excepted)+len(mistaken), invalid)
	if len(survived) > 0 || len(mistaken) > 0 || len(unknown) > 0 {
		return fmt.Errorf("%d mutants survived, and %d exceptions are none", len(survived), len(mistaken)+len(unknown))
	}
	return nil
}

func (s score) unknown() []string {
	var names []string
	for _, e := range s.exceptions {
		if !s.known[e.name] {
			names = append(names, e.name)
		}
	}
	return names
}

// percent rounds down: only all are 100 %.
func percent(part, all int) string {
	if all == 0 {
		return "nothing was tried"
	}
	if part == all {
		return "100 %"
	}
	return fmt.Sprintf("%.1f %%", float64(part*1000/all)/10)
}

func difference(m mutant) string {
	return fmt.Sprintf("  --- %s\n  - %s\n  + %s\n", m.changed.path, m.before, m.after)
}
