package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// remembered is a row of GET /tokenbuddy/requests, as far as the tests look at it.
type remembered struct {
	RequestID, Path, Member, RequestedModel, Model, Protocol, Outcome, Code, Reason, Seller string
	Project                                                                                 string
	Stream                                                                                  bool
	HTTPStatus                                                                              int
	Attempts                                                                                []struct {
		Number                    int
		Seller, Origin, Kind, Why string
		Then, TokenID             string
		Status                    int
		BeginMs, SentMs, KnownMs  int64
	}
	TimeToFirstByteMs, DurationMs                           int64
	EntryID, PurchaseID, BilledSource                       string
	BilledMicros, ExpenseMicros, WastedMicros, PromptTokens int64
	Entries                                                 []entry
}

// remembers gives the requests that the query chooses, the last first.
func (c *caddy) remembers(query string) (rows []remembered) {
	c.t.Helper()
	status, body := c.look("/tokenbuddy/requests?" + query)
	if err := json.Unmarshal(body, &rows); status != http.StatusOK || err != nil {
		c.t.Fatalf("%s: %d %s: %v", query, status, body, err)
	}
	return rows
}

// remembered gives one request, by its id.
func (c *caddy) remembered(id string) (row remembered) {
	c.t.Helper()
	status, body := c.look("/tokenbuddy/requests/" + url.PathEscape(id))
	if err := json.Unmarshal(body, &row); status != http.StatusOK || err != nil {
		c.t.Fatalf("%s: %d %s: %v", id, status, body, err)
	}
	return row
}

