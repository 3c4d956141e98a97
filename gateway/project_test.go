package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

func TestReadProject(t *testing.T) {
	for _, row := range []struct {
		said    []string
		want    string
		refused bool
	}{
		{nil, "", false},
		{[]string{""}, "", false},
		{[]string{"site-2.0_b"}, "site-2.0_b", false},
		{[]string{strings.Repeat("a", 64)}, strings.Repeat("a", 64), false},
		{[]string{strings.Repeat("a", 65)}, "", true},
		{[]string{"two words"}, "", true},
		{[]string{"a:b"}, "", true},
		{[]string{"=1+1"}, "", true},
		{[]string{"é"}, "", true},
		{[]string{"one", "two"}, "", true},
	} {
		rq := &request{member: member.Anonymous, r: httptest.NewRequest(http.MethodPost, "/", nil)}
		rq.r.Header[http.CanonicalHeaderKey(projectHeader)] = row.said
		if refusal := rq.readProject(); (refusal != nil) != row.refused || rq.project != row.want {
			t.Errorf("%q: %q, %v", row.said, rq.project, refusal)
		}
	}
}

// TestProjectsAreBounded: there are only so many, and one member does not keep others from naming theirs.
func TestProjectsAreBounded(t *testing.T) {
	n := names{most: 4}
	for _, row := range [][3]string{
		{"ada", "a", "a"},
		{"ada", "b", "b"},
		{"ada", "c", "other"},
		{"bob", "b", "b"},
		{"bob", "d", "d"},
		{"bob", "e", "other"},
		{"cleo", "f", "f"},
		{"cleo", "g", "other"},
		{"dora", "h", "other"},
		{"ada", "f", "f"},
	} {
		if got := n.bounded(row[0], row[1]); got != row[2] {
			t.Errorf("%s's %s: %s, want %s", row[0], row[1], got, row[2])
		}
	}
}
