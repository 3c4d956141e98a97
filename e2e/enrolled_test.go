package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// memberRow is what the tests read of a member.
type memberRow struct {
	Name       string           `json:"name"`
	Source     string           `json:"source"`
	Group      string           `json:"group"`
	Disabled   bool             `json:"disabled"`
	DayMicros  int64            `json:"dayMicros"`
	Budgets    []memberBudget   `json:"budgets"`
	LastSeen   *time.Time       `json:"lastSeen"`
	Refused    map[string]int64 `json:"refused"`
	Keys       []*time.Time     `json:"keys"`
	Overridden bool             `json:"overridden"`
}

type memberBudget struct {
	Group       string `json:"group"`
	Period      string `json:"period"`
	LimitMicros int64  `json:"limitMicros"`
	SpentMicros int64  `json:"spentMicros"`
	HeldMicros  int64  `json:"heldMicros"`
	LeftMicros  int64  `json:"leftMicros"`
}

// members runs `caddy tokenbuddy members` with these arguments.
func (c *caddy) members(args ...string) string {
	c.t.Helper()
	return c.good(append(append([]string{"members"}, args...), "--address", c.admin)...)
}

// noMembers is members of what must be refused, with these words.
func (c *caddy) noMembers(words string, args ...string) {
	c.t.Helper()
	c.bad(words, append(append([]string{"members"}, args...), "--address", c.admin)...)
}

// memberRow gives the row of a member as it is listed.
func (c *caddy) memberRow(name string) memberRow {
	c.t.Helper()
	var rows []memberRow
	if err := json.Unmarshal([]byte(c.members("--json")), &rows); err != nil {
		c.t.Fatal(err)
	}
	i := slices.IndexFunc(rows, func(r memberRow) bool { return r.Name == name })
	if i < 0 {
		c.t.Fatalf("%s is not listed: %+v", name, rows)
	}
	return rows[i]
}

// orders are the orders of the journal, as "order member: note".
func (c *caddy) orders() (all []string) {
	c.t.Helper()
	for _, e := range c.entries("order") {
		if e.Order.By == "" || e.Order.From != "127.0.0.1" {
			c.t.Errorf("by %q from %q: %+v", e.Order.By, e.Order.From, e)
		}
		all = append(all, e.Order.Order+" "+e.Order.Member+e.Seller)
	}
	return all
}

// keyed has a request made with a member's key, and wants this status of the answer.
func (s *stage) keyed(site int, key string, want int) {
	s.t.Helper()
	body := chatOf("m", `"max_tokens":30,`)
	if a := s.ask(site, http.MethodPost, "/v1/chat/completions", body, "Authorization", "Bearer "+key); a.StatusCode != want {
		s.t.Errorf("status %d, want %d: %s", a.StatusCode, want, a.body)
	}
}

// keyIn gives the key that a command has printed: that, and nothing else, is on standard output.
func keyIn(t testing.TB, out string) string {
	t.Helper()
	key := strings.TrimSuffix(out, "\n")
	if len(key) < 20 || strings.ContainsAny(key, " \n") {
		t.Fatalf("the key is %q", out)
	}
	return key
}

