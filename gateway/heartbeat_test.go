package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

const (
	mark = "\xef\xbb\xbf"
	beat = ": \n\n"
)

// afterBeat is a seller that answers once the client has had a heartbeat.
func (c *cell) afterBeat(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-c.seen:
			answer(w, r)
		case <-r.Context().Done():
		}
	}
}

// newBeats is a cell whose client wants a stream.
func newBeats(t *testing.T) *cell {
	client, leave := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(leave)
	return &cell{
		part: part{name: t.Name(), streamed: true}, model: "m", client: client, leave: leave,
		got: httptest.NewRecorder(), seen: make(chan struct{}),
	}
}

// TestMarkBesideHeartbeats: what a stream begins with passes as it came, but for a byte order mark where it would not be the beginning any more.
func TestMarkBesideHeartbeats(t *testing.T) {
	stream := says(200, mark+content+finished, "Content-Type", sse)
	t.Run("none was sent", func(t *testing.T) {
		c := newBeats(t)
		w := newWay(t, `,"heartbeat":"1h"`, stream)
		c.ask(t, w.door)
		if got := c.got.Body.String(); got != mark+content+finished {
			t.Errorf("the client got %q", got)
		}
	})
	t.Run("after one", func(t *testing.T) {
		c := newBeats(t)
		w := newWay(t, `,"heartbeat":"10ms"`, c.afterBeat(stream))
		c.ask(t, w.door)
		got := c.got.Body.String()
		for len(got) > len(beat) && got[:len(beat)] == beat {
			got = got[len(beat):]
		}
		if got != content+finished {
			t.Errorf("after the heartbeats the client got %q", got)
		}
	})
}

// TestNoStreamBlamesNobody: a seller that has no stream for a client which was told that one comes is not at fault, neither the first nor the one
// whose answer is the client's.
func TestNoStreamBlamesNobody(t *testing.T) {
	c := newBeats(t)
	w := newWay(t, `,"heartbeat":"10ms"`, c.afterBeat(says(200, good)), says(200, good))
	c.ask(t, w.door)
	pool := w.gw.pool
	booked := w.booked()
	if len(booked) != 1 || booked[0].Status != ledger.StatusInterrupted || booked[0].Attempts != 2 {
		t.Fatalf("booked: %+v", booked)
	}
	for _, e := range pool.Entries() {
		if e.LastFailAt != nil {
			t.Errorf("seller %s is blamed", e.SellerID)
		}
	}
}