// startRequests starts a gateway, and asks it for what is served at once, after a failover, not at all, and refused.
func startRequests(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.seller("down", sayJSON(500, `{"error":{"message":"secret words of the seller"}}`), priced("large"))
	s.seller("acme", answerPlain, priced("large", "big"), priced("small"))
	s.seller("fails", sayJSON(500, `{}`), priced("lost"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-key\n\t\t\tmodels small\n\t\t}\n")
	for id, ask := range map[string][3]string{
		"good":    {"ada", "small", `"stream":true,`},
		"over":    {"ada", "big", ""},
		"lost":    {"ada", "lost", ""},
		"not his": {"bob", "large", ""},
		"nobody":  {"eve", "small", ""},
	} {
		s.ask(0, "POST", "/v1/chat/completions", chatOf(ask[1], ask[2]), "Authorization", "Bearer sk-"+ask[0]+"-key", "X-Request-Id", id,
			"X-TokenBuddy-Project", "tests")
	}
	for _, id := range []string{"good", "over", "lost"} {
		s.entryOf(id)
	}
	return s
}

// TestRequests looks at the last requests: those that were served, those that failed, and those that were refused.
func TestRequests(t *testing.T) {
	t.Parallel()
	s := startRequests(t)
	for id, want := range map[string]struct {
		outcome, member, model, seller string
		status                         int
		code, attempts                 string
	}{
		"good":    {"ok", "ada", "small", "acme", 200, "", "acme ok 200"},
		"over":    {"ok", "ada", "large", "acme", 200, "", strings.Repeat("down soft_5xx 500, ", 3) + "acme ok 200"},
		"lost":    {"failed", "ada", "lost", "fails", 500, "", "fails soft_5xx 500" + strings.Repeat(", fails soft_5xx 500", 2)},
		"not his": {"refused", "bob", "large", "", 403, "model_not_allowed", ""},
		"nobody":  {"refused", "", "", "", 401, "invalid_api_key", ""},
	} {
		var row remembered
		eventually(t, "what is booked of "+id, func() bool {
			row = s.remembered(id)
			return len(row.Attempts) == 0 || row.EntryID != "" && len(row.Entries) > 0
		})
		var attempts []string
		for i, a := range row.Attempts {
			attempts = append(attempts, fmt.Sprint(a.Seller, " ", a.Kind, " ", a.Status))
			if a.Number != i+1 || a.SentMs < a.BeginMs || a.KnownMs < a.SentMs || a.TokenID == "" || !strings.HasPrefix(a.Origin, "http://") {
				t.Errorf("%s: attempt %+v", id, a)
			}
		}
		if got := strings.Join(attempts, ", "); got != want.attempts {
			t.Errorf("%s: attempts %s, want %s", id, got, want.attempts)
		}
		if row.RequestID != id || row.Outcome != want.outcome || row.Member != want.member || row.Model != want.model || row.Seller != want.seller ||
			row.HTTPStatus != want.status || row.Code != want.code {
			t.Errorf("%s is remembered as %+v", id, row)
		}
	}

	for query, want := range map[string]int{
		"": 5, "limit=2": 2, "member=ada": 3, "member=bob": 1, "model=big": 1, "seller=down": 1, "seller=acme": 2, "outcome=refused": 2, "member=nobody": 0,
	} {
		rows := s.remembers(query)
		if len(rows) != want {
			t.Errorf("?%s: %d requests, want %d", query, len(rows), want)
		}
	}
	if good := s.remembered("good"); !good.Stream || good.Project != "tests" || good.BilledMicros != 9 || good.ExpenseMicros != 9 ||
		good.BilledSource != "usage" || good.PurchaseID == "" || good.PromptTokens == 0 || len(good.Entries) != 1 || good.Path != "/v1/chat/completions" {
		t.Errorf("the good one is %+v", good)
	}
	if status, body := s.look("/tokenbuddy/requests/never"); status != http.StatusNotFound || !strings.Contains(string(body), "no request") {
		t.Errorf("one that never was: %d %s", status, body)
	}
	_, all := s.look("/tokenbuddy/requests")
	for _, secret := range []string{"Hello", "sk-ada", "sk-eve", "secret words"} {
		if strings.Contains(string(all), secret) {
			t.Errorf("%q is remembered", secret)
		}
	}

	for id, want := range map[string][]string{
		"good": {
			`(?m)^member +ada$`, `(?m)^project +tests$`, `(?m)^asked for +small, chat completions, streamed$`, `(?m)^outcome +ok, status 200$`,
			`(?m)^cost +0\.000009 US dollars, by usage; the member bears 0\.000009$`, `(?m)^tokens +5 prompt, of them 0 cached; 2 completion$`,
			`(?m)^purchase +\S{36}$`, `(?m)^1  acme    ok       deliver     200 .*`, `(?m)inference  0\.000009 to expense:ada:small$`,
		},
		"over":    {`(?m)^asked for +big, which is large, `, `(?m)^3  down    soft_5xx  next        500 `, `(?m)^4  acme    ok        deliver`},
		"not his": {`(?m)^member +bob$`, `(?m)^refused +model_not_allowed: .*large`, `(?m)^outcome +refused, status 403$`},
		"nobody":  {`(?m)^member +not known$`, `(?m)^refused +invalid_api_key: `},
	} {
		out := s.good("request", id, "--address", s.admin)
		for _, words := range want {
			if !regexp.MustCompile(words).MatchString(out) {
				t.Errorf("request %s has nothing of %s:\n%s", id, words, out)
			}
		}
	}
	if out := s.good("request", "--member", "ada", "--address", s.admin); !regexp.MustCompile(`(?m)^\S+ \S+  over +ada     large +\d+  ok +acme +4  0\.000009`).MatchString(out) ||
		strings.Contains(out, "bob") {
		t.Errorf("the last requests of ada are\n%s", out)
	}
	if out := s.good("request", "--outcome", "ok", "--json", "--address", s.admin); strings.Count(out, `"requestId"`) != 2 {
		t.Errorf("those that went well are\n%s", out)
	}
	s.bad("the id of the request is empty", "request", "", "--address", s.admin)
	s.bad("is it the X-Request-Id", "request", "never", "--address", s.admin)
	s.bad("leave it out", "request", "good", "--member", "ada", "--address", s.admin)

	// What is remembered is over with the process; the books stay.
	s.stop()
	if out := s.good("request", "over", "--ledger", s.ledgerDir()); !regexp.MustCompile(`(?m)^4  acme +ok +deliver`).MatchString(out) {
		t.Errorf("of the closed ledger request over is\n%s", out)
	}
	s.bad("a gateway that runs", "request", "--ledger", s.ledgerDir())
	s.start()
	if rows := s.remembers(""); len(rows) != 0 {
		t.Errorf("after a restart %d requests are remembered", len(rows))
	}
	over := s.remembered("over")
	if over.Outcome != "ok" || over.Member != "ada" || len(over.Attempts) != 4 || over.BilledMicros != 9 || len(over.Entries) == 0 {
		t.Errorf("after a restart the books have %+v", over)
	}
	if status, _ := s.look("/tokenbuddy/requests/nobody"); status != http.StatusNotFound {
		t.Errorf("one that no seller was asked for, after a restart: %d", status)
	}
}
