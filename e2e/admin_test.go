package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// lines gets rows of NDJSON from the admin endpoint.
func (c *caddy) lines(path string) (all []map[string]any) {
	c.t.Helper()
	status, body := c.look(path)
	if status != http.StatusOK {
		c.t.Fatalf("GET %s: status %d: %s", path, status, body)
	}
	for line := range strings.Lines(string(body)) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			c.t.Fatalf("GET %s: %v in %q", path, err, line)
		}
		all = append(all, row)
	}
	return all
}

// inferenceMembers are the members of an inference entry.
var inferenceMembers = []string{
	"id", "time", "kind", "postings", "hash", "previousHash", "requestId", "idempotencyKey", "member", "requestedModel", "model",
	"protocol", "seller", "attempts", "status", "promptTokens", "completionTokens", "cacheReadTokens", "billedMicros",
	"expenseMicros", "billedSource", "settlementId", "flags", "timeToFirstByteMs", "durationMs", "promptHash",
}

// startBooks runs a gateway whose ledger has something of everything in it.
func startBooks(t *testing.T) *stage {
	s := newStage(t)
	s.seller("acme", settledBy(answerPlain, "Settlement-Id", "s1", "Billed-Micros", "1000", "Balance-Micros", "4000000"), priced("large", "big"))
	s.seller("bolt", inTurn(sayJSON(402, ``), answerPlain), priced("small"))
	s.seller("fails", settledBy(sayJSON(500, `{}`), "Settlement-Id", "f1", "Billed-Micros", "5"), priced("large-2"))
	s.seller("cuts", cutAfter(chatDelta(`{"content":"Hi"}`)), priced("cut"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-key\n\t\t}\n")
	for i, ask := range []struct{ who, model, path, members string }{
		{"ada", "big", "/v1/chat/completions", ""},
		{"ada", "small", "/v1/messages", ""},
		{"bob", "small", "/v1/embeddings", ""},
		{"bob", "large-2", "/v1/chat/completions", ""},
		{"ada", "cut", "/v1/chat/completions", `"stream":true,`},
	} {
		id := fmt.Sprint("book ", i)
		s.ask(0, "POST", ask.path, chatOf(ask.model, ask.members), "Authorization", "Bearer sk-"+ask.who+"-key", "X-Request-Id", id, "Idempotency-Key", "k")
		s.entryOf(id)
	}
	return s
}

// TestEntries reads entries whole: their members, their order, their chain, and that each is balanced.
func TestEntries(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	kinds := make(map[string]int)
	hash, id := "", ""
	var before time.Time
	sums := make(map[string]int64)
	for _, e := range s.lines("/tokenbuddy/ledger/entries") {
		kind, _ := e["kind"].(string)
		kinds[kind]++
		if e["previousHash"] != hash || e["id"].(string) <= id {
			t.Errorf("entry %v does not follow %s, %s", e, id, hash)
		}
		hash, id = e["hash"].(string), e["id"].(string)
		at, err := time.Parse(time.RFC3339, e["time"].(string))
		if err != nil || at.Before(before) || !strings.HasSuffix(e["time"].(string), "Z") || time.Since(at) > time.Hour {
			t.Errorf("the time of an entry is %v, after %v: %v", e["time"], before, err)
		}
		before = at
		var sum int64
		postings, _ := e["postings"].([]any)
		for _, p := range postings {
			posting := p.(map[string]any)
			amount := int64(posting["amountMicros"].(float64))
			if len(posting) != 2 || amount == 0 {
				t.Errorf("a posting is %v", posting)
			}
			sum += amount
			sums[posting["account"].(string)] += amount
		}
		if sum != 0 {
			t.Errorf("an entry sums to %d: %v", sum, e)
		}
		if kind == "inference" {
			assertInferenceMembers(t, e)
		}
	}
	if kinds["inference"] != 5 || kinds["purchase"] < 5 || kinds["waste"] < 1 || kinds["adjustment"] != 1 || len(kinds) > 5 {
		t.Errorf("the kinds are %v", kinds)
	}
	balances := s.balances()
	var total int64
	for account, balance := range balances {
		total += balance
		if sums[account] != balance {
			t.Errorf("%s is at %d, its postings sum to %d", account, balance, sums[account])
		}
		delete(sums, account)
	}
	for account, sum := range sums {
		if sum != 0 {
			t.Errorf("%s is no account, but has postings of %d", account, sum)
		}
	}
	if total != 0 {
		t.Errorf("the accounts sum to %d", total)
	}
	for account := range balances {
		kind, rest, ok := strings.Cut(account, ":")
		parts := strings.Count(rest, ":") + 1
		known := slices.Contains([]string{"wallet", "pending", "credit", "waste", "disputed", "adjustment"}, kind)
		if !ok || !(known && parts == 1 || kind == "expense" && parts == 2) {
			t.Errorf("the account %s is of no kind", account)
		}
	}
	// Debits are positive: the expense of ada's first request.
	if balances["expense:ada:large"] <= 0 || balances["wallet:mock"] >= 0 {
		t.Errorf("the accounts are %v", balances)
	}
	assertVerified(t, s, hash)
}

func assertInferenceMembers(t *testing.T, e map[string]any) {
	t.Helper()
	for _, name := range inferenceMembers {
		if _, ok := e[name]; !ok {
			t.Errorf("an inference without %s: %v", name, e)
		}
	}
	for name := range e {
		if !slices.Contains(inferenceMembers, name) && name != "purchaseId" && (name != "trace" || e["attempts"] == 1.0) {
			t.Errorf("an inference has the member %s: %v", name, e[name])
		}
	}
	if _, list := e["flags"].([]any); !list {
		t.Errorf("flags are %v", e["flags"])
	}
	if e["promptHash"] == "" || e["idempotencyKey"] == "" || e["requestId"] == "" {
		t.Errorf("an inference with empty members: %v", e)
	}
}

func assertVerified(t *testing.T, s *stage, head string) {
	t.Helper()
	status, body := s.look("/tokenbuddy/ledger/verify")
	var report struct {
		OK      bool
		Entries int
		Head    json.RawMessage
	}
	if err := json.Unmarshal(body, &report); err != nil || status != 200 || !report.OK || report.Entries != len(s.lines("/tokenbuddy/ledger/entries")) {
		t.Errorf("verify: status %d: %s", status, body)
	}
	if !strings.Contains(string(report.Head), head) {
		t.Errorf("the head is %s, the last entry's hash %s", report.Head, head)
	}
}

// TestEntryFilters asks for parts of the journal.
func TestEntryFilters(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	all := s.lines("/tokenbuddy/ledger/entries")
	member := func(name string) func(map[string]any) any {
		return func(e map[string]any) any {
			if attempt, ok := e["attempt"].(map[string]any); ok && e[name] == nil {
				return attempt[name] // a failed attempt's waste says whose it was
			}
			return e[name]
		}
	}
	for _, name := range []string{"member", "model", "seller"} {
		for _, value := range []string{"ada", "bob", "large", "big", "small", "acme", "bolt", "fails", "nobody"} {
			var want []any
			for _, e := range all {
				if member(name)(e) == value {
					want = append(want, e["id"])
				}
			}
			assertIDs(t, s, "?"+name+"="+value, want)
		}
	}
	var both []any
	for _, e := range all {
		if e["member"] == "ada" && e["seller"] == "acme" && e["model"] == "large" {
			both = append(both, e["id"])
		}
	}
	if len(both) == 0 {
		t.Error("nothing to filter for")
	}
	assertIDs(t, s, "?member=ada&seller=acme&model=large", both)

	ids := make([]any, len(all))
	for i, e := range all {
		ids[i] = e["id"]
	}
	assertIDs(t, s, "?limit=1", ids[:1])
	assertIDs(t, s, "?limit=1000000", ids)
	assertIDs(t, s, fmt.Sprintf("?cursor=%s", ids[len(ids)-1]), nil)
	var paged []any
	for cursor := ""; len(paged) <= len(ids); {
		page := s.lines("/tokenbuddy/ledger/entries?limit=3&cursor=" + cursor)
		for _, e := range page {
			paged = append(paged, e["id"])
		}
		if len(page) < 3 {
			break
		}
		cursor, _ = page[2]["id"].(string)
	}
	if !slices.Equal(paged, ids) {
		t.Errorf("page by page: %v, want %v", paged, ids)
	}
	middle := all[len(all)/2]["time"].(string)
	var from, to []any
	for _, e := range all {
		at, _ := time.Parse(time.RFC3339, e["time"].(string))
		if border, _ := time.Parse(time.RFC3339, middle); at.Before(border) {
			to = append(to, e["id"])
		} else {
			from = append(from, e["id"])
		}
	}
	assertIDs(t, s, "?from="+url.QueryEscape(middle), from)
	assertIDs(t, s, "?to="+url.QueryEscape(middle), to)
	assertIDs(t, s, "?from="+url.QueryEscape(middle)+"&to="+url.QueryEscape(middle), nil)
	assertIDs(t, s, "?from=2001-01-01T00:00:00Z&to=2099-01-01T00:00:00%2B02:00", ids)
	assertIDs(t, s, "?to=2001-01-01T00:00:00Z", nil)
	assertIDs(t, s, "?from=2099-01-01T00:00:00Z", nil)
	for _, bad := range []string{"?limit=0", "?limit=-1", "?limit=x", "?from=someday", "?to=1", "?cursor=x"} {
		if status, body := s.look("/tokenbuddy/ledger/entries" + bad); status != http.StatusBadRequest {
			t.Errorf("%s: status %d: %s", bad, status, body)
		}
	}
}

func assertIDs(t *testing.T, s *stage, query string, want []any) {
	t.Helper()
	var got []any
	for _, e := range s.lines("/tokenbuddy/ledger/entries" + query) {
		got = append(got, e["id"])
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d entries, want %d", query, len(got), len(want))
	}
}

// summaryRow is a row of a summary.
type summaryRow struct {
	Key              string `json:"key"`
	Requests         int64  `json:"requests"`
	PromptTokens     int64  `json:"promptTokens"`
	CompletionTokens int64  `json:"completionTokens"`
	CacheReadTokens  int64  `json:"cacheReadTokens"`
	BilledMicros     int64  `json:"billedMicros"`
	ExpenseMicros    int64  `json:"expenseMicros"`
}

// TestSummary adds up the inference entries by each key and compares.
func TestSummary(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	entries := s.entries("inference")
	today := time.Now().UTC().Format(time.DateOnly)
	for by, key := range map[string]func(entry) string{
		"member": func(e entry) string { return e.Member },
		"model":  func(e entry) string { return e.Model },
		"seller": func(e entry) string { return e.Seller },
		"day":    func(entry) string { return today },
	} {
		want := make(map[string]summaryRow)
		for _, e := range entries {
			r := want[key(e)]
			want[key(e)] = summaryRow{
				key(e), r.Requests + 1, r.PromptTokens + e.PromptTokens, r.CompletionTokens + e.CompletionTokens,
				r.CacheReadTokens + e.CacheReadTokens, r.BilledMicros + e.BilledMicros, r.ExpenseMicros + e.ExpenseMicros,
			}
		}
		for _, period := range []string{"", "&from=" + today, "&from=2001-01-01T00:00:00Z&to=2099-01-01T00:00:00Z"} {
			rows := s.summary(t, "?by="+by+period)
			if len(rows) != len(want) {
				t.Errorf("by %s%s: %d rows, want %d", by, period, len(rows), len(want))
			}
			for _, r := range rows {
				if r != want[r.Key] {
					t.Errorf("by %s%s: %+v, want %+v", by, period, r, want[r.Key])
				}
			}
		}
		if rows := s.summary(t, "?by="+by+"&to=2001-01-01T00:00:00Z"); len(rows) != 0 {
			t.Errorf("by %s, long ago: %v", by, rows)
		}
	}
	if status, body := s.look("/tokenbuddy/ledger/summary?by=nothing"); status != http.StatusBadRequest {
		t.Errorf("by nothing: status %d: %s", status, body)
	}
}

// summary reads a summary, whose rows have the members that they are to have and no other.
func (s *stage) summary(t *testing.T, query string) (rows []summaryRow) {
	t.Helper()
	status, body := s.look("/tokenbuddy/ledger/summary" + query)
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&rows); err != nil || status != http.StatusOK {
		t.Fatalf("summary%s: status %d, %v: %s", query, status, err, body)
	}
	return rows
}
