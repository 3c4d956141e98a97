package relay

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestStreamAsksForLongEvents: the memory is asked for what goes beyond the usual, gets it back when the long event is over though the next
// has begun, and hears nothing of short ones.
func TestStreamAsksForLongEvents(t *testing.T) {
	bothWays(t, "", func(t *testing.T, way func(*testing.T) (io.ReadCloser, seller)) {
		body, seller := way(t)
		lent := &lender{limit: 4 << 20}
		s := NewStream(body, func() {}, StreamOptions{Watcher: &watch{}, Memory: lent})
		type state struct {
			held  int64
			asked int
		}
		var states []state
		note := func() {
			synctest.Wait()
			held, _, asked := lent.has()
			states = append(states, state{held, asked})
		}
		go func() {
			for range 100 {
				_, _ = io.WriteString(seller, "data: content"+strings.Repeat(" x", 4000)+"\n\n")
			}
			note()
			for range 300 {
				_, _ = io.WriteString(seller, "data: y"+strings.Repeat(" y", 500)+"\n")
			}
			note()
			_, _ = io.WriteString(seller, "\ndata: one\ndata: two\n")
			note()
			_, _ = io.WriteString(seller, "data: three\n\ndata: done\n\n")
			_ = seller.CloseWithError(io.EOF)
		}()
		if got := s.Begin(); got != Committed {
			t.Fatal(got)
		}
		w := &collect{}
		if got := s.Relay(w); got != Whole || !strings.HasSuffix(w.String(), " y\n\ndata: one\ndata: two\ndata: three\n\ndata: done\n\n") {
			t.Errorf("%v, %d bytes", got, w.Len())
		}
		if len(states) != 3 || states[0] != (state{}) || states[1].held < 300*1008-freeHold || states[2].held != 0 {
			t.Errorf("held %+v", states)
		}
		s.Close()
	})
}

// bothWays runs a test in a bubble of its own for each way in which a body can be read.
func bothWays(t *testing.T, name string, test func(t *testing.T, way func(*testing.T) (io.ReadCloser, seller))) {
	t.Helper()
	for suffix, way := range map[string]func(*testing.T) (io.ReadCloser, seller){", piped": piped, ", connected": connected} {
		t.Run(name+suffix, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, way) })
		})
	}
}

func TestStreamCountsBytes(t *testing.T) {
	bothWays(t, "", func(t *testing.T, way func(*testing.T) (io.ReadCloser, seller)) {
		body, seller := way(t)
		start := time.Now()
		s := NewStream(body, func() {}, StreamOptions{Watcher: &watch{}})
		if s.received != 0 {
			t.Error("something came before anything came")
		}
		go func() {
			time.Sleep(70 * time.Millisecond)
			_, _ = io.WriteString(seller, ": ping\n")
			time.Sleep(time.Hour) // no Idle: silence is no failure
			_, _ = io.WriteString(seller, "data: done\n\nevent: tokenbuddy.settlement\n")
			_ = seller.CloseWithError(io.EOF)
		}()
		if got := s.Begin(); got != Committed {
			t.Fatal(got)
		}
		s.Relay(&page{start: start, log: &strings.Builder{}})
		if want := int64(len(": ping\ndata: done\n\nevent: tokenbuddy.settlement\n")); s.received != want {
			t.Errorf("%d bytes, want %d", s.received, want)
		}
	})
}

func TestDrainEnds(t *testing.T) {
	for name, end := range map[string]func(cancel, shutdown func(), s *Stream){
		"with its context": func(cancel, _ func(), _ *Stream) { cancel() },
		"at the shutdown":  func(_, shutdown func(), _ *Stream) { shutdown() },
		"when closed":      func(_, _ func(), s *Stream) { s.Close() },
	} {
		bothWays(t, name, func(t *testing.T, way func(*testing.T) (io.ReadCloser, seller)) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			process, going := context.WithCancel(context.Background())
			defer going()
			body, seller := way(t)
			s := NewStream(body, func() {}, StreamOptions{Watcher: &watch{}, Shutdown: process})
			go func() { _, _ = io.WriteString(seller, "data: done\n\n") }()
			s.Begin()
			if got := s.Relay(&page{log: &strings.Builder{}}); got != Whole || !s.Unsettled() {
				t.Fatalf("%v, unsettled %v", got, s.Unsettled())
			}
			start := time.Now()
			time.AfterFunc(time.Second, func() { end(cancel, going, s) })
			s.Drain(ctx)
			if got := time.Since(start); got != time.Second || s.Unsettled() {
				t.Errorf("it took %v, unsettled %v", got, s.Unsettled())
			}
		})
	}
}

