package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
)

// watch knows an API in which the data of an event says what it is.
type watch struct{ content, ended, finished, failed, drop bool }

func (w *watch) Event(_, data []byte, _ bool) {
	kind, _, _ := strings.Cut(string(data), " ")
	w.drop = kind == "usage"
	switch kind {
	case "content":
		w.content = true
	case "finish":
		w.content, w.finished = true, true
	case "done":
		w.content, w.ended = true, true
	case "error":
		w.failed = true
	case "nothing": // an end that nothing came before
		w.ended = true
	case "failed": // an error that is the last event too
		w.content, w.ended, w.failed = true, true, true
	}
}

func (w *watch) Tail([]byte)   {}
func (w *watch) Content() bool { return w.content }
func (w *watch) Ended() bool   { return w.ended }
func (w *watch) Whole() bool   { return w.ended || w.finished }
func (w *watch) Failed() bool  { return w.failed }
func (w *watch) Drop() bool    { return w.drop }

func (w *watch) Break(shutdown bool) []byte {
	if shutdown {
		return []byte("data: going\n\n")
	}
	return []byte("data: broken\n\n")
}

// page is a client's side: what was written and flushed, and when.
type page struct {
	start  time.Time
	log    *strings.Builder
	held   string // written, not flushed
	long   string // writes that are too long to be shown, taken together
	longs  int
	gone   <-chan struct{}
	deaf   bool // can't be flushed
	stuck  bool // takes nothing, until the deadline for writing
	once   sync.Once
	expire chan struct{}
}

func (p *page) Header() http.Header { return http.Header{} }
func (p *page) WriteHeader(int)     {}

func (p *page) Write(b []byte) (int, error) {
	if p.stuck {
		<-p.expire
		return 0, errors.New("deadline passed")
	}
	select {
	case <-p.gone:
		return 0, errors.New("connection reset")
	default:
	}
	p.held += string(b)
	return len(b), nil
}

func (p *page) FlushError() error {
	if len(p.held) > 200 {
		p.long += p.held
		p.longs++
	} else {
		p.showLong()
		fmt.Fprintf(p.log, "%v %q\n", time.Since(p.start), p.held)
	}
	p.held = ""
	if p.deaf {
		return fmt.Errorf("a cache: %w", http.ErrNotSupported)
	}
	return nil
}

func (p *page) showLong() {
	if p.longs > 0 {
		fmt.Fprintf(p.log, "... %.20q, %d bytes in %d writes\n", p.long, len(p.long), p.longs)
		p.long, p.longs = "", 0
	}
}

func (p *page) SetWriteDeadline(at time.Time) error {
	time.AfterFunc(time.Until(at), func() { p.once.Do(func() { close(p.expire) }) })
	return nil
}

var errReset = errors.New("connection reset by peer")

// TestStreamScripts runs the scripts in testdata/stream. A line is a wait in milliseconds and then what comes: bytes of the
// seller (repeated with *n at the end of the line), or "eof", "reset", "gone" (the client), "deaf" (its connection takes no
// more), "shutdown". The output has each write with its time.
func TestStreamScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/stream", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var log, direct strings.Builder
			synctest.Test(t, func(t *testing.T) { play(t, d, &log, piped) })
			synctest.Test(t, func(t *testing.T) { play(t, d, &direct, connected) })
			if alike(direct.String()) != alike(log.String()) {
				t.Errorf("%s: read by whoever waits it is\n%s", d.Pos, direct.String())
			}
			return letGo.ReplaceAllString(log.String(), "")
		})
	})
}

// letGo is said of a body that had to be waited for, where it ends without an error: which is up to the scheduler.
var letGo = regexp.MustCompile(`(?m:^\S+ let go \n)`)

// alike leaves out of a log in how many pieces much was read that came at once, whether a body that ends in the same moment had to be
// waited for, and how a connection broke.
func alike(log string) string {
	log = regexp.MustCompile(` in \d+ writes|drained: \d{7}`).ReplaceAllString(letGo.ReplaceAllString(log, ""), "")
	return strings.ReplaceAll(log, io.ErrUnexpectedEOF.Error(), errReset.Error())
}

// seller is the end of a body at which it is said what comes.
type seller interface {
	io.Writer
	CloseWithError(err error) error
}

// piped is a body that is read by a goroutine of its own.
func piped(*testing.T) (io.ReadCloser, seller) { return io.Pipe() }

// connected is a body that is read from its connection by whoever waits for it.
func connected(t *testing.T) (io.ReadCloser, seller) {
	client, conn := net.Pipe()
	by := newPlain(func(context.Context, string, string) (net.Conn, error) { return client, nil })
	t.Cleanup(by.CloseIdleConnections)
	go func() {
		if hear(conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		}
	}()
	resp, err := Send(context.Background(), Call{URL: "http://seller", Header: http.Header{}, Transport: by})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return resp.Body, &chunking{conn}
}

