package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
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
					answerBeforeBody(w, r, func() { w.WriteHeader(http.StatusUnauthorized) })
					ended <- time.Since(begun)
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