// Many streams at once, to be run with the race detector: buffers are shared between them.
func TestStreamsShareNothing(t *testing.T) {
	bothWays(t, "", func(t *testing.T, way func(*testing.T) (io.ReadCloser, seller)) {
		done := make(chan string)
		for i := range 50 {
			body, seller := way(t)
			go func() {
				event := fmt.Sprintf("data: content %d\n\n", i)
				go func() {
					for range 100 {
						_, _ = io.WriteString(seller, event)
						time.Sleep(time.Millisecond)
					}
					_, _ = io.WriteString(seller, "data: done\n\n")
					_ = seller.CloseWithError(io.EOF)
				}()
				s := NewStream(body, func() {}, StreamOptions{Watcher: &watch{}})
				w := &collect{}
				if b, r := s.Begin(), s.Relay(w); b != Committed || r != Whole {
					done <- fmt.Sprint(b, r)
				} else if want := strings.Repeat(event, 100) + "data: done\n\n"; w.String() != want {
					done <- fmt.Sprintf("stream %d got another's bytes", i)
				} else {
					done <- ""
				}
			}()
		}
		for range 50 {
			if fault := <-done; fault != "" {
				t.Error(fault)
			}
		}
	})
}

type collect struct{ strings.Builder }

func (c *collect) Header() http.Header { return http.Header{} }
func (c *collect) WriteHeader(int)     {}
func (c *collect) Flush()              {}

// ending is a body whose last piece comes together with its end.
type ending struct{ pieces []string }

func (e *ending) Read(p []byte) (int, error) {
	n := copy(p, e.pieces[0])
	if e.pieces = e.pieces[1:]; len(e.pieces) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (e *ending) Close() error { return nil }

// TestUnfinishedEnd: a stream that is over at its second read, and whose last block lacks its blank line, keeps all of its bytes.
func TestUnfinishedEnd(t *testing.T) {
	const settlement = "event: tokenbuddy.settlement\ndata: {\"settlementId\":\"s\",\"billedMicros\":1}\n\n"
	const want = "data: content\n\ndata: more\n\ndata: done\n"
	for cut := 1; cut < len(settlement)+len(want); cut++ {
		whole := settlement + want
		s := NewStream(&ending{[]string{whole[:cut], whole[cut:]}}, func() {}, StreamOptions{Watcher: &watch{}})
		if got := s.Begin(); got != Committed {
			t.Fatalf("cut at %d: begin: %v", cut, got)
		}
		w := httptest.NewRecorder()
		if got := s.Relay(w); got != Whole || w.Body.String() != want || s.Settlement() == nil {
			t.Errorf("cut at %d: %v, %q", cut, got, w.Body.String())
		}
		s.Close()
	}
}

// TestUnfinishedBreak: of a stream that is over at once, and is not whole, the block that lacks its blank line is dropped, as it is where its end
// comes later. Where nothing else would commit it, nothing is sent.
func TestUnfinishedBreak(t *testing.T) {
	const content, broken = "data: content\n\n", "data: broken\n\n"
	for _, row := range []struct {
		body  string
		begin Ending
		relay Ending
		want  string
	}{
		{content + "data: mo", Committed, Broken, content + broken},
		{content + "data: more\n", Committed, Broken, content + broken},
		{content + "data: more\r", Committed, Broken, content + broken},
		{content + "event: x\n: comment\ndata: more", Committed, Broken, content + broken},
		{content + ": comm", Committed, Broken, content + broken},
		{content, Committed, Broken, content + broken},
		{content + "data: error", Committed, SaidError, content + "data: error"},
		{content + "data: finish\n", Committed, Whole, content + "data: finish\n"},
		{": comment\n\ndata: error\n", SaidError, SaidError, ": comment\n\ndata: error\n"},
		{"data: finish", Committed, Whole, "data: finish"},
		{": comment\n\ndata: content\n", Broken, 0, ""},
		{"data: content", Broken, 0, ""},
	} {
		for _, pieces := range [][]string{{row.body}, {row.body[:len(row.body)-1], row.body[len(row.body)-1:]}} {
			s := NewStream(&ending{pieces}, func() {}, StreamOptions{Watcher: &watch{}})
			if got := s.Begin(); got != row.begin {
				t.Errorf("%q: begin: %v", pieces, got)
			}
			if row.relay != 0 {
				w := httptest.NewRecorder()
				if got := s.Relay(w); got != row.relay || w.Body.String() != row.want {
					t.Errorf("%q: %v, %q", pieces, got, w.Body.String())
				}
			}
			s.Close()
		}
	}
}
