// Copyright The Assent Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// A chart that makes a password or a certificate of its own makes another one each time it is rendered, and so another digest: nobody could
// approve it. But charts ask for random values that they do not use as well: in `default (randAlphaNum 10) .Values.password` the random one is
// made even where the password is set. So the functions that answer differently each time answer with values that are made up, differently in
// each of two runs, and a chart whose objects differ between the two is refused.

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
	// maxRandomBytes that one call may ask for.
	maxRandomBytes = 1 << 16
)

// keyPair has the fields of what the functions for certificates return.
type keyPair struct{ Cert, Key string }

// vary notes that a function was called whose answer differs each time.
func (m *meter) vary(function string) {
	if m.varying[m.template] == nil {
		m.varying[m.template] = map[string]bool{}
	}
	m.varying[m.template][function] = true
}

// varied are the functions of that kind that a template has called, in order.
func (m *meter) varied(file string) []string {
	return slices.Sorted(maps.Keys(m.varying[file]))
}

// made up text from an alphabet: another one with each call and each run, and the same whenever the chart is rendered.
func (m *meter) made(function, alphabet string, count int) (string, error) {
	m.vary(function)
	if count > maxRandomBytes {
		return "", m.stop("`%s` is asked for %d bytes, at most %d are allowed: correct the chart", function, count, maxRandomBytes)
	}
	m.draws++
	var text strings.Builder
	for block := 0; text.Len() < count; block++ {
		var seed []byte
		for _, number := range []int{m.run, m.draws, block} {
			seed = binary.BigEndian.AppendUint64(seed, uint64(number)) //nolint:gosec // none is negative
		}
		sum := sha256.Sum256(seed)
		for _, one := range sum[:min(len(sum), count-text.Len())] {
			text.WriteByte(alphabet[int(one)%len(alphabet)])
		}
	}
	return text.String(), nil
}

func (m *meter) pem(function, kind string) string {
	text, _ := m.made(function, letters+digits, 256)
	return fmt.Sprintf("-----BEGIN %s-----\n%s\n-----END %s-----\n", kind, text, kind)
}

// now is a moment that never was, and another one in the second run.
func (m *meter) now(function string) time.Time {
	m.vary(function)
	return time.Date(2001+10*m.run, time.Month(2+m.run), 3+m.run, 4+m.run, 5+m.run, 6+m.run, 7+m.run, time.UTC)
}

// varyingFunctions are those that answer differently each time.
func (m *meter) varyingFunctions() template.FuncMap {
	all := template.FuncMap{
		"randInt": func(low, high int) (int, error) {
			m.vary("randInt")
			if high <= low {
				return 0, fmt.Errorf("randInt needs a second number above the first")
			}
			if m.run == 0 {
				return low, nil
			}
			return high - 1, nil
		},
		"shuffle": func(text string) string {
			m.vary("shuffle")
			if m.run == 0 {
				return text
			}
			turned := []rune(text)
			slices.Reverse(turned)
			return string(turned)
		},
		"uuidv4": func() (string, error) {
			text, err := m.made("uuidv4", "0123456789abcdef", 30)
			return fmt.Sprintf("%.8s-%.4s-4%.3s-8%.3s-%.12s", text, text[8:], text[12:], text[15:], text[18:]), err
		},
		"randBytes": func(count int) (string, error) {
			text, err := m.made("randBytes", letters+digits, count)
			return base64.StdEncoding.EncodeToString([]byte(text)), err
		},
		"bcrypt":   func(string) (string, error) { return m.made("bcrypt", letters+digits, 60) },
		"htpasswd": func(user, _ string) (string, error) { return m.hashed(user) },
		"encryptAES": func(_, text string) (string, error) {
			return m.made("encryptAES", letters+digits, len(text)+32)
		},
		"genPrivateKey": func(string) string { return m.pem("genPrivateKey", "PRIVATE KEY") },
	}
	for function, alphabet := range map[string]string{
		"randAlphaNum": letters + digits, "randAlpha": letters, "randNumeric": digits, "randAscii": letters + digits + "!#$%&()*+,-./:;<=>?@[]^_{|}~",
	} {
		all[function] = func(count int) (string, error) { return m.made(function, alphabet, count) }
	}
	for _, function := range []string{
		"genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey",
	} {
		all[function] = func(...any) keyPair {
			return keyPair{Cert: m.pem(function, "CERTIFICATE"), Key: m.pem(function, "RSA PRIVATE KEY")}
		}
	}
	maps.Copy(all, m.timeFunctions())
	return all
}

func (m *meter) hashed(user string) (string, error) {
	text, err := m.made("htpasswd", letters+digits, 60)
	return user + ":" + text, err
}

// timeFunctions take the time where they are given none, and the machine's time zone where they are told none: here that is UTC.
func (m *meter) timeFunctions() template.FuncMap {
	all := template.FuncMap{
		"now": func() time.Time { return m.now("now") },
		"ago": func(any) string { return m.now("ago").Sub(time.Time{}.AddDate(2000, 0, 0)).String() },
		// As in Helm, what is no date is the first of all.
		"toDate":     func(layout, text string) time.Time { parsed, _ := time.Parse(layout, text); return parsed },
		"mustToDate": time.Parse,
		"date":       func(layout string, at any) string { return m.date("date", layout, at, "UTC") },
		"htmlDate":   func(at any) string { return m.date("htmlDate", time.DateOnly, at, "UTC") },
		"htmlDateInZone": func(at any, zone string) string {
			return m.date("htmlDateInZone", time.DateOnly, at, zone)
		},
	}
	for _, function := range []string{"dateInZone", "date_in_zone"} {
		all[function] = func(layout string, at any, zone string) string { return m.date(function, layout, at, zone) }
	}
	if round, is := sprig.TxtFuncMap()["durationRound"].(func(any) string); is {
		all["durationRound"] = func(of any) string {
			if at, isTime := of.(time.Time); isTime {
				of = int64(m.now("durationRound").Sub(at))
			}
			return round(of)
		}
	}
	return all
}

func (m *meter) date(function, layout string, at any, zone string) string {
	var when time.Time
	switch at := at.(type) {
	case time.Time:
		when = at
	case *time.Time:
		when = *at
	case int:
		when = time.Unix(int64(at), 0)
	case int32:
		when = time.Unix(int64(at), 0)
	case int64:
		when = time.Unix(at, 0)
	default:
		when = m.now(function)
	}
	location, err := time.LoadLocation(zone)
	if err != nil || location == time.Local {
		location = time.UTC
	}
	return when.In(location).Format(layout)
}
