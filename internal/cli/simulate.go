// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/assent-dev/assent/api/v1alpha1"
	"github.com/assent-dev/assent/internal/promotion"
	"github.com/assent-dev/assent/internal/report"
	"github.com/assent-dev/assent/internal/rules"
)

type simulateCommand struct {
	*session
	output *output
	file   string
	since  time.Duration
	all    bool
}

func newSimulate(s *session) *cobra.Command {
	m := &simulateCommand{session: s}
	cmd := &cobra.Command{
		Use:     "simulate ENVIRONMENT --filename RULES",
		GroupID: groupSee,
		Short:   "Say what an Environment would have decided with other rules",
		Long: `Decide on the Promotions to an Environment once more, with other rules: which have started that would not have, and what would have kept them; and which would
have started that did not. It decides by the code of the operator itself, and writes nothing.

The rules are those of an Environment's spec, as YAML or JSON: a field that the file has stands in the place of the Environment's own, and the others stay. A
whole Environment is taken too; its target is not.

What people had decided by then is taken as it was. What ran in each Environment then, and for how long, comes from the history. What the history does not say is
taken for granted: health in between, that nothing was on hold, that guard and deployer were in order. A check that did not exist then has no answer, and blocks.
Promotions that are not kept any more cannot be decided on once more; their number is said.`,
		Example: `  kubectl assent simulate production --filename rules.yaml
  kubectl assent simulate production -f rules.yaml --since 720h -o json`,
		Args: names(1, 1, "one Environment, such as `kubectl assent simulate production --filename rules.yaml`"),
	}
	m.output = addOutput(cmd)
	s.completes(cmd, anyEnvironment, 1)
	cmd.Flags().StringVarP(&m.file, "filename", "f", "", "The file of the rules; - is standard input.")
	cmd.Flags().DurationVar(&m.since, "since", 0, "Those that were decided not longer ago than that, such as 720h.")
	cmd.Flags().BoolVar(&m.all, "all", false, "List those that would have gone the same way, too.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if m.file == "" {
			return misused(cmd, fmt.Errorf("name the file of the rules by --filename"))
		}
		return m.run(cmd.Context(), args[0])
	}
	return cmd
}

func (m *simulateCommand) run(ctx context.Context, name string) error {
	text, err := m.read()
	if err != nil {
		return fmt.Errorf("reading the rules: %w", err)
	}
	c, err := m.connect()
	if err != nil {
		return err
	}
	environment := &v1alpha1.Environment{}
	if err := c.read(ctx, name, environment); err != nil {
		return err
	}
	spec, err := otherRules(environment.Spec, text)
	if err != nil {
		return fmt.Errorf("the rules in %q: %w", m.file, err)
	}
	if err := m.valid(ctx, c, environment, spec); err != nil {
		return err
	}
	known, err := c.whatWas(ctx, name)
	if err != nil {
		return err
	}
	if err := sensibleRules(environment, spec, known.environments); err != nil {
		return err
	}
	simulation := known.simulate(environment, spec, m.since)
	if !m.all {
		simulation = simulation.Differing()
	}
	if !m.output.forPeople() {
		return m.output.print(m.Out, c.scheme, simulation)
	}
	fmt.Fprint(m.Out, simulation.Text(m.style()))
	return nil
}

func (m *simulateCommand) read() ([]byte, error) {
	if m.file == "-" {
		return io.ReadAll(m.In)
	}
	return os.ReadFile(m.file)
}

// otherRules are those of an Environment, but for the fields that the text has.
func otherRules(own v1alpha1.EnvironmentSpec, text []byte) (v1alpha1.EnvironmentSpec, error) {
	var given map[string]any
	if err := yaml.UnmarshalStrict(text, &given); err != nil {
		return own, err
	}
	if spec, ok := given["spec"].(map[string]any); ok && given["kind"] == "Environment" {
		given = spec
	}
	if len(given) == 0 {
		return own, fmt.Errorf("there are none: write fields of an Environment's `spec`, such as `approval`, or a whole Environment")
	}
	delete(given, "target") // who deploys where is no rule
	encoded, err := json.Marshal(own)
	if err != nil {
		return own, err
	}
	var merged map[string]any
	if err := json.Unmarshal(encoded, &merged); err != nil {
		return own, err
	}
	for field, value := range given {
		merged[field] = value
	}
	if encoded, err = json.Marshal(merged); err != nil {
		return own, err
	}
	var found v1alpha1.EnvironmentSpec
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	return found, decoder.Decode(&found)
}

