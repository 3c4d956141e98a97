package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestAnotherRequestUnderOneKey has a client hang up in the middle of a dear stream, and then send other requests with the same
// Idempotency-Key: another body, and the same one to have its tokens counted. The seller settles each of them as what it is, a charge
// of its own, and none takes the cost of the stream back. Only another try of the same request does.
func TestAnotherRequestUnderOneKey(t *testing.T) {
	t.Parallel()
	q := speechOf("/v1/messages")
	begin := strings.Replace(q.begin, `"input_tokens":`, `"input_tokens":200`, 1)
	dear := newScript()
	s := newStage(t)
	s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		switch id := r.Header.Get("X-Request-Id"); {
		case strings.HasSuffix(r.URL.Path, "count_tokens"):
			settledBy(sayJSON(200, `{"input_tokens":12}`), "Settlement-Id", id, "Billed-Micros", "0")(w, r, body)
		case id == "dear":
			dear.answer(w, r, body)
		case id == "again":
			sayStream(begin+q.text("one")+settlesAs(id, 77)+q.end)(w, r, body)
		default:
			settledBy(sayJSON(200, q.plain("x")), "Settlement-Id", id, "Billed-Micros", "1")(w, r, body)
		}
	}, priced("m"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n")
	members := func(id string) []string {
		return []string{"Authorization", "Bearer sk-ada-key", "Idempotency-Key", "k", "X-Request-Id", id}
	}
	streamed := q.body(`"model":"m","stream":true,`, "Hello "+strings.Repeat("dear ", 2000))
	sayAndGo(t, dear, begin+q.text("one"))
	res, err := s.send(t.Context(), q.path, streamed, members("dear")...)
	if err != nil {
		t.Fatal(err)
	}
	readUntil(t, res.Body, q.text("one"))
	_ = res.Body.Close()
	cut := s.entryOf("dear")
	if cut.Status != "client_gone" || cut.BilledSource != "estimate" || cut.ExpenseMicros < 1000 {
		t.Fatalf("booked %+v", cut)
	}
	const account = "expense:ada:m"
	for _, row := range []struct {
		id, path, body string
		want           int64 // on the account then
	}{
		{"count", "/v1/messages/count_tokens", streamed, cut.ExpenseMicros},
		{"cheap", q.path, q.body(`"model":"m",`, "Hello"), cut.ExpenseMicros + 1},
		{"count again", "/v1/messages/count_tokens", q.body(`"model":"m",`, "Hello"), cut.ExpenseMicros + 1},
		{"again", q.path, streamed, 77 + 1},
	} {
		a := s.ask(0, http.MethodPost, row.path, row.body, members(row.id)...)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d: %s", row.id, a.StatusCode, a.body)
		}
		s.entryOf(row.id)
		if got := s.balances()[account]; got != row.want {
			t.Errorf("after %s the member has borne %d, want %d", row.id, got, row.want)
		}
	}
	s.verify()
}

// TestAnotherTryWithAnotherToken cuts a stream before its settlement. So little is left on the token then that the client's next try has one of
// its own, and the seller settles that: the member bears the one charge, and what was booked of the first try is on its token again, to be spent.
func TestAnotherTryWithAnotherToken(t *testing.T) {
	t.Parallel()
	q := speechOf("/v1/messages")
	begin := strings.Replace(q.begin, `"input_tokens":`, `"input_tokens":200`, 1)
	cut := newScript()
	s := newStage(t)
	s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		switch r.Header.Get("X-Request-Id") {
		case "before": // after it there is enough for one try
			settledBy(sayJSON(200, q.plain("x")), "Settlement-Id", "before", "Billed-Micros", "1", "Balance-Micros", "4000")(w, r, body)
		case "cut":
			cut.answer(w, r, body)
		default:
			sayStream(begin+q.text("one")+settlesAs("again", 77)+q.end)(w, r, body)
		}
	}, priced("m"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n\t\tpurchase {\n\t\t\trebuy_below 0\n\t\t}\n")
	members := func(id string) []string {
		return []string{"Authorization", "Bearer sk-ada-key", "Idempotency-Key", "k", "X-Request-Id", id}
	}
	streamed := q.body(`"model":"m","stream":true,`, "Hello "+strings.Repeat("dear ", 2000))
	if a := s.ask(0, http.MethodPost, q.path, q.body(`"model":"m",`, "Hello"), members("before")...); a.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	s.entryOf("before")
	sayAndGo(t, cut, begin+q.text("one"))
	res, err := s.send(t.Context(), q.path, streamed, members("cut")...)
	if err != nil {
		t.Fatal(err)
	}
	readUntil(t, res.Body, q.text("one"))
	_ = res.Body.Close()
	first := s.entryOf("cut")
	if first.BilledSource != "estimate" || first.ExpenseMicros < 1000 {
		t.Fatalf("booked %+v", first)
	}
	if a := s.ask(0, http.MethodPost, q.path, streamed, members("again")...); a.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	if again := s.entryOf("again"); again.PurchaseID == first.PurchaseID || again.ExpenseMicros != 77 {
		t.Fatalf("booked %+v after %+v", again, first)
	}
	balances := s.balances()
	if got := balances["expense:ada:m"]; got != 77+1 {
		t.Errorf("the member has borne %d, want 78", got)
	}
	eventually(t, "the desk has what the books have", func() bool { return s.books().Credit.of("acme").LeftMicros == balances["credit:acme"] })
	s.verify()
}

