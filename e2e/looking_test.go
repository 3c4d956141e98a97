package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestLookingIn asks for what operators look at, and for the same on the site.
func TestLookingIn(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	status, body := s.look("/tokenbuddy/status")
	var page map[string]json.RawMessage
	if err := json.Unmarshal(body, &page); err != nil || status != 200 {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	for _, name := range []string{"credit", "registry", "ledger"} {
		if len(page[name]) == 0 || string(page[name]) == "null" {
			t.Errorf("the status has no %s: %s", name, body)
		}
	}
	status, metrics := s.look("/metrics")
	if status != 200 {
		t.Fatalf("metrics: status %d", status)
	}
	for _, line := range []string{
		`tokenbuddy_requests_total{model="large",outcome="ok",protocol="chat_completions",seller="acme"} 1`,
		`tokenbuddy_attempts_total{kind="insufficient_funds",seller="bolt"} 1`,
		`tokenbuddy_attempts_total{kind="soft_5xx",seller="fails"} `,
		`tokenbuddy_time_to_first_byte_seconds_count{protocol="chat_completions"} `,
		`tokenbuddy_request_duration_seconds_count{protocol="messages"} 1`,
		`tokenbuddy_streams_open 0`,
		`tokenbuddy_purchases_total{outcome="granted",seller="bolt"} 2`,
		`tokenbuddy_purchased_micros_total{seller="acme"} 5e+06`,
		`tokenbuddy_billed_micros_total{member="ada",model="large",seller="acme"} 1000`,
		`tokenbuddy_wasted_micros_total{seller="fails"} `,
		`tokenbuddy_credit_micros{seller="acme"} 4e+06`,
		`tokenbuddy_ledger_commit_seconds_count `,
		`tokenbuddy_registry_sellers 4`,
		`tokenbuddy_registry_age_seconds `,
	} {
		if !strings.Contains(string(metrics), "\n"+line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	for _, path := range []string{"/metrics", "/tokenbuddy/status", "/tokenbuddy/sellers", "/tokenbuddy/ledger/entries", "/tokenbuddy/ledger/summary", "/tokenbuddy/ledger/accounts", "/tokenbuddy/ledger/verify"} {
		if a := s.ask(0, "GET", path, "", "Authorization", "Bearer sk-ada-key"); a.StatusCode != 299 {
			t.Errorf("on the site, GET %s: status %d: %s", path, a.StatusCode, a.body)
		}
	}
	for _, path := range []string{"/tokenbuddy/status", "/tokenbuddy/ledger/entries", "/tokenbuddy/ledger/verify"} {
		res, err := http.Post("http://"+s.admin+path, "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: status %d", path, res.StatusCode)
		}
	}
}

// TestLookingInPinned looks at a gateway without a registry: what it would say of one is there all the same.
func TestLookingInPinned(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, "")
	c.configure("\t\tseller acme http://127.0.0.1:1 {\n\t\t\tapi_key sk\n\t\t\tmodels m\n\t\t}\n")
	c.start()
	var said struct {
		Registry struct{ Sellers *int }
	}
	if status, body := c.look("/tokenbuddy/status"); status != http.StatusOK || json.Unmarshal(body, &said) != nil || said.Registry.Sellers == nil {
		t.Errorf("status %d: %s", status, body)
	}
	_, metrics := c.look("/metrics")
	for _, line := range []string{"tokenbuddy_registry_sellers 0", "tokenbuddy_registry_age_seconds 0"} {
		if !strings.Contains(string(metrics), "\n"+line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if out := c.good("doctor", "--address", c.admin); strings.Contains(out, "\nregistry") {
		t.Errorf("the doctor speaks of a registry:\n%s", out)
	}
}

// TestPromptHash compares the hashes of prompts: equal ones are equal, and none is what anyone could compute without the key.
func TestPromptHash(t *testing.T) {
	t.Parallel()
	hashes := make(map[string]bool)
	for range 2 {
		s := newStage(t)
		s.seller("acme", answerPlain, "m")
		s.open("")
		for _, content := range []string{"", "", `"x":1,`} {
			s.infer("", "m", content)
		}
		eventually(t, "three entries", func() bool { return len(s.entries("inference")) == 3 })
		var own []any
		for _, e := range s.lines("/tokenbuddy/ledger/entries") {
			if e["kind"] == "inference" {
				own = append(own, e["promptHash"])
				hashes[e["promptHash"].(string)] = true
			}
		}
		if own[0] != own[1] || own[0] == own[2] {
			t.Errorf("the hashes are %v", own)
		}
	}
	if len(hashes) != 4 {
		t.Errorf("two ledgers with keys of their own have the hashes %v", hashes)
	}
}

// TestAccessLog looks for who used what in the access log, and in the placeholders, at the answer's beginning and at its end.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", settledBy(answerPlain, "Settlement-Id", "s", "Billed-Micros", "7"), priced("m", "alias"))
	registry := serveDocument(t, s.lists)
	s.caddy = newCaddy(t, "")
	s.sites = []string{s.site}
	s.write(s.global("") + "http://" + s.site + " {\n\tbind 127.0.0.1\n\tlog\n\tlog_append said_member {http.tokenbuddy.member}\n\tlog_append said_seller {http.tokenbuddy.seller}\n\tlog_append said_model {http.tokenbuddy.model}\n\theader >Said {http.tokenbuddy.member}/{http.tokenbuddy.seller}/{http.tokenbuddy.model}\n\ttokenbuddy {\n" + market(registry, "") + "\t}\n}\n")
	s.start()
	if said := s.infer("logged", "alias", "").Header.Get("Said"); said != "anonymous/acme/m" {
		t.Errorf("a header that is set when the answer begins has %q", said)
	}
	var line map[string]any
	eventually(t, "the access log", func() bool {
		for l := range strings.Lines(s.log.String()) {
			if strings.Contains(l, `"handled request"`) {
				return json.Unmarshal([]byte(l), &line) == nil
			}
		}
		return false
	})
	for name, want := range map[string]any{"tokenbuddy_member": "anonymous", "tokenbuddy_seller": "acme", "tokenbuddy_model": "m", "tokenbuddy_billed_micros": 7.0, "said_member": "anonymous", "said_seller": "acme", "said_model": "m"} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
	}
}

// TestSelectionAtRunTime puts a policy over the config's, which stays over a restart until it is deleted, and forgives a seller.
func TestSelectionAtRunTime(t *testing.T) {
	t.Parallel()
	first, second := newSeller(t, "first", answerPlain), newSeller(t, "second", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, first, second), "\t\taffinity off\n"))
	c.start()
	servedBy := func(want string) {
		t.Helper()
		if res, body := c.post("/v1/chat/completions", chatBody); res.Header.Get("X-TokenBuddy-Seller") != want {
			t.Errorf("served by %q, want %q: %s", res.Header.Get("X-TokenBuddy-Seller"), want, body)
		}
	}
	servedBy("first")
	if status := c.do(http.MethodPut, "/tokenbuddy/selection", `{"policy":"manual","seller":"second"}`); status != http.StatusOK {
		t.Fatalf("PUT: status %d", status)
	}
	servedBy("second")
	if status, said := c.look("/tokenbuddy/selection"); status != http.StatusOK || !strings.HasPrefix(string(said), `{"policy":"manual","seller":"second",`) {
		t.Errorf("GET: status %d, %s", status, said)
	}
	c.stop()
	c.start()
	servedBy("second")
	for _, refused := range []string{`{"policy":"dice"}`, `{"policy":"manual","seller":"nobody"}`, `{"police":"manual"}`, `x`} {
		if status := c.do(http.MethodPut, "/tokenbuddy/selection", refused); status != http.StatusBadRequest {
			t.Errorf("PUT %s: status %d", refused, status)
		}
	}
	if status := c.do(http.MethodDelete, "/tokenbuddy/selection", ""); status != http.StatusOK {
		t.Fatalf("DELETE: status %d", status)
	}
	servedBy("first")
	if status := c.do(http.MethodPost, "/tokenbuddy/sellers?forgive=first", ""); status != http.StatusOK {
		t.Errorf("forgiving: status %d", status)
	}
	if status := c.do(http.MethodPost, "/tokenbuddy/sellers?forgive=nobody", ""); status != http.StatusBadRequest {
		t.Errorf("forgiving nobody: status %d", status)
	}
	if status := c.do(http.MethodPost, "/tokenbuddy/prewarm", ""); status != http.StatusOK {
		t.Errorf("a sweep: status %d", status)
	}
}

