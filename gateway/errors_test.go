package gateway

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRestOfHalfAnError: a seller that asks for a rest has done so, also where the words of its error do not come to their end. The client hears how
// long, and nothing of half an error.
func TestRestOfHalfAnError(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		w := newWay(t, `,"failover":{"deadline":"1s"}`, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Retry-After", "40")
			says(status, `{"error":{"message":"half`)(w, r)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		res := w.ask(`{"stream":true,` + chat[1:])
		if after := res.Header().Get("Retry-After"); after != "40" && after != "39" && after != "38" || res.Code < 500 || strings.Contains(res.Body.String(), "half") {
			t.Errorf("%d: status %d, to be tried again after %q: %s", status, res.Code, after, res.Body)
		}
		if rest := w.gw.pool.Known(w.gw.table.Index().Seller("a").Key()).Rest(time.Now()); rest == 0 {
			t.Errorf("%d: the seller does not rest", status)
		}
		w.booked()
	}
}

// TestCompressedError: what was not read is not shown.
func TestCompressedError(t *testing.T) {
	for _, status := range []int{404, 429} {
		w := newWay(t, "", says(status, "\x1f\x8b\x08", "Content-Encoding", "gzip", "Content-Length", "3"))
		res := w.ask(chat)
		if res.Code != http.StatusBadGateway || !strings.Contains(res.Body.String(), "upstream_error") {
			t.Errorf("%d: status %d, %v: %q", status, res.Code, res.Header(), res.Body)
		}
		w.booked()
	}
}

// TestEndlessError: of an error that is too long to be read nothing is handed on.
func TestEndlessError(t *testing.T) {
	w := newWay(t, "", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		says(400, strings.Repeat("x", maxWholeAnswer+1))(w, r)
	})
	if res := w.ask(chat); res.Code != 400 || !strings.Contains(res.Body.String(), "not handed on") || strings.Contains(res.Body.String(), "xxx") {
		t.Errorf("status %d, %d bytes: %.300s", res.Code, res.Body.Len(), res.Body)
	}
	if e := w.booked(); len(e) != 1 || e[0].BilledMicros != 0 {
		t.Errorf("booked: %+v", e)
	}
}

// TestErrorWithoutMemory: what is to be done goes by what an error says, also where its seller's client holds all the memory that it may have.
func TestErrorWithoutMemory(t *testing.T) {
	before := memory
	t.Cleanup(func() { memory = before })
	long := strings.Repeat("x", shortError)
	for name, row := range map[string]struct {
		error  http.HandlerFunc
		status int
		says   string
	}{
		"spent credit":     {says(400, `{"error":{"code":"insufficient_quota","message":"our account"}}`), 200, "Hi"},
		"another's answer": {says(400, `{"error":{"code":"invalid_encrypted_content","message":"x"}}`), 200, "Hi"},
		"too much":         {says(400, `{"error":{"message":"`+long+` sk-0123456789"}}`), 400, "not handed on"},
		"a key":            {says(400, `{"error":{"message":"no key sk-0123456789 here"}}`), 400, "not handed on"},
	} {
		t.Run(name, func(t *testing.T) {
			memory = newPool(1 << 20)
			w := openWay(t, `"sellers":[`+strings.Replace(pinned(t, "a", "m", func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				s := memory.enter("anonymous")
				defer s.leave()
				all := s.most() - s.held.Load()
				if err := s.take(all); err != nil {
					t.Error(err)
				}
				t.Cleanup(func() { s.give(all) })
				row.error(w, r)
			}), `"k"`, `"sk-0123456789"`, 1)+`,`+pinned(t, "b", "m", says(200, good))+`]`)
			if res := w.ask(chat); res.Code != row.status || !strings.Contains(res.Body.String(), row.says) {
				t.Errorf("status %d: %s", res.Code, res.Body)
			}
			w.booked()
		})
	}
}