// valid asks the API server whether it would take the rules. Who may not change the Environment simulates all the same.
func (m *simulateCommand) valid(ctx context.Context, c *connection, environment *v1alpha1.Environment, spec v1alpha1.EnvironmentSpec) error {
	changed := environment.DeepCopy()
	changed.Spec = spec
	err := c.Update(ctx, changed, client.DryRunAll, client.FieldOwner(v1alpha1.FieldManager))
	if apierrors.IsForbidden(err) {
		m.say("Whether the API server would take these rules is not known: you may not change environment %q.", environment.Name)
		return nil
	}
	return err
}

// sensibleRules is an error where the rules cannot be carried out.
func sensibleRules(environment *v1alpha1.Environment, spec v1alpha1.EnvironmentSpec, project []*v1alpha1.Environment) error {
	changed := environment.DeepCopy()
	changed.Spec = spec
	byName := map[string]*v1alpha1.Environment{}
	for _, other := range project {
		byName[other.Name] = other
	}
	byName[changed.Name] = changed
	if problems := rules.Problems(changed, byName); len(problems) > 0 {
		return fmt.Errorf("the rules cannot be carried out: %s", rules.Text(problems))
	}
	return nil
}

// whatWas is everything that past decisions were made of.
type whatWas struct {
	promotions   []*v1alpha1.Promotion
	releases     map[string]*v1alpha1.Release
	environments []*v1alpha1.Environment
	records      []v1alpha1.AuditRecord
}

func (c *connection) whatWas(ctx context.Context, environment string) (whatWas, error) {
	known := whatWas{releases: map[string]*v1alpha1.Release{}}
	project := client.InNamespace(c.project)
	environments, err := c.environments(ctx, project)
	if err != nil {
		return known, err
	}
	for i := range environments {
		known.environments = append(known.environments, &environments[i])
	}
	err = pages(ctx, c, func() *v1alpha1.ReleaseList { return &v1alpha1.ReleaseList{} }, func(page *v1alpha1.ReleaseList) {
		for i := range page.Items {
			known.releases[page.Items[i].Name] = &page.Items[i]
		}
	}, project)
	if err != nil {
		return known, err
	}
	err = pages(ctx, c, func() *v1alpha1.PromotionList { return &v1alpha1.PromotionList{} }, func(page *v1alpha1.PromotionList) {
		for i := range page.Items {
			known.promotions = append(known.promotions, &page.Items[i])
		}
	}, project, client.MatchingFields{"spec.environment": environment})
	if err != nil {
		return known, err
	}
	return known, c.records(ctx, func(record *v1alpha1.AuditRecord) error {
		known.records = append(known.records, *record)
		return nil
	}, project)
}

func (w whatWas) simulate(environment *v1alpha1.Environment, spec v1alpha1.EnvironmentSpec, since time.Duration) report.Simulation {
	past := make([]promotion.Past, 0, len(w.promotions))
	for _, p := range w.promotions {
		past = append(past, promotion.Past{Promotion: p, Release: w.releases[p.Spec.Release]})
	}
	at := now()
	found := promotion.Simulate(spec, environment, w.environments, w.records, past, at)
	if since == 0 {
		return report.Simulated(environment, w.promotions, found, w.records)
	}
	var promotions []*v1alpha1.Promotion
	var kept []promotion.Simulated
	for i, one := range found {
		if at.Sub(one.At) <= since {
			promotions, kept = append(promotions, w.promotions[i]), append(kept, one)
		}
	}
	return report.Simulated(environment, promotions, kept, nil)
}
