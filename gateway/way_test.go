package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/config"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// way is a gateway of a test's own, with sellers where the operator has an account: nothing is bought, and there is no Caddy.
type way struct {
	*testing.T
	gw   *Gateway
	door *Door
}

// newWay opens one with a seller for each answer, named a, b and so on, all with the model m. more are further words of the config.
func newWay(t *testing.T, more string, answers ...http.HandlerFunc) *way {
	t.Helper()
	var sellers []string
	for i, answer := range answers {
		sellers = append(sellers, pinned(t, string('a'+rune(i)), "m", answer))
	}
	return openWay(t, `"sellers":[`+strings.Join(sellers, ",")+`]`+more)
}

// pinned starts a seller with one model, and gives its words in the config.
func pinned(t *testing.T, id, model string, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return fmt.Sprintf(`{"id":%q,"url":%q,"api_key":"k","prices":[{"model":%q,"input":"1","output":"1"}]}`, id, server.URL, model)
}

// openWay opens one whose config has these words.
func openWay(t *testing.T, words string) *way {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	return openWayUntil(t, t.Context(), words)
}

// openWayUntil is openWay for a process that goes when shutdown is done, and whose environment has been set.
func openWayUntil(t *testing.T, shutdown context.Context, words string) *way {
	t.Helper()
	var c config.Config
	raw := `{` + words + `,"prewarm":{"off":true},"ledger":{"dir":"` + filepath.Join(t.TempDir(), "books") + `"}}`
	if err := caddy.StrictUnmarshalJSON([]byte(raw), &c); err != nil {
		t.Fatal(err)
	}
	settings, err := c.Settings(caddy.NewReplacer())
	if err != nil {
		t.Fatal(err)
	}
	w := &way{T: t}
	w.door = NewDoor(zap.NewNop(), func(current bool) (*Gateway, error) {
		return Open(Options{
			Settings: settings, Policy: routing.DefaultFirst{}, Log: zap.NewNop(), SharedLog: zap.NewNop(), Shutdown: shutdown, Current: current,
		})
	})
	if err := w.door.Open(); err != nil {
		t.Fatal(err)
	}
	w.gw = w.door.gateway.Load()
	t.Cleanup(func() {
		w.door.Retire()
		<-w.gw.closed // what goes on in the background writes to the test's directory
	})
	return w
}

const chat = `{"model":"m","messages":[{"role":"user","content":"Hello"}]}`

// ask sends a request and gives the answer, once all that it has left behind is booked.
func (w *way) ask(body string) *httptest.ResponseRecorder {
	w.Helper()
	recorder := httptest.NewRecorder()
	if err := w.door.ServeHTTP(recorder, newAsk(body), nil); err != nil {
		w.Error(err)
	}
	return recorder
}

// newAsk is a request from this machine.
func newAsk(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	return r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
}

