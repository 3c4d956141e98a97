package seller

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
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

// TestSlowBuyers: a buyer that leaves its body half-sent, or its answer half-read, does not keep for good the memory that others want for; and
// one that is as slow between its requests as it likes is served on the same connection.
func TestSlowBuyers(t *testing.T) {
	u := newStandIn(t, "", "ours")
	u.instead = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		w.Header().Set("Connection", "close")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, strings.Replace(wholes["/v1/chat/completions"], `"choices":`, strings.Repeat(" ", 1<<20)+`"choices":`, 1))
		return true
	}
	s := resold(t, u, "no_key\nmodels ours\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	head := "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\nContent-Length: %d\r\n\r\n"
	held := func() int64 {
		memory.mu.Lock()
		defer memory.mu.Unlock()
		return memory.total
	}
	serve := func(t *testing.T) (client net.Conn, end func()) {
		listener := &pipe{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: handler(t, s)}
		go func() { _ = server.Serve(listener) }()
		client, conn := net.Pipe()
		listener.conns <- conn
		return client, func() {
			_ = client.Close()
			_ = server.Close()
			<-time.After(time.Second) // a server that has not read a body lingers
		}
	}
	t.Run("half-sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, end := serve(t)
			defer end()
			begun := time.Now()
			fmt.Fprintf(client, head+"%s", 1<<20, strings.Repeat(" ", 1<<18))
			synctest.Wait()
			if held() == 0 {
				t.Fatal("nothing is held for what has come")
			}
			res, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil || res.StatusCode != http.StatusRequestTimeout || time.Since(begun) != buyerTime {
				t.Errorf("after %s: %v, %v", time.Since(begun), res, err)
			}
			synctest.Wait()
			if n := held(); n != 0 {
				t.Errorf("%d bytes are held", n)
			}
		})
	})
	t.Run("half-read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, end := serve(t)
			defer end()
			fmt.Fprintf(client, head+"%s", len(hello2), hello2)
			res, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil || res.StatusCode != 200 {
				t.Fatal(res, err)
			}
			if held() < 1<<20 {
				t.Fatalf("%d bytes are held", held())
			}
			<-time.After(buyerTime + time.Second)
			synctest.Wait()
			if n := held(); n != 0 {
				t.Errorf("%d bytes are held", n)
			}
		})
	})
	t.Run("half-read stream", func(t *testing.T) {
		whole := u.instead
		defer func() { u.instead = whole }()
		u.instead = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Connection", "close")
			w.Header().Set("Content-Type", "text/event-stream")
			for range 64 {
				fmt.Fprintf(w, `data: {"choices":[{"index":0,"delta":{"content":%q}}]}`+"\n\n", strings.Repeat("x", 16<<10))
			}
			fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n"+usageChunk+"data: [DONE]\n\n")
			return true
		}
		synctest.Test(t, func(t *testing.T) {
			client, end := serve(t)
			defer end()
			before := len(s.books.Report().Charges)
			body := strings.Replace(hello2, "{", `{"stream":true,`, 1)
			fmt.Fprintf(client, head+"%s", len(body), body)
			res, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil || res.StatusCode != 200 {
				t.Fatal(res, err)
			}
			<-time.After(buyerTime + readOn + time.Second)
			synctest.Wait()
			if charges := s.books.Report().Charges[before:]; len(charges) != 1 || charges[0].Micros != usedPrompt+2*usedCompletion {
				t.Errorf("the stream is still there, or was not billed: %+v", charges)
			}
		})
	})
	t.Run("slow between", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client, end := serve(t)
			defer end()
			answers := bufio.NewReader(client)
			for range 3 {
				fmt.Fprintf(client, head+"%s", len(hello2), hello2)
				res, err := http.ReadResponse(answers, nil)
				if err != nil || res.StatusCode != 200 {
					t.Fatal(res, err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil {
					t.Fatal(err)
				}
				<-time.After(10 * buyerTime)
			}
		})
	})
}
