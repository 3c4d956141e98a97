package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// openMarket opens a market in a directory of the test's, until its end.
func openMarket(t *testing.T, dir string) *market.Market {
	t.Helper()
	m, err := market.Open(market.Options{Dir: dir, Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	return m
}

// TestMain has a config in force, as an admin endpoint that does not wait for its first one has.
func TestMain(m *testing.M) {
	off := false
	if err := caddy.Run(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: &off}}}); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// booked puts the entry of a request that cost something into the books.
func booked(t *testing.T, m *market.Market, id string, price money.Micros) {
	t.Helper()
	b, err := m.Ledger.Settle(ledger.Inference{
		Request: ledger.Request{RequestID: id, IdempotencyKey: id, Member: "ann", RequestedModel: "m", Model: "m", Protocol: "messages", Shape: billing.Shape{BodyBytes: 3, PromptTokens: 1}},
		Seller:  "acme", Origin: "https://acme.example", Attempts: 1, Status: ledger.StatusOK, Answered: true,
		Usage: billing.Usage{Tokens: money.Tokens{Prompt: 1, Completion: 1}, PromptKnown: true, CompletionKnown: true}, Price: money.Price{Input: price * 1_000_000, Output: 0, CacheRead: money.Unknown, CacheWrite: money.Unknown},
	}).Wait(t.Context())
	if err != nil || b.Entry == nil {
		t.Fatal(b, err)
	}
}

// asked sends a request to the admin endpoint, as Caddy would, and gives its status and body.
func asked(t *testing.T, method, target, body string, header ...string) (status int, answer string) {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	for _, route := range (API{}).Routes() {
		if route.Pattern != r.URL.Path && !(strings.HasSuffix(route.Pattern, "/") && strings.HasPrefix(r.URL.Path, route.Pattern)) {
			continue
		}
		err := route.Handler.ServeHTTP(w, r)
		var refused caddy.APIError
		switch {
		case errors.As(err, &refused):
			return refused.HTTPStatus, refused.Err.Error()
		case err != nil:
			return http.StatusInternalServerError, err.Error()
		}
		return w.Code, w.Body.String()
	}
	t.Fatalf("no route %s", r.URL.Path)
	return 0, ""
}

