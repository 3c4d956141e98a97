package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string][2]string{
		"https://a.example":                {"https://a.example", "https://a.example"},
		"https://a.example/":               {"https://a.example", "https://a.example"},
		"https://a.example/v1":             {"https://a.example", "https://a.example"},
		"https://a.example/v1/":            {"https://a.example", "https://a.example"},
		"https://a.example/api/v1":         {"https://a.example/api", "https://a.example"},
		"https://a.example/v1/v1":          {"https://a.example/v1", "https://a.example"},
		"https://a.example/apiv1":          {"https://a.example/apiv1", "https://a.example"},
		"https://a.example/v1beta/openai":  {"https://a.example/v1beta/openai", "https://a.example"},
		"HTTPS://A.Example:443/V1/":        {"https://a.example/V1", "https://a.example"},
		"http://a.example:80":              {"http://a.example", "http://a.example"},
		"https://a.example:80":             {"https://a.example:80", "https://a.example:80"},
		"https://a.example:0443":           {"https://a.example", "https://a.example"},
		"https://a.example:":               {"https://a.example", "https://a.example"},
		"https://a.example/x%2Fy":          {"https://a.example/x%2Fy", "https://a.example"},
		"https://A-Z.az09.example":         {"https://a-z.az09.example", "https://a-z.az09.example"},
		"http://[::1]:8080/p":              {"http://[::1]:8080/p", "http://[::1]:8080"},
		"https://[2001:DB8:0::1]":          {"https://[2001:db8::1]", "https://[2001:db8::1]"},
		"http://seller_1.internal:9/a/b//": {"http://seller_1.internal:9/a/b", "http://seller_1.internal:9"},
	} {
		base, origin, err := ParseURL(raw)
		if err != nil || base != want[0] || origin != want[1] {
			t.Errorf("%s: %q, %q, %v; want %q", raw, base, origin, err, want)
		}
	}
	for raw, want := range map[string]error{
		"https://" + strings.Repeat("a", MaxURL): errURL, "https://a.example:x": errURL, "ftp://a.example": errURLScheme, "a.example": errURLScheme, "": errURLScheme,
		"https://user@a.example": errURLUser, "https://a.example?": errURLExtra, "https://a.example/#x": errURLExtra,
		"https://": errURLHost, "https://:443": errURLHost, "https://a.example:0": errURLHost, "https://a.example:65536": errURLHost,
		"https://[fe80::1%25eth0]": errURLHost, "https://é.example": errURLHost, "https://a!b": errURLHost, "https://a~b": errURLHost,
		"https://a%20b": errURL, "https://a:b:c": errURL,
	} {
		if base, origin, err := ParseURL(raw); !errors.Is(err, want) || base != "" || origin != "" {
			t.Errorf("%.60s: %q, %q, %v; want %v", raw, base, origin, err, want)
		}
	}
	if _, origin, err := ParseURL("https://" + strings.Repeat("a", MaxURL-8)); err != nil || len(origin) != MaxURL {
		t.Errorf("the longest URL: %q, %v", origin, err)
	}
	secret := "https://user:hunter2@a.example:x?key=hunter2"
	if _, _, err := ParseURL(secret); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error is %v", err)
	}
}
