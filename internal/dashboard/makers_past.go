// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/assent-dev/assent/internal/dashboard/page"
)

func (s *Server) environment(ctx context.Context, v *visit) (page.View, error) {
	environment, err := lookUp(ctx, v, v.world.Environments)
	if err != nil {
		return page.View{}, err
	}
	seen := page.EnvironmentSeen{Environment: environment}
	seen.Trouble, seen.ProjectHold = v.past.beside(ctx, environment)
	for _, promotion := range v.world.Promotions {
		if promotion.Namespace == environment.Namespace && promotion.Spec.Environment == environment.Name {
			seen.Promotions = append(seen.Promotions, promotion)
		}
	}
	seen.Records, err = v.past.newest(ctx, headOf(v.world, environment.Namespace, environment.Name), mostHistory,
		client.InNamespace(environment.Namespace), client.MatchingFields{"spec.environment": environment.Name})
	if err != nil {
		return page.View{}, err
	}
	if seen.Rights, err = v.viewer.Rights(ctx, environment.Namespace, environment.Name); err != nil {
		return page.View{}, err
	}
	return page.Environment(v.Context, seen)
}

// headOf histories is how far they have come: of one Environment, of a project, or of all. It is another one when there is a new record.
func headOf(world *page.World, project, name string) string {
	text := ""
	for _, environment := range world.Environments {
		if (project == "" || environment.Namespace == project) && (name == "" || environment.Name == name) {
			text += strconv.FormatInt(environment.Status.Audit.Sequence, 10) + " "
		}
	}
	return text
}

func (s *Server) audit(ctx context.Context, v *visit) (page.View, error) {
	seen, err := v.auditSeen(ctx)
	if err != nil {
		return page.View{}, err
	}
	return page.Audit(v.Context, seen)
}

// auditSeen is what the page of the audit, and what is exported from it, is made of.
func (v *visit) auditSeen(ctx context.Context) (page.AuditSeen, error) {
	seen := page.AuditSeen{Filter: page.AuditFilterOf(v.URL.Query()), Environments: v.world.Environments, Projects: v.world.Projects}
	var options []client.ListOption
	if seen.Filter.Environment != "" {
		options = append(options, client.MatchingFields{"spec.environment": seen.Filter.Environment})
	}
	found, err := v.past.across(ctx, v.scope(seen.Filter.Project), options...)
	seen.Records, seen.Cut = found.records, found.cut
	return seen, err
}

func (s *Server) insight(ctx context.Context, v *visit) (page.View, error) {
	seen := page.InsightSeen{
		Scope: page.InsightScopeOf(v.URL.Query()), Environments: v.world.Environments, Releases: v.world.Releases, Projects: v.world.Projects,
	}
	found, err := v.past.across(ctx, v.scope(seen.Scope.Project))
	if err != nil {
		return page.View{}, err
	}
	seen.Records, seen.Cut = found.records, found.cut
	if seen.Requests, err = v.past.requests(ctx, v.scope(seen.Scope.Project)); err != nil {
		return page.View{}, err
	}
	return page.Insight(v.Context, seen)
}

// scope is what is to be read: the project that is named; else all at once, where the viewer may list across projects, or each of those that they may see.
func (v *visit) scope(project string) []string {
	switch {
	case project != "":
		return []string{project}
	case v.viewer.SeesAll():
		return []string{""}
	default:
		return v.world.Projects
	}
}

// export answers with the records that a page of the audit shows, all of them.
func (s *Server) export(w http.ResponseWriter, r *http.Request, kind string, write func(page.AuditSeen, io.Writer) error) {
	v, err := s.visit(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer v.viewer.Close()
	seen, err := v.auditSeen(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="assent-audit-`+v.Now.UTC().Format(time.DateOnly)+extensions[kind]+`"`)
	if err := write(seen, w); err != nil {
		s.log.V(1).Info("An export has ended early", "why", err.Error())
	}
}

// extensions of exported files, by their kinds.
var extensions = map[string]string{"text/csv; charset=utf-8": ".csv", "application/jsonl": ".jsonl"}
