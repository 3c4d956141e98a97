package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
)

// TestRoomWaitsForItsReaders: a room is used again only when nobody reads what is in it.
func TestRoomWaitsForItsReaders(t *testing.T) {
	for name, test := range map[string]struct {
		read func(b *relay.Body) error
		idle bool
	}{
		"sent whole":   {func(b *relay.Body) error { _, err := io.Copy(io.Discard, b.Reader()); return err }, true},
		"never sent":   {func(*relay.Body) error { return nil }, false},
		"sent in part": {func(b *relay.Body) error { _, err := b.Reader().Read(make([]byte, 10)); return err }, false},
		"sent in part, and whole once again": {func(b *relay.Body) error {
			_, _ = b.Reader().Read(make([]byte, 10))
			_, err := io.Copy(io.Discard, b.Reader())
			return err
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat("x", 100_000)
			b, refusal := readBody(bodyRequest("", int64(len(text)), strings.NewReader(text)), 1<<20, newPool(1<<30).enter("ada"))
			if refusal != nil {
				t.Fatal(refusal.Message)
			}
			sent := relay.Splice(b.bytes)
			b.lend(relay.Splice(b.bytes[:0])) // to one that failed, and had been sent all
			_, _ = io.Copy(io.Discard, b.lent[0].Reader())
			b.lend(sent)
			if err := test.read(sent); err != nil {
				t.Fatal(err)
			}
			place := &b.bytes[0]
			if b.idle() != test.idle {
				t.Errorf("idle is %v", !test.idle)
			}
			b.release()
			for range 10 {
				if r := newRoom(roomSize(len(text))); &r.all[0] == place && !test.idle {
					t.Fatal("it is used again")
				}
			}
			if rest, err := io.ReadAll(sent.Reader()); test.idle == (err == nil) {
				t.Errorf("%d bytes of it can be read (%v)", len(rest), err)
			}
		})
	}
}

// TestRoomsAreNotShared: what a seller is sent is the request's own, also where its answer comes before it has been read, and the
// next request has begun by then.
func TestRoomsAreNotShared(t *testing.T) {
	var read, early sync.Map
	w := newWay(t, "", func(w http.ResponseWriter, r *http.Request) {
		head := make([]byte, 64)
		_, _ = io.ReadFull(r.Body, head)
		_, mark, _ := bytes.Cut(head, []byte(`"content":"`))
		isEarly := mark[0] == 'E'
		if isEarly { // the answer is there before the body
			mark = mark[1:]
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.Header().Set("Content-Length", strconv.Itoa(len(good)))
			says(200, good)(w, r)
			_ = http.NewResponseController(w).Flush()
		}
		rest, err := io.ReadAll(r.Body)
		if isEarly {
			early.Store(mark[0], true)
			if err != nil { // it was given up
				return
			}
		}
		text := bytes.TrimSuffix(append(mark, rest...), []byte(`"}]}`))
		if other := bytes.Trim(text, string(text[:1])); err != nil || len(other) > 0 {
			t.Errorf("what was sent as %d times %q came with %.40q in it (%v)", len(text), text[0], other, err)
		}
		if !isEarly {
			read.Store(text[0], true)
			says(200, good)(w, r)
		}
	})
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for round := range 12 {
				letter := string(rune('a' + (i*12+round)%26))
				text := strings.Repeat(letter, 1000<<(round%10))
				if i%2 == 1 {
					text = "E" + text
				}
				body := fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":"%s"}]}`, text)
				w.ask(body)
			}
		})
	}
	clients.Wait()
	for _, seen := range []*sync.Map{&read, &early} {
		n := 0
		seen.Range(func(any, any) bool { n++; return true })
		if n < 10 {
			t.Errorf("only %d kinds of requests came", n)
		}
	}
}
