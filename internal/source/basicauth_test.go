// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"fmt"
	"strings"
	"testing"

	"github.com/assent-dev/assent/api/v1alpha1"
)

func TestBasicAuthIsBoundToTheHostsThatItsSecretNames(t *testing.T) {
	for hosts, row := range map[string]struct{ url, want string }{
		"git.example.org":                    {url: "https://git.example.org/x", want: "sent"},
		"GIT.example.org:443":                {url: "https://git.EXAMPLE.org/x", want: "sent"},
		" a.example.org , git.example.org:8": {url: "https://git.example.org:8/x", want: "sent"},
		"http://git.example.org":             {url: "http://git.example.org:80/x", want: "sent"},
		"git.example.org:8443":               {url: "https://git.example.org/x", want: "kept"},
		"git.example.org.evil.org":           {url: "https://git.example.org/x", want: "kept"},
		"example.org":                        {url: "https://git.example.org/x", want: "kept"},
		"https://git.example.org":            {url: "http://git.example.org/x", want: "kept"},
		"git.example.org:80":                 {url: "http://git.example.org/x", want: "kept"},
		"":                                   {url: "https://git.example.org/x", want: "kept"},
		"*":                                  {url: "https://git.example.org/x", want: "no host"},
		"*.example.org":                      {url: "https://git.example.org/x", want: "no host"},
		"git.example.org/x":                  {url: "https://git.example.org/x", want: "no host"},
		"u:p@git.example.org":                {url: "https://git.example.org/x", want: "no host"},
		"ftp://git.example.org":              {url: "https://git.example.org/x", want: "no host"},
		"git.example.org git2.example.org":   {url: "https://git.example.org/x", want: "no host"},
	} {
		t.Run(hosts, func(t *testing.T) {
			credentials, err := ParseBasicAuth(map[string][]byte{"password": []byte("geheim")}, hosts)
			if (err != nil) != (row.want == "no host") {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				return
			}
			server, err := parseHTTP(fieldGitURL, row.url)
			if err != nil {
				t.Fatal(err)
			}
			login, err := credentials.forServer("spec.source.git.secretRef", server)
			if (err == nil) != (row.want == "sent") || (login.password == "geheim") != (row.want == "sent") {
				t.Errorf("got %v", err)
			}
			if err != nil {
				expectError(t, err, v1alpha1.ReasonFetchFailed, "spec.source.git.secretRef", v1alpha1.AnnotationSourceHosts)
			}
			if plain := `adds "http://git.example.org"`; err != nil && strings.Contains(err.Error(), plain) != (server.Scheme == "http") {
				t.Errorf("%v: whoever follows this allows plain HTTP where it was asked for, and nowhere else", err)
			}
			text := fmt.Sprintf("%v %+v %#v %s", credentials, credentials, credentials, credentials)
			if strings.Contains(text, "geheim") || !strings.Contains(text, "servers") {
				t.Errorf("the credentials are printed as %s", text)
			}
		})
	}
	for _, bad := range []map[string][]byte{nil, {"username": []byte("geheim")}, {"username": []byte("ge:heim"), "password": []byte("geheim")}} {
		if _, err := ParseBasicAuth(bad, "h"); err == nil || strings.Contains(err.Error(), "heim") {
			t.Errorf("got %v", err)
		}
	}
	if _, err := ParseBasicAuth(map[string][]byte{"password": []byte("x")}, strings.Repeat("h,", 40)); err == nil {
		t.Error("too many hosts were taken")
	}
}