type chunking struct{ conn net.Conn }

func (c *chunking) Write(p []byte) (int, error) {
	if _, err := fmt.Fprintf(c.conn, "%x\r\n%s\r\n", len(p), p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *chunking) Close() error { return c.CloseWithError(io.EOF) }

func (c *chunking) CloseWithError(err error) error {
	if err == io.EOF {
		_, _ = io.WriteString(c.conn, "0\r\n\r\n")
	}
	return c.conn.Close()
}

func play(t *testing.T, d *datadriven.TestData, log *strings.Builder, way func(*testing.T) (io.ReadCloser, seller)) {
	var (
		start          = time.Now()
		body, seller   = way(t)
		client, gone   = context.WithCancel(context.Background())
		process, going = context.WithCancel(context.Background())
		deaf           = make(chan struct{})
		called, cancel = context.WithCancel(context.Background())
		idle           = 290 * time.Second
		p              = &page{start: start, log: log, gone: deaf, stuck: d.HasArg("stuck"), expire: make(chan struct{})}
		played         = make(chan struct{})
		say            = func(what string, v any) { fmt.Fprintf(log, "%v %s %v\n", time.Since(start), what, v) }
		signals        = map[string]func(){"gone": gone, "deaf": func() { close(deaf) }, "shutdown": going}
		watcher        = &watch{}
		ended          = map[string]error{"eof": io.EOF, "reset": errReset}
	)
	go func() {
		defer close(played)
		for line := range strings.SplitSeq(d.Input, "\n") {
			ms, what, _ := strings.Cut(line, " ")
			n, err := strconv.Atoi(ms)
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
			time.Sleep(time.Duration(n) * time.Millisecond)
			if signal := signals[what]; signal != nil {
				signal()
				continue
			}
			if err := ended[what]; err != nil {
				seller.CloseWithError(err)
				continue
			}
			times := 1
			if before, after, ok := strings.Cut(what, " *"); ok {
				what = before
				times, _ = strconv.Atoi(after)
			}
			text, err := strconv.Unquote(`"` + strings.ReplaceAll(what, `"`, `\"`) + `"`)
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
			_, _ = io.WriteString(seller, strings.Repeat(text, times)) // the stream may have been closed
		}
	}()
	lent := &lender{limit: 1 << 40}
	d.MaybeScanArgs(t, "memory", &lent.limit)
	o := StreamOptions{
		Watcher: watcher, Idle: idle, Shutdown: process, Client: client, Unasked: d.HasArg("unasked"), Memory: lent,
	}
	if d.HasArg("heartbeat") {
		o.Heartbeat = 15 * time.Second
	}
	if d.HasArg("pause") {
		o.BreakPause = BreakPause
	}
	p.deaf = d.HasArg("holds")
	s := NewStream(body, cancel, o)
	begun := s.Begin()
	say("begin:", begun)
	if begun == NotEvents {
		all, err := io.ReadAll(s.Rest())
		say("rest:", fmt.Sprintf("%q %v", all, err))
		_ = s.Rest().Close()
	}
	if begun == Committed || begun == SaidError && d.HasArg("show") {
		if d.HasArg("begun") {
			s.Follow()
		}
		unwatch := context.AfterFunc(process, func() { defer Unblock(p)(); <-t.Context().Done() })
		relayed := s.Relay(p)
		unwatch()
		p.showLong()
		say("relay:", relayed)
		if s.Unsettled() {
			s.Drain(t.Context())
			say("drained:", s.received)
		}
	} else if begun != SaidError && begun != NotEvents && called.Err() == nil {
		t.Errorf("%v left the seller's call open", begun)
	}
	if v := s.Settlement(); v != nil {
		say("settlement:", v.SettlementID)
	}
	if s.last != nil && !s.halted() { // the end is waited for a moment, so that the connection can be kept
		<-called.Done()
		say("let go", "")
	}
	s.Close()
	s.Close()
	lent.check(t, d.Pos, d.HasArg("lent"))
	if called.Err() == nil {
		t.Error("the seller's call is still open")
	}
	<-played
}

// lender is a memory that remembers what it was asked for.
type lender struct {
	mu                 sync.Mutex
	limit, held, taken int64
	asked              int
}

func (l *lender) Take(n int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.held+n > l.limit {
		return false
	}
	l.held += n
	l.taken += n
	return true
}

func (l *lender) Give(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held -= n
}

func (l *lender) has() (held, taken int64, asked int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held, l.taken, l.asked
}

// check is for a stream that has ended: all is given back, and where something was to be lent it was.
func (l *lender) check(t *testing.T, pos string, wanted bool) {
	t.Helper()
	if held, taken, _ := l.has(); held != 0 || wanted && taken == 0 {
		t.Errorf("%s: %d bytes are held after the end, of %d that were taken", pos, held, taken)
	}
}

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