// TestMembersAtRunTime adds, changes, disables and removes members of a gateway with two sites that runs: each change acts at the next
// request, at both, without a reload, and is in the journal, over a kill.
func TestMembersAtRunTime(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	s := newStage(t)
	s.seller("acme", settledBy(answerPlain, "Billed-Micros", "60"), priced("m"), priced("m2"))
	body := `
		member bob {
			key key-of-bob
			daily_budget 0.00005
		}
		group build {
			members bob
			monthly_budget 0.001
		}
`
	s.open(body, body)
	ada := keyIn(t, s.members("add", "ada", "--daily-budget", "0.0005", "--weekly-budget", "1", "--models", "m x*", "--rate", "1000 1m", "--group", "build"))
	s.keyed(0, ada, 200)
	s.keyed(1, ada, 200)
	s.keyed(0, ada+"x", 401)
	row := s.memberRow("ada")
	if row.Source != "ledger" || row.Group != "build" || row.DayMicros != 120 || row.LastSeen == nil || len(row.Keys) != 1 || len(row.Budgets) != 3 ||
		row.Budgets[0] != (memberBudget{"", "daily", 500, 120, 0, 380}) || row.Budgets[2] != (memberBudget{"build", "monthly", 1000, 120, 0, 880}) {
		t.Errorf("ada is %+v", row)
	}
	if a := s.ask(0, http.MethodPost, "/v1/chat/completions", chatOf("m2", ""), "Authorization", "Bearer "+ada); a.StatusCode != 403 {
		t.Errorf("another model: status %d", a.StatusCode)
	}
	if n := s.memberRow("ada").Refused; len(n) != 1 {
		t.Errorf("refused are %v", n)
	}
	s.noMembers("is there already", "add", "ada")
	s.noMembers("is in the Caddyfile", "add", "bob")
	s.noMembers("is in the Caddyfile", "disable", "bob")
	s.noMembers("there is no group", "set", "ada", "--group", "ops")
	s.noMembers("less than the daily", "set", "ada", "--weekly-budget", "0.0001")
	s.noMembers("no such member", "rotate", "eve")
	s.noMembers("no such member", "raise", "eve", "1")
	s.noMembers("it would stand in a path", "raise", "..", "1")

	s.members("disable", "ada")
	s.keyed(1, ada, 401)
	s.kill()
	s.start()
	s.keyed(0, ada, 401)
	s.members("enable", "ada")
	s.keyed(0, ada, 200)

	fresh := keyIn(t, s.members("rotate", "ada", "--keep", "1h"))
	s.keyed(0, ada, 200)
	s.keyed(1, fresh, 200)
	last := keyIn(t, s.members("rotate", "ada", "--keep", "0s"))
	s.keyed(0, ada, 401)
	s.keyed(0, fresh, 401)
	s.keyed(1, last, 200)

	s.members("set", "ada", "--daily-budget", "0.0003", "--rate", "none", "--models", "none")
	s.keyed(0, last, 402)
	s.members("raise", "ada", "0.01", "--until", "tomorrow")
	s.keyed(0, last, 200)
	s.keyed(0, "key-of-bob", 402) // its own budget bears no request
	s.members("raise", "bob", "1")
	s.keyed(0, "key-of-bob", 200)
	if row := s.memberRow("bob"); row.Source != "caddyfile" || row.Budgets[0].LimitMicros != 1_000_050 {
		t.Errorf("bob is %+v", row)
	}
	if out := s.members(); !strings.Contains(out, "daily budget raised by 1.00 until ") || !strings.Contains(out, "added ") || !strings.Contains(out, "refused: ") {
		t.Errorf("members prints\n%s", out)
	}

	file, err := os.ReadFile(s.caddyfile())
	if err != nil {
		t.Fatal(err)
	}
	s.write(strings.ReplaceAll(string(file), "member bob {", "member ada {\n\t\t\tkey key-of-ada\n\t\t}\n\t\tmember bob {"))
	s.reload()
	s.keyed(0, last, 401)
	s.keyed(1, "key-of-ada", 200)
	if row := s.memberRow("ada"); row.Source != "caddyfile" || !row.Overridden || row.Group != "" {
		t.Errorf("the Caddyfile's ada is %+v", row)
	}
	s.noMembers("is in the Caddyfile", "rotate", "ada")
	s.write(string(file))
	s.reload()
	s.keyed(0, last, 200)
	s.members("remove", "ada")
	s.keyed(0, last, 401)
	if status, body := s.look("/tokenbuddy/members"); status != 200 || strings.Contains(string(body), `"ada"`) {
		t.Errorf("who was removed is listed: %d %s", status, body)
	}
	if got := s.do("GET", "/tokenbuddy/members/ada", ""); got != http.StatusNotFound {
		t.Errorf("who was removed is there: status %d", got)
	}

	want := []string{
		"add ada", "disable ada", "enable ada", "rotate ada", "rotate ada", "set ada", "raise ada", "raise bob", "remove ada",
	}
	if got := s.orders(); !slices.Equal(got, want) {
		t.Errorf("orders\n%q, want\n%q", got, want)
	}
	s.verify()
	s.hides(ada, fresh, last)
}