// Which market a request is about.
func TestChoose(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	if status, says := asked(t, "GET", "/tokenbuddy/status", ""); status != http.StatusNotFound || !strings.Contains(says, "no tokenbuddy gateway is running") {
		t.Errorf("with none open: %d %s", status, says)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	openMarket(t, a)
	for _, ledger := range []string{"", a, dir + "/b/../a"} {
		if status, says := asked(t, "GET", "/tokenbuddy/status?ledger="+url.QueryEscape(ledger), ""); status != http.StatusOK {
			t.Errorf("%q with one open: %d %s", ledger, status, says)
		}
	}
	openMarket(t, b)
	if err := os.Symlink("b", filepath.Join(dir, "link")); err != nil {
		t.Skip("no links here:", err)
	}
	for _, test := range []struct {
		ledger string
		status int
		says   string
	}{
		{"", http.StatusBadRequest, "say which ledger with ?ledger=, one of: " + a + ", " + b},
		{a, http.StatusOK, `"dir":"` + a + `"`},
		{b, http.StatusOK, `"dir":"` + b + `"`},
		{filepath.Join(dir, "link"), http.StatusOK, `"dir":"` + b + `"`},
		{filepath.Join(dir, "c"), http.StatusBadRequest, "say which ledger"},
	} {
		status, says := asked(t, "GET", "/tokenbuddy/status?ledger="+url.QueryEscape(test.ledger), "")
		if status != test.status || !strings.Contains(says, test.says) {
			t.Errorf("%s: %d %s", test.ledger, status, says)
		}
	}
}

// A key that has leaked is not kept, wherever it is said: in the query, beside an object that says nothing, as clients send it.
func TestRotateByQuery(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	openMarket(t, filepath.Join(t.TempDir(), "books"))
	if status, says := asked(t, "POST", "/tokenbuddy/members", `{"name":"zoe"}`); status != http.StatusOK {
		t.Fatal(says)
	}
	for _, body := range []string{"", "{}", "null"} {
		if status, says := asked(t, "POST", "/tokenbuddy/members/zoe/rotate?keep=0s", body); status != http.StatusOK || strings.Contains(says, "keptUntil") {
			t.Errorf("%q: %d %s", body, status, says)
		}
	}
}

// What may be asked, and what is said of a question that makes no sense.
func TestQuestions(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	m := openMarket(t, filepath.Join(t.TempDir(), "books"))
	booked(t, m, "one", 5)
	booked(t, m, "two", 7)
	for _, test := range []struct {
		method, target, body string
		status               int
		says                 string
	}{
		{"POST", "/tokenbuddy/status", "", http.StatusMethodNotAllowed, "use GET"},
		{"DELETE", "/tokenbuddy/sellers", "", http.StatusMethodNotAllowed, "use GET, POST"},
		{"GET", "/tokenbuddy/sellers", "", http.StatusOK, "[]"},
		{"GET", "/tokenbuddy/sellers?offers=true", "", http.StatusOK, "[]"},
		{"GET", "/tokenbuddy/sellers?offers=", "", http.StatusBadRequest, "offers is true or false"},
		{"POST", "/tokenbuddy/sellers?pause=a&offers=true", "", http.StatusBadRequest, `there is no "offers" here`},
		{"POST", "/tokenbuddy/sellers", "", http.StatusBadRequest, "expected one of pause, resume and forgive"},
		{"POST", "/tokenbuddy/sellers?forgive=nobody", "", http.StatusBadRequest, `no seller of the id "nobody" was bought from`},

		{"GET", "/tokenbuddy/ledger/entries?from=lately", "", http.StatusBadRequest, "from is a time such as"},
		{"GET", "/tokenbuddy/ledger/entries?from=yesterday&to=today&zone=Mars", "", http.StatusBadRequest, "zone is a time zone such as"},
		{"GET", "/tokenbuddy/ledger/entries?from=yesterday&zone=Europe/Berlin", "", http.StatusOK, `"requestId":"two"`},
		{"GET", "/tokenbuddy/ledger/zone", "", http.StatusOK, `{"zone":"UTC"}`},
		{"GET", "/tokenbuddy/ledger/entries?to=2026-13-01", "", http.StatusBadRequest, "to is a time such as"},
		{"GET", "/tokenbuddy/ledger/entries?cursor=1", "", http.StatusBadRequest, "cursor is the id of an entry"},
		{"GET", "/tokenbuddy/ledger/entries?limit=0", "", http.StatusBadRequest, "limit is a whole number above zero"},
		{"GET", "/tokenbuddy/ledger/entries?limit=one", "", http.StatusBadRequest, "limit is a whole number above zero"},
		{"GET", "/tokenbuddy/ledger/entries?limit=1", "", http.StatusOK, `"requestId":"one"`},
		{"GET", "/tokenbuddy/ledger/entries?member=bob", "", http.StatusOK, ""},

		{"GET", "/tokenbuddy/ledger/summary?by=hour", "", http.StatusBadRequest, "by is one of member, model, seller, group, project, day"},
		{"GET", "/tokenbuddy/ledger/summary", "", http.StatusOK, `"key":"ann","requests":2`},
		{"GET", "/tokenbuddy/ledger/summary?by=model", "", http.StatusOK, `"key":"m","requests":2`},
		{"GET", "/tokenbuddy/ledger/summary?to=2000-01-01", "", http.StatusOK, "[]"},
		{"GET", "/tokenbuddy/ledger/statement?by=hour", "", http.StatusBadRequest, "by is one of"},
		{"GET", "/tokenbuddy/ledger/statement?by=member,member", "", http.StatusBadRequest, "by is one of"},
		{"GET", "/tokenbuddy/ledger/statement?by=member,model&zone=Europe/Berlin", "", http.StatusOK, `"key":"ann,m","keys":["ann","m"],"requests":2`},
		{"GET", "/tokenbuddy/ledger/summary?by=model,member", "", http.StatusOK, `"key":"m,ann","keys":["m","ann"],"requests":2`},
		{"GET", "/tokenbuddy/ledger/accounts", "", http.StatusOK, `"balanceMicros":12`},
		{"GET", "/tokenbuddy/ledger/verify", "", http.StatusOK, `"ok":true,"entries":2`},

		{"GET", "/tokenbuddy/requests?outcome=no_credit", "", http.StatusOK, "[]"},
		{"GET", "/tokenbuddy/ledger/entries?mamber=ann", "", http.StatusBadRequest, `there is no "mamber" here: the query takes from, to, zone, member, model, seller, limit, cursor, fleet, ledger`},
		{"GET", "/tokenbuddy/requests?status=200", "", http.StatusBadRequest, `the query takes id, member, model, seller, outcome`},
		{"GET", "/tokenbuddy/purchases?state=failed", "", http.StatusBadRequest, `there is no "state" here`},
		{"GET", "/tokenbuddy/status?by=me", "", http.StatusBadRequest, "the query takes ledger"},
		{"GET", "/tokenbuddy/members/ann?period=day", "", http.StatusBadRequest, "the query takes ledger"},
		{"POST", "/tokenbuddy/prewarm?model=m", "", http.StatusBadRequest, "the query takes by, ledger"},
		{"GET", "/tokenbuddy/ledger/summary?fleet=1", "", http.StatusBadRequest, `there is no "fleet" here`},
		{"GET", "/tokenbuddy/ledger/verify?fleet=all", "", http.StatusBadRequest, "fleet is true or false"},
		{"GET", "/tokenbuddy/ledger/entries?member=a;model=b", "", http.StatusBadRequest, "the query can't be read"},
		{"GET", "/tokenbuddy/requests?outcome=nocredit", "", http.StatusBadRequest, "outcome is one of ok, interrupted, client_gone, failed, refused, no_credit, purchase_limit"},

		{"GET", "/tokenbuddy/selection", "", http.StatusOK, `{"policy":null,"seller":null,"selection":null}`},
		{"PUT", "/tokenbuddy/selection", "cheapest", http.StatusBadRequest, "expected an object such as"},
		{"PUT", "/tokenbuddy/selection", `{"policy":"cheapest","more":1}`, http.StatusBadRequest, "expected an object such as"},
		{"PUT", "/tokenbuddy/selection", `{"policy":"dearest"}`, http.StatusBadRequest, "selection: "},
		{"PUT", "/tokenbuddy/selection", `{"policy":"` + strings.Repeat("x", 5<<10) + `"}`, http.StatusBadRequest, "expected an object such as"},
		{"PUT", "/tokenbuddy/selection", `{"policy":"cheapest"}`, http.StatusOK, `{"policy":"cheapest","seller":null,"selection":{"policy":"cheapest"}}`},
		{"DELETE", "/tokenbuddy/selection", "", http.StatusOK, `{"policy":null,"seller":null,"selection":null}`},
		{"POST", "/tokenbuddy/prewarm", "", http.StatusOK, "{"},

		{"GET", "/tokenbuddy/ledger/entries?member=bob&member=ann", "", http.StatusBadRequest, "member stands in the query 2 times"},
		{"POST", "/tokenbuddy/sellers?pause=a&pause=b", "", http.StatusBadRequest, "pause stands in the query 2 times"},
		{"GET", "/tokenbuddy/ledger/entries?from=2026-02-01&to=2026-01-01", "", http.StatusBadRequest, "to, 2026-01-01, is before from, 2026-02-01"},
		{"GET", "/tokenbuddy/ledger/summary?from=today&to=yesterday", "", http.StatusBadRequest, "is before from"},
		{"GET", "/tokenbuddy/ledger/statement?from=1h&to=2h", "", http.StatusBadRequest, "is before from"},
		{"GET", "/tokenbuddy/requests?id=one&member=bob", "", http.StatusBadRequest, "member is for the list"},
		{"GET", "/tokenbuddy/requests?id=", "", http.StatusBadRequest, "the id is empty"},
		{"GET", "/tokenbuddy/requests/", "", http.StatusBadRequest, "the id is empty"},
		{"GET", "/tokenbuddy/purchases?id=", "", http.StatusBadRequest, "the id is empty"},
		{"GET", "/tokenbuddy/ledger/entries?from=&to=&member=&model=&seller=&limit=&cursor=", "", http.StatusOK, `"requestId":"two"`}, // as the contract writes it
		{"GET", "/tokenbuddy/ledger/entries?fleet=", "", http.StatusBadRequest, "fleet is true or false"},
		{"GET", "/tokenbuddy/ledger/entries?member=ann&from=&to=&cursor=&limit=", "", http.StatusOK, `"requestId":"two"`},
		{"GET", "/tokenbuddy/requests?outcome=", "", http.StatusOK, "["},
		{"GET", "/tokenbuddy/purchases?seller=", "", http.StatusOK, "["},
		{"GET", "/tokenbuddy/purchases?open=", "", http.StatusBadRequest, "open is true or false"},
		{"GET", "/tokenbuddy/requests?fleet=1", "", http.StatusBadRequest, "fleet is for one, with its id"},
		{"GET", "/tokenbuddy/purchases?id=one&open=true", "", http.StatusBadRequest, "open is for the list"},
		{"POST", "/tokenbuddy/purchases?approve=one&note=fine", "", http.StatusBadRequest, "note does not belong to approve"},
		{"POST", "/tokenbuddy/purchases?cancel=one&paid=true", "", http.StatusBadRequest, "paid does not belong to cancel"},
		{"POST", "/tokenbuddy/purchases?settle=one&paid=true&usd=1", "", http.StatusBadRequest, "usd does not belong to settle"},
		{"PUT", "/tokenbuddy/selection", `{"policy":"cheapest"}{"policy":"manual"}`, http.StatusBadRequest, "expected an object such as"},

		{"POST", "/tokenbuddy/members", `{"name":"zoe","keep":"1h"}`, http.StatusBadRequest, "keep is no word of this order"},
		{"POST", "/tokenbuddy/members", `{"name":"zoe"} {"dailyBudget":"5"}`, http.StatusBadRequest, "expected one object, and nothing after it"},
		{"POST", "/tokenbuddy/members", `{"name":"zoe","dailyBudget":"5"}`, http.StatusOK, `"key":`},
		{"PATCH", "/tokenbuddy/members/zoe", `{"dailyBudget":"6","usd":"1"}`, http.StatusBadRequest, "usd is no word of this order, which takes name, dailyBudget"},
		{"PATCH", "/tokenbuddy/members/zoe", `{"dailyBudget":null,"rate":"60 1m"}`, http.StatusBadRequest, "dailyBudget is null: say"},
		{"POST", "/tokenbuddy/members/zoe/rotate", `{"disabled":true}`, http.StatusBadRequest, "disabled is no word of this order, which takes name, keep"},
		{"POST", "/tokenbuddy/members/zoe/rotate?usd=1", "", http.StatusBadRequest, "usd is no word of this order"},
		{"POST", "/tokenbuddy/members/zoe/rotate?keep=0s", `{"keep":"1h"}`, http.StatusBadRequest, "keep stands in the query and in the body"},
		{"POST", "/tokenbuddy/members/zoe/raise", `{"usd":"1","usd":"100"}`, http.StatusBadRequest, "usd stands in the body twice"},
		{"POST", "/tokenbuddy/members/zoe/raise", `{"usd":"1","USD":"100"}`, http.StatusBadRequest, "USD stands in the body twice"},
		{"PUT", "/tokenbuddy/selection", `{"policy":"cheapest","args":["policy"],"policy":"manual"}`, http.StatusBadRequest, "policy stands in the body twice"},
		{"POST", "/tokenbuddy/members/zoe/enable", `{"disabled":true}`, http.StatusBadRequest, "disabled is no word of this order, which takes name"},
		{"POST", "/tokenbuddy/members/zoe/raise?until=2001-01-01", `{"usd":"1"}`, http.StatusBadRequest, "2001-01-01T00:00:00Z is over"},
		{"POST", "/tokenbuddy/members/zoe/rotate", `{}`, http.StatusOK, `"keptUntil":`},
		{"POST", "/tokenbuddy/members/zoe/rotate", `{"name":"zoe","keep":"1h"}`, http.StatusOK, `"keptUntil":`},
		{"POST", "/tokenbuddy/members/zoe/rotate", `{"name":"ann"}`, http.StatusBadRequest, "the path is of member zoe, and the body of ann"},
		{"POST", "/tokenbuddy/members/zoe/raise", `{"name":"ann","usd":"1"}`, http.StatusBadRequest, "the path is of member zoe, and the body of ann"},

		{"POST", "/tokenbuddy/members/ann", "{}", http.StatusMethodNotAllowed, "use DELETE, GET, PATCH"},
		{"GET", "/tokenbuddy/members/ann/rotate", "", http.StatusMethodNotAllowed, "use POST"},
		{"PATCH", "/tokenbuddy/members/ann/raise", "{}", http.StatusMethodNotAllowed, "use POST"},
		{"DELETE", "/tokenbuddy/members/ann/disable", "", http.StatusMethodNotAllowed, "use POST"},
		{"POST", "/tokenbuddy/members/ann/promote", "{}", http.StatusNotFound, "expected /tokenbuddy/members/"},
		{"GET", "/tokenbuddy/members/ann/promote", "", http.StatusNotFound, "expected /tokenbuddy/members/"},
	} {
		status, says := asked(t, test.method, test.target, test.body)
		if status != test.status || !strings.Contains(says, test.says) {
			t.Errorf("%s %s %.40s: %d %s, want %d with %s", test.method, test.target, test.body, status, says, test.status, test.says)
		}
	}
}

// A long reading tells who asks for it how far it is, ten times a second at most, and ends in one line with what was found, or
// without a clean end.
func TestProgress(t *testing.T) {
	failure := errors.New("the disk is gone")
	for _, test := range []struct {
		name, accept string
		err          error
		steps        int // 30 ms each
		lines        int // of progress
		aborts       bool
		says         string // at the end
	}{
		{"nobody asks", "", nil, 10, 0, false, `{"found":1}` + "\n"},
		{"nobody asks, and it fails", "", failure, 10, 0, false, ""},
		{"it is asked for", NDJSON, nil, 10, 2, false, `{"result":{"found":1}}` + "\n"},
		{"it is over before there is anything to tell", NDJSON, nil, 3, 0, false, `{"result":{"found":1}}` + "\n"},
		{"it fails at once", NDJSON, failure, 1, 0, false, ""},
		{"it fails later", NDJSON, failure, 10, 2, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header.Set("Accept", test.accept)
				w := httptest.NewRecorder()
				aborted := false
				err := func() error {
					defer func() { aborted = recover() == http.ErrAbortHandler }()
					return read(w, r, func(progress ledger.Progress) (int, any, error) {
						for i := range test.steps {
							time.Sleep(30 * time.Millisecond)
							if progress != nil {
								progress(uint64(i), uint64(test.steps))
							}
						}
						return http.StatusOK, map[string]int{"found": 1}, test.err
					})
				}()
				if aborted != test.aborts || !aborted && !errors.Is(err, test.err) {
					t.Errorf("it gave %v, aborted: %v", err, aborted)
				}
				if n := strings.Count(w.Body.String(), `"done"`); n != test.lines {
					t.Errorf("%d lines of progress, want %d: %s", n, test.lines, w.Body)
				}
				if !strings.HasSuffix(w.Body.String(), test.says) {
					t.Errorf("it ends in %s", w.Body)
				}
				for line := range strings.Lines(w.Body.String()) {
					if !json.Valid([]byte(line)) {
						t.Errorf("%q is no JSON", line)
					}
				}
			})
		})
	}
}

