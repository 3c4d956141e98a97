package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
)

var errFault = errors.New("a fault")

// faulty is a client's side that panics when it has had so many bytes.
type faulty struct {
	*httptest.ResponseRecorder
	left int
}

func (w *faulty) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		panic(errFault)
	}
	return w.ResponseRecorder.Write(b)
}

// TestPanicGivesBack: after a panic, which the server recovers from, the seller's call has ended, nothing is held of the memory, and the request is
// booked.
func TestPanicGivesBack(t *testing.T) {
	before := memory
	t.Cleanup(func() { memory = before })
	long := `data: {"id":"c","choices":[{"index":0,"delta":{"content":"` + strings.Repeat("x", 300<<10) + `"}}]}` + "\n\n"
	for name, left := range map[string]int{"as its answer begins": 0, "in the middle of its answer": len(content)} {
		t.Run(name, func(t *testing.T) {
			memory = newPool(16 << 20)
			client, leave := context.WithTimeout(t.Context(), 20*time.Second)
			defer leave()
			c := &cell{part: part{name: name, streamed: true}, model: "m", client: client, leave: leave}
			ended := make(chan struct{})
			w := newWay(t, `,"members":[{"name":"m","key":"key-of-m","daily_budget":"1"}]`, func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", sse)
				_, _ = io.WriteString(w, content+long)
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-client.Done():
					t.Error("its call goes on")
				}
			})
			func() {
				defer func() {
					if fault := recover(); fault != errFault {
						t.Errorf("it ends with %v", fault)
					}
				}()
				c.askFor(t, w.door, &faulty{httptest.NewRecorder(), left})
			}()
			<-ended
			if held := memory.held.Load(); held != 0 {
				t.Errorf("%d bytes are held for nothing", held)
			}
			if n := w.gw.unfinished.underWay(); n != 0 {
				t.Errorf("%d calls are under way", n)
			}
			if last := w.gw.market.Recent.Find(recent.Query{}); len(last) != 1 || last[0].Outcome != string(ledger.StatusInterrupted) || last[0].Seller != "a" {
				t.Errorf("remembered: %+v", last)
			}
			if e := w.booked(); len(e) != 1 || e[0].Status != ledger.StatusInterrupted || e[0].Attempts != 1 || e[0].BilledMicros == 0 {
				t.Errorf("booked: %+v", e)
			}
		})
	}
}

// fatal is a watcher that does not bear what comes.
type fatal struct{ relay.Watcher }

func (fatal) Event([]byte, []byte, bool) { panic(errFault) }

// TestPanicWhileDraining: what comes after an answer's end ends the call at the worst.
func TestPanicWhileDraining(t *testing.T) {
	ended := false
	stream := relay.NewStream(io.NopCloser(strings.NewReader(content)), func() { ended = true }, relay.StreamOptions{Watcher: fatal{}})
	books{&request{log: zap.NewNop(), gw: &Gateway{shutdown: t.Context()}}}.drain(stream)
	if !ended {
		t.Error("its call goes on")
	}
}

// faultySoon panics at the first byte, and tells so.
type faultySoon struct{ *watched }

func (w faultySoon) Write(b []byte) (int, error) {
	_, _ = w.watched.Write(b)
	panic(errFault)
}

// TestPanicOfHeartbeat: a writer that panics under a heartbeat does so under the request, from which the server recovers.
func TestPanicOfHeartbeat(t *testing.T) {
	c := newBeats(t)
	w := newWay(t, `,"heartbeat":"10ms"`, c.afterBeat(says(200, content+finished, "Content-Type", sse)))
	func() {
		defer func() {
			if fault := recover(); fault != errFault {
				t.Errorf("it ends with %v", fault)
			}
		}()
		c.askFor(t, w.door, faultySoon{&watched{ResponseRecorder: c.got, seen: c.seen}})
	}()
	if e := w.booked(); len(e) != 1 || e[0].Attempts != 1 {
		t.Errorf("booked: %+v", e)
	}
}

// TestPanicOfHeartbeatGivesBack: it comes once the answer is there, which is ended and booked all the same.
func TestPanicOfHeartbeatGivesBack(t *testing.T) {
	before := memory
	t.Cleanup(func() { memory = before })
	memory = newPool(16 << 20)
	c := newBeats(t)
	ended := make(chan struct{})
	w := newWay(t, `,"heartbeat":"10ms","members":[{"name":"m","key":"key-of-m","daily_budget":"1"}]`, c.afterBeat(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		says(200, content, "Content-Type", sse)(w, r)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-c.client.Done():
			t.Error("its call goes on")
		}
	}))
	func() {
		defer func() {
			if fault := recover(); fault != errFault {
				t.Errorf("it ends with %v", fault)
			}
		}()
		c.askFor(t, w.door, faultySoon{&watched{ResponseRecorder: c.got, seen: c.seen}})
	}()
	<-ended
	if held := memory.held.Load(); held != 0 {
		t.Errorf("%d bytes are held for nothing", held)
	}
	if n := w.gw.unfinished.underWay(); n != 0 {
		t.Errorf("%d calls are under way", n)
	}
	if e := w.booked(); len(e) != 1 || e[0].Status != ledger.StatusInterrupted || e[0].BilledMicros == 0 {
		t.Errorf("booked: %+v", e)
	}
}
