package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// pipe is a listener of connections in memory, whose deadlines go by the clock of a synctest bubble.
type pipe struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error { close(p.done); return nil }

func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// A request that is refused is answered before its body has come, and its body is read for a while: to its end where it comes, and
// not for longer than that where it does not.
func TestAnswerBeforeBody(t *testing.T) {
	for _, test := range []struct {
		name string
		sent int // bytes of a body of a hundred, beyond the first, one a second
		took time.Duration
	}{
		{"the rest comes", 99, 0},
		{"a byte now and then", 30, discardTime},
		{"nothing more", 0, discardTime},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listener := &pipe{make(chan net.Conn), make(chan struct{})}
				ended := make(chan time.Duration, 1)
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					begun := time.Now()
					defer func() { ended <- time.Since(begun) }()
					answerBeforeBody(w, r, func() { w.WriteHeader(http.StatusUnauthorized) }, undisturbed)
				})}
				go func() { _ = server.Serve(listener) }()
				defer func() { _ = server.Close() }()
				client, conn := net.Pipe()
				listener.conns <- conn
				fmt.Fprint(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n0")
				res, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil || res.StatusCode != http.StatusUnauthorized {
					t.Fatal(res, err)
				}
				sent := make(chan struct{})
				defer func() { <-sent }()
				defer func() { _ = client.Close() }()
				go func() {
					defer close(sent)
					for range test.sent {
						if test.took > 0 {
							<-time.After(time.Second)
						}
						if _, err := io.WriteString(client, "0"); err != nil {
							return
						}
					}
				}()
				if took := <-ended; took != test.took {
					t.Errorf("it took %s, want %s", took, test.took)
				}
			})
		})
	}
}

// undisturbed is a body that nothing ends the reading of.
func undisturbed() (done func()) { return func() {} }

// TestRestOfABodyIsNoRequest: what comes of a refused request's body when it is not read any more is not taken for another request, in whose name
// whoever sends it speaks: the client may be a proxy that has others' requests to send as well.
func TestRestOfABodyIsNoRequest(t *testing.T) {
	const next = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, test := range map[string]struct{ framing, begun string }{
		"of a length":       {"Content-Length: 200", "0"},
		"of a great length": {"Content-Length: 1000000", "0"},
		"in chunks":         {"Transfer-Encoding: chunked", "c8\r\n0"},
		"before a chunk":    {"Transfer-Encoding: chunked", "1\r\n0\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listener := &pipe{make(chan net.Conn), make(chan struct{})}
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/next" {
						t.Error("the rest of the body is answered")
					}
					answerBeforeBody(w, r, func() {
						w.Header().Set("Content-Length", "0")
						w.WriteHeader(http.StatusUnauthorized)
					}, undisturbed)
				})}
				go func() { _ = server.Serve(listener) }()
				defer func() { _ = server.Close() }()
				client, conn := net.Pipe()
				defer func() { _ = client.Close() }()
				listener.conns <- conn
				fmt.Fprint(client, "POST / HTTP/1.1\r\nHost: x\r\n"+test.framing+"\r\n\r\n"+test.begun)
				answers := bufio.NewReader(client)
				if res, err := http.ReadResponse(answers, nil); err != nil || res.StatusCode != http.StatusUnauthorized {
					t.Fatal(res, err)
				}
				<-time.After(discardTime + time.Second)
				_ = client.SetDeadline(time.Now().Add(time.Second))
				_, err := io.WriteString(client, next)
				if _, ended := answers.ReadByte(); err == nil || ended != io.EOF {
					t.Errorf("it goes on: %v, %v", err, ended)
				}
			})
		})
	}
}

// TestShutdownEndsTheDiscarding: the end of the process does not wait for the body of a request that it has refused.
func TestShutdownEndsTheDiscarding(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	shutdown, exit := context.WithCancel(t.Context())
	w := openWayUntil(t, shutdown, `"members":[{"name":"ann","key":"key-of-ann"}],"sellers":[`+pinned(t, "a", "m", says(200, good))+`]`)
	server := httptest.NewServer(http.HandlerFunc(func(res http.ResponseWriter, r *http.Request) {
		_ = w.door.ServeHTTP(res, r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer())), nil)
	}))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprint(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n0")
	answers := bufio.NewReader(conn)
	res, err := http.ReadResponse(answers, nil)
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		t.Fatal(res, err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	exit()
	_ = conn.SetReadDeadline(time.Now().Add(discardTime / 2))
	if _, err := answers.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("its connection has not ended: %v", err)
	}
}