// do sends a request to the admin endpoint and gives the status.
func (c *caddy) do(method, path, body string) int {
	c.t.Helper()
	req, err := http.NewRequest(method, "http://"+c.admin+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestStatusOfTheLedger: how far the books go, what is under way, and how much room there is.
func TestStatusOfTheLedger(t *testing.T) {
	t.Parallel()
	wait := make(chan struct{})
	s := newStage(t)
	s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		<-wait
		answerPlain(w, r, body)
	}, priced("m"))
	s.open("")
	type standing struct {
		Ledger struct {
			OK        bool
			Entries   int
			Holds     int
			Head      string
			FreeBytes int64
		}
	}
	look := func() (now standing) {
		t.Helper()
		_, body := s.look("/tokenbuddy/status")
		if err := json.Unmarshal(body, &now); err != nil {
			t.Fatal(err)
		}
		return now
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.infer("r", "m", "")
	}()
	eventually(t, "a request is under way", func() bool { return look().Ledger.Holds == 1 })
	close(wait)
	within(t, "the answer", done)
	eventually(t, "it is booked", func() bool { return look().Ledger.Holds == 0 })
	if l := look().Ledger; !l.OK || l.Entries != 3 || len(l.Head) != 64 || l.FreeBytes <= 0 {
		t.Errorf("%+v", l)
	}
}

