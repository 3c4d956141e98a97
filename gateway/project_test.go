package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
		rq := &request{r: httptest.NewRequest(http.MethodPost, "/", nil)}
		rq.r.Header[http.CanonicalHeaderKey(projectHeader)] = row.said
		if refusal := rq.readProject(); (refusal != nil) != row.refused || rq.project != row.want {
			t.Errorf("%q: %q, %v", row.said, rq.project, refusal)
		}
	}
}

func TestProjectsAreBounded(t *testing.T) {
	n := names{most: 2}
	for _, row := range [][2]string{{"a", "a"}, {"b", "b"}, {"c", "other"}, {"a", "a"}, {"d", "other"}} {
		if got := n.bounded(row[0]); got != row[1] {
			t.Errorf("%s: %s, want %s", row[0], got, row[1])
		}
	}
}
