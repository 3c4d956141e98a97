package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// TestShares: nobody takes the memory from all, and who is alone has most of it.
func TestShares(t *testing.T) {
	p := newPool(400)
	ada := p.enter("ada")
	if err := ada.take(301); !errors.Is(err, errMemberMemory) {
		t.Errorf("alone, more than three quarters: %v", err)
	}
	if err := ada.take(300); err != nil {
		t.Errorf("alone, three quarters: %v", err)
	}
	bob := p.enter("bob")
	if err := ada.take(1); !errors.Is(err, errMemberMemory) {
		t.Errorf("with another, above a quarter: %v", err)
	}
	if err := bob.take(101); !errors.Is(err, errMemberMemory) {
		t.Errorf("the other one, above a quarter: %v", err)
	}
	if err := bob.take(100); err != nil {
		t.Errorf("the other one, a quarter: %v", err)
	}
	cleo := p.enter("cleo")
	if err := cleo.take(1); !errors.Is(err, errNoMemory) {
		t.Errorf("where all is taken: %v", err)
	}
	ada.give(250)
	if err := cleo.take(100); err != nil {
		t.Errorf("after some was given back: %v", err)
	}
	bob.leave()
	cleo.leave()
	if err := ada.take(150); err != nil {
		t.Errorf("alone again: %v", err)
	}
	if held := p.held.Load(); held != 400 {
		t.Errorf("%d held, want 400", held)
	}
	for _, s := range []*share{ada, bob, cleo} {
		s.give(s.held.Load())
	}
	ada.leave()
	if p.held.Load() != 0 || p.busy.Load() != 0 {
		t.Errorf("%d held by %d members in the end", p.held.Load(), p.busy.Load())
	}
}

// TestShareOfMany: requests of one member are one share.
func TestShareOfMany(t *testing.T) {
	p := newPool(400)
	first, second := p.enter("ada"), p.enter("ada")
	if first != second {
		t.Fatal("two shares of one member")
	}
	first.leave()
	other := p.enter("bob")
	if err := second.take(101); !errors.Is(err, errMemberMemory) {
		t.Errorf("one of two requests is under way still: %v", err)
	}
	second.leave()
	if err := other.take(300); err != nil {
		t.Errorf("alone: %v", err)
	}
}

// TestSharesAreDropped: members who have come and gone are not kept for ever, those who hold something are.
func TestSharesAreDropped(t *testing.T) {
	p := newPool(400)
	holds := p.enter("holds")
	if err := holds.take(10); err != nil {
		t.Fatal(err)
	}
	holds.leave()
	stays := p.enter("stays")
	for i := range 2 * maxShares {
		p.enter(strconv.Itoa(i)).leave()
	}
	n := 0
	p.members.Range(func(any, any) bool { n++; return true })
	if n > maxShares || int64(n) != p.size.Load() {
		t.Errorf("%d members are kept, %d counted", n, p.size.Load())
	}
	if p.enter("holds") != holds || p.enter("stays") != stays {
		t.Error("one that holds something, or is at work, was dropped")
	}
}

// TestSpare: what streams may pass on as well leaves what can't be done without its place, and takes none of what bodies leave.
func TestSpare(t *testing.T) {
	p := newPool(400)
	ada, bob := p.enter("ada"), p.enter("bob")
	if ada.Take(26) || !ada.Take(25) || ada.Take(1) {
		t.Error("one of several has a quarter of a quarter")
	}
	if err := ada.take(75); err != nil {
		t.Errorf("the rest: %v", err)
	}
	if err := bob.take(80); err != nil {
		t.Fatal(err)
	}
	if !bob.Take(20) || bob.Take(1) {
		t.Error("beside bodies there is a place for streams, as far as there is one")
	}
	bob.give(80)
	bob.Give(20)
	ada.give(75)
	ada.Give(25)
	if p.held.Load() != 0 || p.streams.Load() != 0 || ada.streams.Load() != 0 {
		t.Errorf("%d held, %d of it of streams", p.held.Load(), p.streams.Load())
	}
	var taken int64
	for i := range int64(10) {
		if p.enter(string('a' + rune(i))).Take(25) {
			taken += 25
		}
	}
	if taken != 200 {
		t.Errorf("streams have %d of 400", taken)
	}
}

// seeing is a client's side that tells when so many bytes have come.
type seeing struct {
	*httptest.ResponseRecorder
	left int
	seen chan struct{}
}