// booked gives the entries of requests, once nothing is on its way into the books any more.
func (w *way) booked() (all []*ledger.Served) {
	w.Helper()
	w.door.Retire()
	<-w.gw.closed
	late, err := w.door.enter(w.Context()) // who comes late finds the same books
	if err != nil {
		w.Fatal(err)
	}
	defer late.leave()
	err = late.market.Ledger.Entries(w.Context(), ledger.Query{}, func(e *ledger.Entry) error {
		if e.Served != nil {
			all = append(all, e.Served)
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// says is a seller that answers with a status and a body.
func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const good = `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`

// What the client gets, by what the sellers say in turn, and what is booked of it.
func TestWay(t *testing.T) {
	failing, refusing := says(500, `{"error":{"message":"no"}}`, "Retry-After", "300"), says(400, `{"error":{"message":"bad"}}`)
	missing, page := says(404, `{"error":{"message":"who?"}}`), says(502, "<html>")
	dead := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	switches := func(w http.ResponseWriter, _ *http.Request) { // which nobody has asked for
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nContent-Type: text/event-stream\r\n\r\n"+content+finished)
			_ = conn.Close()
		}
	}
	for _, test := range []struct {
		name     string
		sellers  []http.HandlerFunc
		more     string
		status   int
		says     string // in the body
		seller   string // by the header; empty: none
		attempts string
		booked   ledger.Status // empty: nothing
		kinds    string        // of the tries that the entry tells of
	}{
		{"a good answer", []http.HandlerFunc{says(200, good)}, "", 200, "Hi", "a", "1", ledger.StatusOK, ""},
		{"the second seller's", []http.HandlerFunc{failing, says(200, good)}, `,"failover":{"retries":0}`, 200, "Hi", "b", "2", ledger.StatusOK, "soft_5xx ok"},
		{"no connection lasts", []http.HandlerFunc{dead, says(200, good)}, "", 200, "Hi", "b", "2", ledger.StatusOK, "deadline ok"},
		{"protocols are switched", []http.HandlerFunc{switches, says(200, good)}, `,"failover":{"retries":0}`, 200, "Hi", "b", "2", ledger.StatusOK, "soft_5xx ok"},
		{"the request is at fault", []http.HandlerFunc{refusing, says(200, good)}, "", 400, "bad", "a", "1", ledger.StatusFailed, "hard_4xx"},
		{"none has it", []http.HandlerFunc{missing, missing}, "", 404, "who?", "b", "2", ledger.StatusFailed, "hard_4xx hard_4xx"},
		{"all fail, with JSON", []http.HandlerFunc{failing}, `,"failover":{"retries":0}`, 500, "no", "a", "1", ledger.StatusFailed, "soft_5xx"},
		{"all fail, with JSON after a mark", []http.HandlerFunc{says(500, mark+`{"error":{"message":"no"}}`)}, `,"failover":{"retries":0}`, 500, mark + `{"error"`, "a", "1", ledger.StatusFailed, "soft_5xx"},
		{"all fail, with a page", []http.HandlerFunc{page}, `,"failover":{"retries":0}`, 502, "Every seller that was asked failed", "a", "1", ledger.StatusFailed, "soft_5xx"},
		{"attempts are bounded", []http.HandlerFunc{page, page, says(200, good)}, `,"failover":{"retries":0,"max_attempts":2}`, 502, "Every seller", "b", "2", ledger.StatusFailed, "soft_5xx soft_5xx"},
		{"our account is no answer", []http.HandlerFunc{says(403, `{"error":{"message":"your account"}}`)}, "", 502, "was refused. Ask whoever runs it", "a", "1", ledger.StatusFailed, "auth_invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWay(t, test.more, test.sellers...)
			res := w.ask(chat)
			if res.Code != test.status || !strings.Contains(res.Body.String(), test.says) {
				t.Errorf("status %d: %s", res.Code, res.Body)
			}
			if seller, attempts := res.Header().Get("X-TokenBuddy-Seller"), res.Header().Get("X-TokenBuddy-Attempts"); seller != test.seller || attempts != test.attempts {
				t.Errorf("seller %q after %q attempts", seller, attempts)
			}
			entries := w.booked()
			if len(entries) != 1 {
				t.Fatalf("%d entries", len(entries))
			}
			var kinds []string
			for _, try := range entries[0].Trace {
				kinds = append(kinds, try.Kind)
			}
			if e := entries[0]; e.Status != test.booked || strings.Join(kinds, " ") != test.kinds || fmt.Sprint(e.Attempts) != test.attempts {
				t.Errorf("booked as %s after %d attempts: %v", e.Status, e.Attempts, kinds)
			}
			if e := entries[0]; test.booked == ledger.StatusOK && (e.BilledMicros != 5 || e.PromptTokens != 3) {
				t.Errorf("booked: %+v", e)
			}
		})
	}
}

// What is refused before a seller is asked leaves nothing in the books.
func TestWayRefused(t *testing.T) {
	for _, test := range []struct {
		name, body, more string
		status           int
		code             string
	}{
		{"no JSON", "{", "", 400, "invalid_request_error"},
		{"no such model", `{"model":"n"}`, "", 404, "model_not_found"},
		{"too large", `{"model":"m","messages":"` + strings.Repeat("x", 1<<10) + `"}`, `,"max_body":1024`, 413, "request_too_large"},
		{"no key", chat, `,"members":[{"name":"ann","key":"key-of-ann"}]`, 401, "invalid_api_key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWay(t, test.more, func(http.ResponseWriter, *http.Request) { t.Error("a seller was asked") })
			res := w.ask(test.body)
			var answer struct{ Error struct{ Code string } }
			if err := json.Unmarshal(res.Body.Bytes(), &answer); err != nil || res.Code != test.status || answer.Error.Code != test.code {
				t.Errorf("status %d, %v: %s", res.Code, err, res.Body)
			}
			if entries := w.booked(); len(entries) != 0 {
				t.Errorf("booked: %+v", entries[0])
			}
		})
	}
}

// broken is a ledger that takes no holds, or says that it is not ready.
type broken struct {
	Ledger
	closed *ledger.Ledger
	ready  error
}

func (b broken) Ready() error { return b.ready }

func (b broken) PlaceHold(h ledger.Hold) *ledger.Commit { return b.closed.PlaceHold(h) }

// Not a byte of an answer goes out before its hold is durable, and nothing is sent that can't be booked.
func TestWayWithBrokenLedger(t *testing.T) {
	closed, err := ledger.Open(ledger.Options{InMemory: true, Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		ready error
		asked int
		says  string
	}{
		"no hold":   {nil, 1, "books of this gateway take no entries"},
		"not ready": {errors.New("a commit failed"), 0, "books of this gateway take no entries"},
		"no room":   {ledger.ErrNoRoom, 0, "disk on which this gateway keeps its books is full"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			w := newWay(t, "", func(w http.ResponseWriter, r *http.Request) {
				asked++
				says(200, good)(w, r)
			})
			w.gw.ledger = broken{w.gw.ledger, closed, test.ready}
			if res := w.ask(chat); res.Code != http.StatusServiceUnavailable || !strings.Contains(res.Body.String(), test.says) ||
				res.Header().Get("Retry-After") == "" || strings.Contains(res.Body.String(), "Hi") || asked != test.asked {
				t.Errorf("status %d after %d were asked: %s", res.Code, asked, res.Body)
			}
		})
	}
}

// TestChosenHasNotTheModel: who is kept to one seller is told that it is this one that has not the model, since the list has it; and where there is
// no such seller, that.
func TestChosenHasNotTheModel(t *testing.T) {
	for chosen, told := range map[string]string{
		"a": "The one seller that this gateway keeps to has not the model m",
		"c": "the one seller that this gateway keeps to is not there",
		"":  "this gateway keeps to one seller, and none is named",
	} {
		w := openWay(t, `"sellers":[`+pinned(t, "a", "other", says(200, good))+`,`+pinned(t, "b", "m", says(200, good))+`]`)
		w.gw.table.Override(&routing.Manual{Seller: chosen})
		res := w.ask(chat)
		if res.Code != http.StatusNotFound || !strings.Contains(res.Body.String(), "model_not_found") || !strings.Contains(res.Body.String(), told) ||
			strings.Contains(res.Body.String(), "No seller has") || res.Header().Get("X-Should-Retry") != "false" {
			t.Errorf("kept to %q: status %d: %s", chosen, res.Code, res.Body)
		}
	}
}

// TestChosenIsNotKnownYet: before the registry's first document nobody knows whether it names the one seller, so that asking again may help.
func TestChosenIsNotKnownYet(t *testing.T) {
	for _, chosen := range []string{"c", ""} {
		w := newWay(t, "", says(200, good))
		registry, err := routing.NewRegistry(routing.RegistryOptions{URL: "https://registry.example", Transport: silence{}})
		if err != nil {
			t.Fatal(err)
		}
		w.gw.registry = registry
		w.gw.informed.Store(true)
		w.gw.table.Override(&routing.Manual{Seller: chosen})
		if res := w.ask(chat); res.Code != http.StatusServiceUnavailable || res.Header().Get("Retry-After") == "" {
			t.Errorf("kept to %q: status %d: %s", chosen, res.Code, res.Body)
		}
	}
}

// begins is a client that tells when an answer begins.
type begins struct {
	*httptest.ResponseRecorder
	tell func()
}

func (b begins) WriteHeader(status int) {
	b.tell()
	b.ResponseRecorder.WriteHeader(status)
}

// TestClientThatWaitsForASecond: a client that says how long it waits for the headers of an answer gets them in that time where the seller has begun.
// Else it leaves, and asks again for what has been paid, as often as it likes.
func TestClientThatWaitsForASecond(t *testing.T) {
	const role, word = `data: {"choices":[{"delta":{"role":"assistant","content":""}}]}` + "\n\n", `data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}` + "\n\n"
	for name, says := range map[string]http.Header{
		"Node's":                  {"X-Stainless-Timeout": {"1"}},
		"Python's":                {"X-Stainless-Read-Timeout": {"1.0"}},
		"Python's, which is less": {"X-Stainless-Timeout": {"600"}, "X-Stainless-Read-Timeout": {"0.5"}},
		"beside none":             {"X-Stainless-Timeout": {"NOT_GIVEN"}, "X-Stainless-Read-Timeout": {"1.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			asked, begun := time.Now(), make(chan time.Duration, 1)
			w := newWay(t, "", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, role)
				_ = http.NewResponseController(w).Flush()
				begun <- <-begun // it thinks for longer than the client waits
				_, _ = io.WriteString(w, word+"data: [DONE]\n\n")
			})
			r := newAsk(`{"model":"m","stream":true,"messages":[]}`)
			maps.Copy(r.Header, says)
			client := begins{httptest.NewRecorder(), func() { begun <- time.Since(asked) }}
			if err := w.door.ServeHTTP(client, r, nil); err != nil || !strings.HasPrefix(client.Body.String(), role+word) {
				t.Errorf("%v: %s", err, client.Body)
			}
			if took := <-begun; took > 5*time.Second { // it is 10 s where the client has said nothing
				t.Errorf("its answer began after %s", took)
			}
		})
	}
}