// TestMembersOverHTTP is what the admin endpoint makes of orders about members.
func TestMembersOverHTTP(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, priced("m"))
	s.open("")
	for _, test := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "", `{"name":"ada","dailyBudget":"5","weeklyBudget":"20","monthlyBudget":"60","models":["gpt-*"],"rate":"60 1m"}`, 200},
		{"POST", "", `{"name":"ada"}`, 409},
		{"POST", "", `{"name":""}`, 400},
		{"POST", "", `{"name":"a b"}`, 400},
		{"POST", "", `{"name":".."}`, 400},
		{"POST", "", `{"name":"bob","dailyBudget":"five"}`, 400},
		{"POST", "", `{"name":"bob","dailyBudget":"-5"}`, 400},
		{"POST", "", `{"name":"bob","rate":"60"}`, 400},
		{"POST", "", `{"name":"bob","rate":"0 1m"}`, 400},
		{"POST", "", `{"name":"bob","models":["\n"]}`, 400},
		{"POST", "", `{"name":"bob","models":"gpt-*,opus"}`, 400},
		{"POST", "", `{"name":"bob","models":["gpt-*,opus"]}`, 400},
		{"PATCH", "/ada", `{"models":"gpt-*,opus"}`, 400},
		{"POST", "", `{"name":"bob","group":"build"}`, 400},
		{"POST", "", `{"name":"bob","key":"chosen"}`, 400},
		{"POST", "", `[]`, 400},
		{"POST", "", `{"name":"bob","models":"gpt-* opus"}`, 200},
		{"GET", "/bob", ``, 200},
		{"GET", "/eve", ``, 404},
		{"PATCH", "/bob", `{"dailyBudget":"1","models":[]}`, 200},
		{"PATCH", "/bob", `{"dailyBudget":""}`, 200},
		{"PATCH", "/bob", `{}`, 400},
		{"PATCH", "/bob", `{"name":"rob"}`, 400},
		{"PATCH", "/bob", `{"disabled":true}`, 200},
		{"PATCH", "/eve", `{"disabled":true}`, 404},
		{"PATCH", "/bob/rotate", `{"disabled":true}`, 405},
		{"POST", "/bob/rotate", ``, 200},
		{"POST", "/bob/rotate", `{"keep":"1h"}`, 200},
		{"POST", "/bob/rotate", `{"keep":"soon"}`, 400},
		{"POST", "/bob/raise", `{"usd":"1"}`, 409},
		{"POST", "/ada/raise", `{"usd":"1","until":"tomorrow"}`, 200},
		{"POST", "/ada/raise?usd=1&until=2099-01-01", ``, 200},
		{"POST", "/ada/raise", `{"usd":"2","until":"2099-01-01","reference":"ticket-7"}`, 200},
		{"POST", "/ada/raise?usd=2&until=2099-01-01&reference=ticket-7", ``, 200},
		{"POST", "/ada/raise", `{"usd":"3","until":"2099-01-01","reference":"ticket-7"}`, 409},
		{"POST", "/ada/raise", `{"usd":"2","until":"2099-01-02","reference":"ticket-7"}`, 409},
		{"POST", "/ada/raise", `{"usd":"2","reference":"two\nlines"}`, 400},
		{"POST", "/bob/rotate", `{"reference":"ticket-7"}`, 400},
		{"POST", "/ada/raise", `{"usd":"1","until":"2001-01-01"}`, 400},
		{"POST", "/ada/raise", `{"usd":"0"}`, 400},
		{"POST", "/ada/raise", `{"usd":"1","until":"someday"}`, 400},
		{"POST", "/ada/promote", ``, 404},
		{"POST", "/ada/disable", ``, 200},
		{"POST", "/ada/enable", ``, 200},
		{"PUT", "/ada", ``, 405},
		{"DELETE", "/ada", ``, 200},
		{"DELETE", "/ada", ``, 404},
	} {
		if got := s.do(test.method, "/tokenbuddy/members"+test.path, test.body); got != test.want {
			t.Errorf("%s %s %s: status %d, want %d", test.method, test.path, test.body, got, test.want)
		}
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+s.admin+"/tokenbuddy/members", strings.NewReader(`{"name":"mal"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://elsewhere.example")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != http.StatusForbidden {
		t.Errorf("from another origin: status %d", res.StatusCode)
	}
	s.verify()
}

// TestMembersElsewhere restores a backup in another place: who was added then is there, with the key, and so is a raise.
func TestMembersElsewhere(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", settledBy(answerPlain, "Billed-Micros", "60"), priced("m"))
	s.open("")
	s.keyed(0, "any", 200) // from this machine, while there is no member
	if row := s.memberRow("anonymous"); row.Source != "anonymous" || row.LastSeen == nil {
		t.Errorf("anonymous is %+v", row)
	}
	key := keyIn(t, s.members("add", "ada", "--daily-budget", "0.00005"))
	s.keyed(0, "any", 401)
	if out := s.members(); strings.Contains(out, "anonymous") {
		t.Errorf("who may ask no more is listed:\n%s", out)
	}
	s.keyed(0, key, 402)
	s.members("raise", "ada", "1", "--until", time.Now().AddDate(0, 0, 2).UTC().Format(time.DateOnly))
	s.keyed(0, key, 200)
	backup := filepath.Join(s.dir, "books.backup")
	s.good("backup", "-o", backup, "--address", s.admin)
	s.members("disable", "ada")
	s.stop()
	if err := os.Rename(s.ledgerDir(), s.ledgerDir()+".lost"); err != nil {
		t.Fatal(err)
	}
	s.good("restore", backup, "--ledger", s.ledgerDir())
	s.start()
	s.keyed(0, key, 200)
	if row := s.memberRow("ada"); row.Budgets[0].LimitMicros != 1_000_050 || row.DayMicros != 120 {
		t.Errorf("ada is %+v", row)
	}
	s.verify()
}