// TestStatementEndpoint asks for the statement as programs do, and as those who wait do.
func TestStatementEndpoint(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	status, body := s.look("/tokenbuddy/ledger/statement?by=model")
	var statement struct {
		Entries uint64
		Rows    []struct {
			Key                       string
			Requests                  int64
			ExpenseMicros, PaidMicros int64
		}
		Accounts []struct {
			Account       string
			ClosingMicros int64
		}
	}
	if err := json.Unmarshal(body, &statement); err != nil || status != http.StatusOK || int(statement.Entries) != len(s.entries("")) {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	balances := s.balances()
	for _, a := range statement.Accounts {
		if balances[a.Account] != a.ClosingMicros {
			t.Errorf("%s is at %d, the statement says %d", a.Account, balances[a.Account], a.ClosingMicros)
		}
	}
	if first := statement.Rows[0]; first.Key != "" || first.PaidMicros < 20_000_000 || len(statement.Accounts) != len(balances) {
		t.Errorf("the statement is %s", body)
	}
	for _, path := range []string{"/tokenbuddy/ledger/statement?by=model", "/tokenbuddy/ledger/verify"} {
		_, plain := s.look(path)
		req, err := http.NewRequest(http.MethodGet, "http://"+s.admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "application/x-ndjson")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if want := `{"result":` + strings.TrimSpace(string(plain)) + "}\n"; err != nil || !strings.HasSuffix(string(lines), want) || res.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%s: %v\n%s\nshould end with\n%s", path, err, lines, want)
		}
	}
	for _, bad := range []string{"?by=weather", "?from=someday", "?to=x"} {
		if status, body := s.look("/tokenbuddy/ledger/statement" + bad); status != http.StatusBadRequest {
			t.Errorf("%s: status %d: %s", bad, status, body)
		}
	}
}

// TestManualNeedsASeller has no default seller, so that manual selection has to name one.
func TestManualNeedsASeller(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, "m")
	s.open("")
	s.infer("", "m", "")
	for body, want := range map[string]int{
		`{"policy":"manual"}`: http.StatusBadRequest, `{"policy":"manual","seller":"acme"}`: http.StatusOK, `{"policy":"cheapest"}`: http.StatusOK,
	} {
		if status := s.do(http.MethodPut, "/tokenbuddy/selection", body); status != want {
			t.Errorf("PUT %s: status %d", body, status)
		}
	}
}

// TestLookingAtOnce looks in on a gateway that has only just started and dealt with nobody: its sellers are listed, and the
// focus set is there, cold. A sweep that is asked for before the registry has answered waits for it.
func TestLookingAtOnce(t *testing.T) {
	t.Parallel()
	acme, other := newSeller(t, "acme", answerPlain), newSeller(t, "other", answerPlain)
	list := registryOf(t, []string{"m"}, acme, other)
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-answer
		list.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(registry.Close)
	c := newCaddy(t, "")
	c.configure(market(registry, "\t\tprewarm {\n\t\t\tmodels m\n\t\t\tjitter 1h 1h\n\t\t}\n"))
	c.start()
	<-asked
	swept := make(chan string, 1)
	go func() {
		res, err := http.Post("http://"+c.admin+"/tokenbuddy/prewarm", "application/json", nil)
		if err != nil {
			swept <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		swept <- string(body)
	}()
	eventually(t, "the sweep", func() bool {
		_, body := c.look("/tokenbuddy/status")
		return strings.Contains(string(body), `"running":true`)
	})
	close(answer)
	if result := <-swept; !strings.Contains(result, `"entries":5,"probed":2,"healthy":2`) {
		t.Errorf("a sweep at once: %s", result)
	}

	c.stop()
	c.start() // the document is known in a moment, and nobody was dealt with
	eventually(t, "the document", func() bool { return len(c.standings()) == 2 })
	_, body := c.look("/tokenbuddy/sellers")
	var sellers []standing
	if err := json.Unmarshal(body, &sellers); err != nil {
		t.Fatal(err)
	}
	well := func(id string) standing { return standing{SellerID: id, Circuit: "closed", HealthScore: 1000} }
	if want := []standing{well("acme"), well("other")}; !slices.Equal(sellers, want) {
		t.Errorf("sellers %s", body)
	}
	_, body = c.look("/tokenbuddy/status")
	const cold = `"modelId":"m","protocol":"messages","paymentMethod":"mock","state":"cold","candidateCount":2,"warmedAt":null`
	if !strings.Contains(string(body), cold) || !strings.Contains(string(body), `"prewarm":{"size":5,`) {
		t.Errorf("the focus set is not there, cold: %s", body)
	}
}
