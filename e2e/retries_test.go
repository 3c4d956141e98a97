package e2e

import (
	"net/http"
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