// TestImpatientClientOfHeartbeats: a client that says how long it waits, and that a heartbeat gives its headers by then, is failed over for as long as any.
func TestImpatientClientOfHeartbeats(t *testing.T) {
	const role, word = `data: {"choices":[{"delta":{"role":"assistant","content":""}}]}` + "\n\n", `data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}` + "\n\n"
	w := openWay(t, `"heartbeat":"100ms","sellers":[`+pinned(t, "a", "m", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, role)
		_ = http.NewResponseController(w).Flush()
		select { // it thinks for longer than half of what the client waits, and dies
		case <-time.After(time.Second):
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	})+`,`+pinned(t, "b", "m", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, role+word+"data: [DONE]\n\n")
	})+`]`)
	r := newAsk(`{"model":"m","stream":true,"messages":[]}`)
	r.Header.Set("X-Stainless-Timeout", "1")
	res := httptest.NewRecorder()
	if err := w.door.ServeHTTP(res, r, nil); err != nil || !strings.HasSuffix(res.Body.String(), word+"data: [DONE]\n\n") {
		t.Errorf("%v: %s", err, res.Body)
	}
}

// TestPatience: a client waits for as long as it says. What is no such time, or is over, is as if it had said nothing.
func TestPatience(t *testing.T) {
	for said, waits := range map[string]bool{
		"1": true, "600": true, "10.0": true, "0.5": true,
		"": false, "0": false, "-1": false, "NaN": false, "Inf": false, "1e300": false, "none": false, "18446744073709551615": false,
	} {
		rq := &request{gw: &Gateway{settings: &config.Settings{}}, r: newAsk(chat), begun: time.Now()}
		rq.r.Header.Set("X-Stainless-Read-Timeout", said)
		if left := rq.patience(); left > 0 != waits || left > 10*time.Minute {
			t.Errorf("%q: %s", said, left)
		}
	}
	rq := &request{gw: &Gateway{settings: &config.Settings{}}, r: newAsk(chat), begun: time.Now().Add(-time.Minute)}
	rq.r.Header.Set("X-Stainless-Timeout", "10")
	if left := rq.patience(); left != 0 {
		t.Errorf("over its time: %s", left)
	}
}

// TestAccountRefused: that a provider refuses the operator's account no retry of a client's betters, nor any wait, also where the provider asks for one.
func TestAccountRefused(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden} {
		w := newWay(t, "", says(status, `{"error":{"message":"your account"}}`, "Retry-After", "7"))
		res := w.ask(chat)
		if h := res.Header(); res.Code != http.StatusBadGateway || h.Get("X-Should-Retry") != "false" || h.Get("Retry-After") != "" ||
			strings.Contains(res.Body.String(), "your account") {
			t.Errorf("%d: status %d, %v: %s", status, res.Code, h, res.Body)
		}
		w.booked()
	}
}
