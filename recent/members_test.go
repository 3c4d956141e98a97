package recent

import (
	"fmt"
	"testing"
)

// TestAttendance counts refusals by their code, of so many members and codes, and no more.
func TestAttendance(t *testing.T) {
	m := New()
	add := func(i int, member, outcome, code string) {
		r := request(i, member)
		r.Outcome, r.Code = outcome, code
		m.Add(r)
	}
	add(1, "ada", "ok", "")
	add(2, "ada", "refused", "insufficient_quota")
	add(3, "ada", "refused", "insufficient_quota")
	add(4, "ada", "no_credit", "")
	add(5, "", "refused", "invalid_api_key")
	a, ok := m.Member("ada")
	if !ok || len(a.Refused) != 2 || a.Refused["insufficient_quota"] != 2 || a.Refused["no_credit"] != 1 || !a.Seen.Equal(request(4, "").Ended) {
		t.Errorf("%+v", a)
	}
	if _, ok := m.Member("bob"); ok || len(m.Members()) != 1 {
		t.Errorf("members are %v", m.Members())
	}
	for i := range 2 * maxCodes {
		add(i, "ada", "refused", fmt.Sprint(i))
	}
	for i := range maxMembers + 100 {
		add(i, fmt.Sprint("member", i), "ok", "")
	}
	if a, _ := m.Member("ada"); len(a.Refused) != maxCodes || len(m.Members()) != maxMembers {
		t.Errorf("%d codes, %d members", len(a.Refused), len(m.Members()))
	}
}