// TestCutAfterTheSettledTry has a client ask again under its Idempotency-Key what was answered and settled, and hang up in the middle: the seller has charged once, and the
// member bears that once, also where the gateway has started anew in between.
func TestCutAfterTheSettledTry(t *testing.T) {
	t.Parallel()
	q := speechOf("/v1/messages")
	begin := strings.Replace(q.begin, `"input_tokens":`, `"input_tokens":200`, 1)
	again := newScript()
	s := newStage(t)
	s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Header.Get("X-Request-Id") != "first" {
			again.answer(w, r, body)
			return
		}
		sayStream(begin+q.text("one")+settlesAs("s", 4000)+q.end)(w, r, body)
	}, priced("m"))
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n")
	members := func(id string) []string {
		return []string{"Authorization", "Bearer sk-ada-key", "Idempotency-Key", "k", "X-Request-Id", id}
	}
	streamed := q.body(`"model":"m","stream":true,`, "Hello "+strings.Repeat("dear ", 2000))
	if a := s.ask(0, http.MethodPost, q.path, streamed, members("first")...); a.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	if first := s.entryOf("first"); first.BilledMicros != 4000 || first.BilledSource != "settlement" {
		t.Fatalf("booked %+v", first)
	}
	borne := s.balances()["expense:ada:m"]
	for _, id := range []string{"cut", "cut again"} {
		sayAndGo(t, again, begin+q.text("one"))
		res, err := s.send(t.Context(), q.path, streamed, members(id)...)
		if err != nil {
			t.Fatal(err)
		}
		readUntil(t, res.Body, q.text("one"))
		_ = res.Body.Close()
		if cut := s.entryOf(id); cut.Status != "client_gone" || cut.BilledSource != "estimate" || cut.ExpenseMicros != 0 || !slices.Contains(cut.Flags, "settled_before") {
			t.Errorf("booked %+v", cut)
		}
		s.kill()
		s.start()
	}
	if got := s.balances()["expense:ada:m"]; got != borne {
		t.Errorf("the member has borne %d, want %d", got, borne)
	}
	s.verify()
}

// TestRetryBetters has one seller be asked twice in vain, and another one say that it is busy, for longer than it is waited for. Another try may
// be served by then, and the client is not kept from it. One that was asked again itself has had its other try.
func TestRetryBetters(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	down := s.seller("down", sayJSON(500, errorBody("server_error")), "m")
	s.seller("alone", sayJSON(500, errorBody("server_error")), "alone")
	s.seller("busy", with(sayJSON(429, errorBody("rate_limit_error")), "Retry-After", "30"), "m")
	s.open("\t\tdefault_seller down\n")
	a := s.infer("", "m", "")
	if n := len(down.inferences()); n < 2 || a.StatusCode != 429 || a.Header.Get("Retry-After") != "30" || a.Header.Get("X-Should-Retry") != "" {
		t.Errorf("status %d after %d tries elsewhere, %v: %s", a.StatusCode, n, a.Header, a.body)
	}
	if a := s.infer("", "alone", ""); a.StatusCode != 500 || a.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("status %d, %v: %s", a.StatusCode, a.Header, a.body)
	}
	s.verify()
}
