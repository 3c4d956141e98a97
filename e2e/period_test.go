package e2e

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPeriods asks for statements and exports by words for times, in the gateway's zone and in others.
func TestPeriods(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, priced("large"), priced("small"))
	s.open("\t\tbudgets {\n\t\t\tzone Pacific/Kiritimati\n\t\t}\n\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-key\n\t\t}\n")
	for id, model := range map[string]string{"one": "large", "two": "small"} {
		s.ask(0, "POST", "/v1/chat/completions", chatOf(model, ""), "Authorization", "Bearer sk-ada-key", "X-Request-Id", id)
		s.entryOf(id)
	}
	far, err := time.LoadLocation("Pacific/Kiritimati")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if begun := now.In(far); begun.Hour() == 0 && begun.Minute() == 0 || now.UTC().Hour() == 23 && now.UTC().Minute() == 59 {
		t.Skip("a day is about to begin")
	}
	type statement struct {
		By, Zone string
		Entries  int
		Rows     []struct {
			Key      string
			Keys     []string
			Requests int
		}
	}
	stated := func(args ...string) (got statement) {
		t.Helper()
		if err := json.Unmarshal([]byte(s.good(append([]string{"ledger", "--json"}, args...)...)), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	admin := []string{"--address", s.admin}
	for _, zone := range []struct {
		args []string
		zone *time.Location
	}{{nil, far}, {[]string{"--zone", "UTC"}, time.UTC}} {
		args := append(zone.args, admin...)
		if got := stated(append(args, "--by", "day")...); len(got.Rows) != 1 || got.Rows[0].Key != now.In(zone.zone).Format(time.DateOnly) || got.Zone != zone.zone.String() {
			t.Errorf("%v: by day %+v", zone.args, got)
		}
	}
	all := stated(admin...).Entries
	for _, test := range []struct {
		args string
		all  bool
	}{
		{"--from today", true},
		{"--from yesterday", true},
		{"--from yesterday --to today", false},
		{"--to yesterday", false},
		{"--from 24h", true},
		{"--to 1h", false},
		{"--from " + strings.ToLower(now.In(far).Weekday().String()), true},
		{"--from " + now.In(far).Format(time.DateOnly), true},
		{"--from " + now.In(far).AddDate(0, 0, 1).Format(time.DateOnly), false},
		{"--from " + now.In(far).Format("2006-01"), true},
	} {
		want := 0
		if test.all {
			want = all
		}
		if got := stated(append(strings.Fields(test.args), admin...)...); got.Entries != want {
			t.Errorf("%s: %d entries, want %d", test.args, got.Entries, want)
		}
		lines := strings.Count(s.good(append(append([]string{"export", "--format", "jsonl"}, strings.Fields(test.args)...), admin...)...), "\n")
		if lines != want {
			t.Errorf("export %s: %d lines, want %d", test.args, lines, want)
		}
	}
	if got := stated(append(admin, "--by", "member,model")...); len(got.Rows) != 3 || got.Rows[1].Key != "ada,large" || len(got.Rows[2].Keys) != 2 || got.Rows[2].Requests != 1 {
		t.Errorf("by member and model: %+v", got)
	}
	table := s.good("ledger", "--by", "member,model", "--from", "today", "--address", s.admin)
	for _, want := range []string{
		`(?m)^Statement by member,model, from ` + now.In(far).Format(time.DateOnly) + ` until now \(Pacific/Kiritimati\): `,
		`(?m)^member  model  requests `, `(?m)^ada     large         1 `, `(?m)^ada     small         1 `, `(?m)^total +2 `,
	} {
		if !regexp.MustCompile(want).MatchString(table) {
			t.Errorf("there is no %s in\n%s", want, table)
		}
	}
	s.bad("--zone is a time zone", "ledger", "--zone", "Mars", "--address", s.admin)
	s.bad("--by is one of", "ledger", "--by", "member,member", "--address", s.admin)
	s.bad("--from is a time", "export", "--from", "lately", "--address", s.admin)
	s.stop()
	closed := filepath.Join("data", "caddy", "tokenbuddy")
	if got := stated("--by", "day", "--ledger", closed, "--zone", "Pacific/Kiritimati"); len(got.Rows) != 1 || got.Rows[0].Key != now.In(far).Format(time.DateOnly) {
		t.Errorf("of the closed ledger: %+v", got)
	}
}
