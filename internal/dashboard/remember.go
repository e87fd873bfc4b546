// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// rememberedCookie holds names of projects that somebody has looked at. It gives no right: each is asked about as any other.
	rememberedCookie = "assent-projects"
	// mostRemembered is how many they are at most.
	mostRemembered = 20
	// rememberedFor is how long.
	rememberedFor = 90 * 24 * time.Hour
)

// projectsOf a request are those that it names, and those that were looked at before: somebody who may not list across projects sees these.
func projectsOf(r *http.Request) []string {
	projects := slices.DeleteFunc(slices.Clone(r.URL.Query()["project"]), func(name string) bool { return len(validation.IsDNS1123Label(name)) > 0 })
	if in := r.PathValue("project"); in != "" {
		projects = append(projects, in)
	}
	return append(projects, remembered(r)...)
}

func remembered(r *http.Request) []string {
	cookie, err := r.Cookie(rememberedCookie)
	if err != nil {
		return nil
	}
	names := strings.Split(cookie.Value, ".")
	return slices.DeleteFunc(names[:min(len(names), mostRemembered)], func(name string) bool { return len(validation.IsDNS1123Label(name)) > 0 })
}

// remember the projects that somebody has named and may see, unless they see all of them.
func (s *Server) remember(w http.ResponseWriter, v *visit) {
	if v.viewer.SeesAll() {
		return
	}
	var names []string
	for _, name := range projectsOf(v.Request) {
		if slices.Contains(v.world.Projects, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	names = names[:min(len(names), mostRemembered)]
	if len(names) == 0 || slices.Equal(names, remembered(v.Request)) {
		return
	}
	//nolint:gosec // it is Secure wherever the dashboard is served by https
	http.SetCookie(w, &http.Cookie{
		Name: rememberedCookie, Value: strings.Join(names, "."), Path: s.base + "/", MaxAge: int(rememberedFor.Seconds()), HttpOnly: true, Secure: s.https, SameSite: http.SameSiteLaxMode,
	})
}
