package page

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// One goroutine looks for all who watch a market, only while somebody does, and tells what is new.
func TestShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks, eyes atomic.Int64
		s := &stage{by: make(map[*market.Market]*show), look: func(ctx context.Context) func(*market.Market) *Snapshot {
			eyes.Add(1)
			context.AfterFunc(ctx, func() { eyes.Add(-1) })
			return func(*market.Market) *Snapshot {
				return &Snapshot{Now: Now{Requests: int(looks.Add(1)) / 10}}
			}
		}}
		m := new(market.Market)
		one, leaveOne, _ := s.join(m)
		synctest.Wait()
		two, leaveTwo, _ := s.join(m)
		if len(one) != 1 || len(two) != 1 {
			t.Fatal("who comes sees nothing")
		}
		<-one
		<-two
		time.Sleep(9*lookEvery + time.Second)
		synctest.Wait()
		if got := looks.Load(); got != 10 || eyes.Load() != 1 {
			t.Errorf("it was looked %d times, by %d", got, eyes.Load())
		}
		if len(one) != 1 || len(two) != 1 {
			t.Errorf("what is new was told %d and %d times", len(one), len(two))
		}
		time.Sleep(11 * lookEvery)
		if raw := string(<-one); !strings.Contains(raw, `"requests":2`) {
			t.Errorf("it is not the last that is seen: %s", raw)
		}
		leaveOne()
		time.Sleep(10 * lookEvery)
		if looks.Load() < 30 {
			t.Error("nobody looks for the other")
		}
		leaveTwo()
		synctest.Wait()
		seen := looks.Load()
		time.Sleep(time.Hour)
		if looks.Load() != seen || eyes.Load() != 0 || len(s.by) != 0 {
			t.Error("it is looked for nobody")
		}
	})
}

// No more watch than there is room for.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{by: make(map[*market.Market]*show), look: func(context.Context) func(*market.Market) *Snapshot {
			return func(*market.Market) *Snapshot { return new(Snapshot) }
		}}
		m := new(market.Market)
		for range maxWatchers {
			_, leave, ok := s.join(m)
			if !ok {
				t.Fatal("there is no room")
			}
			defer leave()
		}
		var refused caddy.APIError
		err := s.stream(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, livePath, nil), m)
		if !errors.As(err, &refused) || refused.HTTPStatus != http.StatusServiceUnavailable {
			t.Errorf("one more gives %v", err)
		}
	})
}

// slow is an answer of which each part takes until then.
type slow struct {
	http.ResponseWriter
	until func()
}

func (s slow) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s slow) FlushError() error {
	defer s.until()
	return http.NewResponseController(s.ResponseWriter).Flush()
}

// A stream ends when its server is told to shut down, so that a reload, which waits for that, is not held.
func TestEnd(t *testing.T) {
	s := &stage{by: make(map[*market.Market]*show), look: func(context.Context) func(*market.Market) *Snapshot {
		return func(*market.Market) *Snapshot { return new(Snapshot) }
	}}
	m := new(market.Market)
	// Nobody waits for the end while something is written, and it comes just then.
	ended := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.stream(slow{w, func() { <-ended }}, r, m); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body := bufio.NewReader(res.Body)
	if line, err := body.ReadString('\n'); err != nil || !strings.HasPrefix(line, `data: {"ledger":`) || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(line, err, res.Header)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	told := make(chan struct{})
	if there, ok := servers.Load(srv.Config); ok {
		told = there.(chan struct{})
	}
	go func() {
		select {
		case <-told:
		case <-ctx.Done():
		}
		for there := true; there && ctx.Err() == nil; _, there = servers.Load(srv.Config) {
			runtime.Gosched()
		}
		close(ended)
	}()
	if err := srv.Config.Shutdown(ctx); err != nil {
		srv.CloseClientConnections()
		t.Fatalf("the server does not end: %v", err)
	}
	if _, err := io.ReadAll(body); err != nil {
		t.Errorf("the stream has no end: %v", err)
	}
	if _, there := servers.Load(srv.Config); there {
		t.Error("the server that has ended is remembered")
	}
}

// line is where one client comes, who reads as slowly as it likes.
type line struct {
	comes  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *line) Accept() (net.Conn, error) {
	select {
	case c := <-l.comes:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *line) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *line) Addr() net.Addr { return &net.TCPAddr{} }

// slowLine is a client who asks a server for what there is to see of a large team.
func slowLine(t *testing.T) (server *http.Server, theirs net.Conn) {
	t.Helper()
	s := &stage{by: make(map[*market.Market]*show), look: func(context.Context) func(*market.Market) *Snapshot {
		return func(*market.Market) *Snapshot { return &Snapshot{Ledger: strings.Repeat("x", 400<<10)} }
	}}
	m := new(market.Market)
	server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = s.stream(w, r, m) })}
	l := &line{comes: make(chan net.Conn, 1), closed: make(chan struct{})}
	ours, theirs := net.Pipe()
	l.comes <- ours
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		_ = theirs.Close()
	})
	if _, err := io.WriteString(theirs, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return server, theirs
}

// Who reads slowly sees all of it: what there is to see of a large team is large, and the line of a phone is slow.
func TestSlowLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, theirs := slowLine(t)
		read, buffer := 0, make([]byte, 16<<10)
		for read < 400<<10 {
			n, err := io.ReadFull(theirs, buffer)
			if read += n; err != nil {
				t.Fatalf("after %d bytes: %v", read, err)
			}
			<-time.After(time.Second)
		}
	})
}

// A server that shuts down waits for nobody's slow line.
func TestSlowLineOfAServerThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, theirs := slowLine(t)
		buffer := make([]byte, 16<<10)
		if _, err := io.ReadFull(theirs, buffer); err != nil {
			t.Fatal(err)
		}
		left := make(chan struct{})
		go func() {
			defer close(left)
			for err := error(nil); err == nil; _, err = io.ReadFull(theirs, buffer) {
				<-time.After(patience - time.Second)
			}
		}()
		defer func() {
			_ = theirs.Close()
			<-left
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("it is waited for: %v", err)
		}
	})
}
