package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// get asks for a stored response, and tells whether the client's connection was aborted.
func (w *way) get(id string, client http.ResponseWriter) (aborted bool) {
	w.Helper()
	r := httptest.NewRequest(http.MethodGet, "/v1/responses/"+id, nil)
	r.RemoteAddr = "127.0.0.1:1"
	r = r.WithContext(context.WithValue(w.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
	defer func() {
		if fault := recover(); fault != nil {
			if aborted = fault == http.ErrAbortHandler; !aborted {
				panic(fault)
			}
		}
	}()
	if err := w.door.ServeHTTP(client, r, nil); err != nil {
		w.Error(err)
	}
	return false
}

// keeps has a seller be who made a response.
func (w *way) keeps(seller, id string) {
	w.Helper()
	s := w.gw.table.Index().Seller(seller)
	if s == nil {
		w.Fatalf("there is no seller %s", seller)
	}
	named := w.gw.named
	w.gw.responses.Put(named.responseKey("anonymous", id), named.memberHash("anonymous"), routing.Made{Seller: s.Key(), Model: "m"}, time.Now())
}

// TestStoredAtTheEnd: who asks for a stored response while the process goes is not told that the seller has failed.
func TestStoredAtTheEnd(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	const created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n"
	for name, row := range map[string]struct {
		status int
		kind   string // of the answer
		begun  string // of it
		says   string
	}{
		"nothing has come": {502, plain, "", "This gateway is being restarted"},
		"half of it":       {502, plain, `{"id":`, "This gateway is being restarted"},
		"a stream":         {200, sse, created, "as this gateway is being restarted"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // which of two signals comes first is a matter of luck
				process, shutdown := context.WithCancel(t.Context())
				defer shutdown()
				client := &watched{ResponseRecorder: httptest.NewRecorder(), seen: make(chan struct{})}
				seller := pinned(t, "a", "m", func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", row.kind)
					_, _ = io.WriteString(w, row.begun)
					if row.begun != "" {
						_ = http.NewResponseController(w).Flush()
					}
					if row.status == 200 {
						<-client.seen
					}
					shutdown()
					<-r.Context().Done()
				})
				w := openWayUntil(t, process, `"sellers":[`+seller+`]`)
				w.keeps("a", "resp_1")
				res, aborted := client.ResponseRecorder, w.get("resp_1", client)
				if res.Code != row.status || !strings.Contains(res.Body.String(), row.says) || aborted != (row.status == 200) {
					t.Fatalf("status %d, aborted %v: %s", res.Code, aborted, res.Body)
				}
				if n := res.Header().Get("X-TokenBuddy-Attempts"); n != "1" {
					t.Errorf("after %q attempts", n)
				}
			}
		})
	}
}

// TestStoredWithoutToken: where there is no token nobody is asked.
func TestStoredWithoutToken(t *testing.T) {
	w := newWay(t, "", func(http.ResponseWriter, *http.Request) { t.Error("the seller was asked") })
	w.keeps("a", "resp_1")
	w.gw.table.Index().Seller("a").Account = false // as if tokens were bought there
	res := httptest.NewRecorder()
	w.get("resp_1", res)
	if h := res.Header(); res.Code != 503 || h.Get("X-TokenBuddy-Attempts") != "" || h.Get("X-TokenBuddy-Seller") != "" {
		t.Errorf("status %d, %v: %s", res.Code, h, res.Body)
	}
}

// TestStoredByWhoIsGone: what a seller has made that is none of the gateway's any more is gone for good, and its client is told so at once
// and not to ask again. One that is only excluded may come back.
func TestStoredByWhoIsGone(t *testing.T) {
	w := newWay(t, "", func(http.ResponseWriter, *http.Request) { t.Error("another seller was asked") })
	respond := func(body string) *httptest.ResponseRecorder {
		t.Helper()
		r, res := newAsk(body), httptest.NewRecorder()
		r.URL.Path = "/v1/responses"
		if err := w.door.ServeHTTP(res, r, nil); err != nil {
			t.Error(err)
		}
		return res
	}
	named := w.gw.named
	for id, key := range map[string]routing.SellerKey{
		"resp_gone":  {ID: "left", Origin: "https://left.example"},
		"resp_moved": {ID: "a", Origin: "https://before.example"},
	} {
		w.gw.responses.Put(named.responseKey("anonymous", id), named.memberHash("anonymous"), routing.Made{Seller: key, Model: "m"}, time.Now())
		res := httptest.NewRecorder()
		w.get(id, res)
		if res.Code != 404 || res.Header().Get("X-Should-Retry") != "false" || !strings.Contains(res.Body.String(), "any more") {
			t.Errorf("%s: status %d, %v: %s", id, res.Code, res.Header(), res.Body)
		}
		res = respond(`{"model":"m","input":"hi","previous_response_id":"` + id + `"}`)
		if res.Code != 404 || res.Header().Get("X-Should-Retry") != "false" || !strings.Contains(res.Body.String(), "Send the whole conversation") {
			t.Errorf("from %s: status %d, %v: %s", id, res.Code, res.Header(), res.Body)
		}
	}
	w.gw.responses.Put(named.responseKey(anybody, "cntr_gone"), named.memberHash("anonymous"), routing.Made{Seller: routing.SellerKey{ID: "left"}, Model: "m"}, time.Now())
	res := respond(`{"model":"m","input":"hi","tools":[{"type":"code_interpreter","container":"cntr_gone"}]}`)
	if res.Code != 404 || !strings.Contains(res.Body.String(), `"param":"container"`) {
		t.Errorf("in its container: status %d: %s", res.Code, res.Body)
	}
}

// beaten is a client's side that tells when a heartbeat has come.
type beaten struct {
	*httptest.ResponseRecorder
	once sync.Once
	seen chan struct{}
}

func (b *beaten) Write(data []byte) (int, error) {
	if string(data) == beat {
		b.once.Do(func() { close(b.seen) })
	}
	return b.ResponseRecorder.Write(data)
}

// TestStoredBeats: who has a kept response streamed gets signs of life, too, while its seller is silent.
func TestStoredBeats(t *testing.T) {
	const begins = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n"
	const ends = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"output\":[]}}\n\n"
	client := &beaten{ResponseRecorder: httptest.NewRecorder(), seen: make(chan struct{})}
	w := newWay(t, `,"heartbeat":"10ms"`, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", sse)
		_, _ = io.WriteString(w, begins)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-client.seen:
		case <-time.After(10 * time.Second):
		}
		_, _ = io.WriteString(w, ends)
	})
	w.keeps("a", "resp_1")
	if w.get("resp_1?stream=true", client) {
		t.Error("the client's connection was aborted")
	}
	got := client.Body.String()
	if n := strings.Count(got, beat); n == 0 || strings.ReplaceAll(got, beat, "") != begins+ends || !strings.HasPrefix(got, begins+beat) {
		t.Errorf("with %d heartbeats the client got %q", n, got)
	}
}