func (w *seeing) Write(b []byte) (int, error) {
	if left := w.left; left > 0 {
		if w.left -= len(b); w.left <= 0 {
			close(w.seen)
		}
	}
	return w.ResponseRecorder.Write(b)
}

// TestEndlessEvent: an event that does not end is held as far as the memory of all requests goes, and flows from there on; whatever ends it,
// all is given back, and the entry has the usage.
func TestEndlessEvent(t *testing.T) {
	before := memory
	t.Cleanup(func() { memory = before })
	const usage = `data: {"id":"c","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16}}` + "\n\n"
	for name, row := range map[string]struct {
		leaves, cut bool
		want        ledger.Status
	}{
		"it ends after all":    {want: ledger.StatusOK},
		"the client leaves":    {leaves: true, want: ledger.StatusClientGone},
		"the seller breaks it": {cut: true, want: ledger.StatusInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			memory = newPool(1 << 20)
			client, leave := context.WithCancel(t.Context())
			defer leave()
			defer time.AfterFunc(20*time.Second, func() {
				t.Error("the event is held to its end")
				leave()
			}).Stop()
			c := &cell{part: part{name: name, streamed: true}, model: "m"}
			c.client, c.leave, c.got = client, leave, httptest.NewRecorder()
			seen := make(chan struct{})
			w := newWay(t, "", func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", sse)
				_, _ = io.WriteString(w, content+`data: {"id":"c","choices":[{"index":0,"delta":{"content":"`+strings.Repeat("x", 600<<10))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-seen:
				case <-r.Context().Done():
					return
				}
				switch {
				case row.cut:
					panic(http.ErrAbortHandler)
				case row.leaves:
					leave()
					<-r.Context().Done()
				default:
					_, _ = io.WriteString(w, `"}}]}`+"\n\n"+strings.Replace(finished, "data: [DONE]", usage+"data: [DONE]", 1))
				}
			})
			c.askFor(t, w.door, &seeing{c.got, 500 << 10, seen})
			booked := w.booked()
			if len(booked) != 1 || booked[0].Status != row.want {
				t.Fatalf("booked %+v", booked)
			}
			if n := booked[0]; row.want == ledger.StatusOK && (n.PromptTokens != 7 || n.CompletionTokens != 9) {
				t.Errorf("usage %+v", n)
			}
			if held := memory.held.Load(); held != 0 {
				t.Errorf("%d bytes are held for nothing", held)
			}
		})
	}
}

// TestShareOfABody: one that a member's share has room for is taken, whether it says how long it is or not. One that never has room, however
// little others do, is refused for good as soon as that is known.
func TestShareOfABody(t *testing.T) {
	const now, never = http.StatusServiceUnavailable, http.StatusRequestEntityTooLarge
	for _, c := range []struct {
		coding              string
		size                int // of 16 MiB
		alone               bool
		announced, streamed int // the refusal's status, of a body that says how long it is and one that does not; 0: it is taken
	}{
		{"", 4<<20 - 1, false, 0, 0},
		{"", 4 << 20, false, now, now}, // and one byte, to see its end
		{"", 12<<20 - 1, false, now, now},
		{"", 12<<20 - 1, true, 0, 0},
		{"", 12 << 20, false, never, now},
		{"", 12 << 20, true, never, never},
		{"gzip", 11<<20 - 1, true, 0, 0},
		{"gzip", 11 << 20, true, never, never}, // the decoder has its place too
	} {
		for _, announced := range []bool{true, false} {
			p := newPool(16 << 20)
			ada := p.enter("ada")
			if !c.alone {
				p.enter("bob")
			}
			raw := make([]byte, c.size)
			if c.coding != "" {
				raw = encoded(t, c.coding, string(raw))
			}
			length, want := int64(-1), c.streamed
			if announced {
				length, want = int64(len(raw)), c.announced
			}
			b, refusal := readBody(bodyRequest(c.coding, length, bytes.NewReader(raw)), 256<<20, ada)
			status := 0
			if refusal != nil {
				status = refusal.Status
			}
			if status != want {
				t.Errorf("%q of %d bytes, announced: %t, alone: %t: status %d, want %d", c.coding, c.size, announced, c.alone, status, want)
			}
			if b != nil {
				b.release()
			}
			if held := p.held.Load(); held != 0 {
				t.Errorf("%d bytes stay held", held)
			}
		}
	}
}