// What clients and registries name does not fill the memory.
func TestLabels(t *testing.T) {
	var l labels
	for i := range maxLabels {
		if got := l.limited(fmt.Sprint(i)); got != fmt.Sprint(i) {
			t.Fatalf("%d is %s", i, got)
		}
	}
	for value, want := range map[string]string{"": "", "0": "0", "999": "999", "1000": otherLabel, "x": otherLabel} {
		if got := l.limited(value); got != want {
			t.Errorf("%q is %q, want %q", value, got, want)
		}
	}
}

// gathered are the metrics of a registry, one a line, with their labels in order.
func gathered(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	var out strings.Builder
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			slices.Sort(labels)
			fmt.Fprintf(&out, "%s{%s} %v\n", f.GetName(), strings.Join(labels, ","), m.GetGauge().GetValue()+m.GetCounter().GetValue())
		}
	}
	return out.String()
}

// Who is a member of two ledgers has spent, and may spend, what both say. A group has one budget in each, however many are in it.
func TestMetricsOfTwoLedgers(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	for i, name := range []string{"a", "b"} {
		m := openMarket(t, filepath.Join(t.TempDir(), name))
		bounds := member.Unbound
		bounds.DailyBudget = money.Micros(i+1) * 1000
		d, err := member.NewDirectory(member.Team{
			Members: []member.Config{{Name: "ann", Limits: member.Limits{Bounds: bounds}}, {Name: "bob", Limits: member.Limits{Bounds: member.Unbound}}},
			Groups:  []member.GroupConfig{{Name: "build", Members: []string{"ann", "bob"}, Bounds: bounds}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Orders.HoldTeam(func() *member.Directory { return d }))
		booked(t, m, "r"+name, money.Micros(i+1)*10)
	}
	registry := prometheus.NewRegistry()
	if err := RegisterMetrics(registry); err != nil {
		t.Fatal(err)
	}
	all := gathered(t, registry)
	for _, line := range []string{
		"tokenbuddy_spent_micros{group=,member=ann,period=daily} 30\n", "tokenbuddy_spent_micros{group=,member=ann,period=monthly} 30\n",
		"tokenbuddy_budget_micros{group=,member=ann,period=daily} 3000\n", "tokenbuddy_budget_micros{group=build,member=,period=daily} 3000\n",
	} {
		if !strings.Contains(all, line) {
			t.Errorf("there is no %sin\n%s", line, all)
		}
	}
}

// A config's registry of metrics may be told of the collectors twice, and gathers what open markets know.
func TestMetrics(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	m := openMarket(t, filepath.Join(t.TempDir(), "books"))
	cut, err := routing.NewPinned(routing.Pin{ID: "cut", URL: "https://cut.example", Account: true})
	if err != nil {
		t.Fatal(err)
	}
	table := routing.NewTable(routing.TableOptions{Pool: m.Pool, Pinned: []*routing.Seller{cut}, Policy: &routing.DefaultFirst{}})
	defer table.Close()
	defer m.HoldTable(table, caddy.Context{Context: t.Context()})()
	for _, k := range []routing.SellerKey{cut.Key(), {ID: "acme", Origin: "https://acme.example"}} { // which no config names: nothing is told of it
		p, _ := m.Pool.State(k).Begin(time.Now(), "m", false)
		p.End(time.Now(), routing.Result{Outcome: routing.Outcome{Kind: routing.Deadline}, NoConnection: true})
	}
	ended := ObserveStream()
	ObserveRequest(Request{Protocol: "messages", Model: "m", Outcome: "refused", Duration: time.Second})
	registry := prometheus.NewRegistry()
	for range 2 {
		if err := RegisterMetrics(registry); err != nil {
			t.Fatal(err)
		}
	}
	all := gathered(t, registry)
	for _, line := range []string{
		"tokenbuddy_circuit_state{seller=acme} 0\n", "tokenbuddy_circuit_state{seller=cut} 2\n", "tokenbuddy_streams_open{} 1\n",
		"tokenbuddy_requests_total{model=m,outcome=refused,protocol=messages,seller=} 1\n",
		"tokenbuddy_registry_sellers{} 0\n", "tokenbuddy_registry_age_seconds{} 0\n",
		"tokenbuddy_prewarm_entries{state=cold} 0\n", "tokenbuddy_prewarm_entries{state=failed} 0\n",
	} {
		if !strings.Contains(all, line) {
			t.Errorf("there is no %sin\n%s", line, all)
		}
	}
	if ended(); !strings.Contains(gathered(t, registry), "tokenbuddy_streams_open{} 0\n") {
		t.Error("the stream that has ended is open")
	}
}
