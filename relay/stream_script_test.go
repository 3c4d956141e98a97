package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
	if d.HasArg("hold") {
		o.Hold = 4 * time.Second
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
