package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestErrorsThatAreStreams has a seller say its errors as event streams, with a settlement in them. The client gets all of them but that,
// and it is booked.
func TestErrorsThatAreStreams(t *testing.T) {
	t.Parallel()
	const failed = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"no\"}}\n\n"
	const unknown = "trace: 1\n\n" + failed // a field that nobody knows is one all the same
	s := newStage(t)
	rows := map[string]struct {
		kind, begin, end string
		status           int
	}{
		"after":   {"text/event-stream", failed, "", 400},
		"before":  {"text/event-stream; charset=utf-8", "", failed, 422},
		"untyped": {"text/plain", ": why\n\n", failed, 404},
		"json":    {"application/json", failed, "data: {}", 409},
		"large":   {"text/event-stream", failed, failed, 413},
		"limits":  {"text/event-stream", failed, "", 429},
		"unknown": {"text/event-stream", unknown, "", 400},
		"bare":    {"text/event-stream", "data\n\n", failed, 404},
	}
	for name, row := range rows {
		s.seller(name, say(row.status, row.kind, row.begin+settlesAs("s_"+name, 11)+row.end), name)
	}
	s.seller("keeps", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Method == http.MethodPost {
			sayJSON(200, speeches[1].plain("Hi"))(w, r, body)
			return
		}
		say(404, "text/event-stream", unknown+settlesAs("s_keeps", 11))(w, r, body)
	}, "kept")
	asked := 0
	s.seller("again", func(w http.ResponseWriter, r *http.Request, body []byte) { // its last settlement is booked already: the one before counts
		said := settlesAs("s_once", 7) + failed
		if asked++; asked > 1 {
			said = settlesAs("s_new", 11) + said
		}
		say(400, "text/event-stream", said)(w, r, body)
	}, "again")
	s.open("\t\tfailover {\n\t\t\tmax_attempts 1\n\t\t}\n")
	for name, row := range rows {
		a := s.infer("streamed "+name, name, `"stream":true,`)
		if want := row.begin + row.end; a.StatusCode != row.status || a.body != want || a.cut != nil || a.Header.Get("Content-Length") != fmt.Sprint(len(want)) {
			t.Errorf("%s: status %d, %s bytes, %v: %q", name, a.StatusCode, a.Header.Get("Content-Length"), a.cut, a.body)
		}
		s.entryOf("streamed " + name)
	}
	balances := s.balances()
	for name := range rows { // on the member, or as waste where all of it is spent
		if cost := balances["expense:anonymous:"+name] + balances["waste:"+name]; cost != 11 {
			t.Errorf("%s: %d micros are booked", name, cost)
		}
	}
	for _, id := range []string{"once", "once more"} {
		if a := s.infer(id, "again", ""); a.StatusCode != 400 || a.body != failed {
			t.Errorf("%s: status %d: %q", id, a.StatusCode, a.body)
		}
		s.entryOf(id)
	}
	if cost := s.balances()["expense:anonymous:again"]; cost != 7+11 {
		t.Errorf("of a settlement and of one that was told with it again, %d micros are booked", cost)
	}
	if a := s.ask(0, http.MethodPost, "/v1/responses", `{"model":"kept","input":"Hello"}`); a.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	if a := s.ask(0, http.MethodGet, "/v1/responses/r", ""); a.StatusCode != http.StatusNotFound || a.body != unknown || a.cut != nil {
		t.Errorf("a stored response: status %d, %v: %q", a.StatusCode, a.cut, strings.TrimSpace(a.body))
	}
	s.verify()
}
