package relay

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestSendTakesFewObjects: what a request to a seller and its whole answer take, with both ends' connections. Each is some 50 ns.
func TestSendTakesFewObjects(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go serveAll(l, []string{"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 968\r\n\r\n" + strings.Repeat("x", 968)})
	transport := transports["plain"](new(net.Dialer).DialContext)
	defer transport.CloseIdleConnections()
	url, body, room := "http://"+l.Addr().String()+"/v1/chat/completions", []byte(`{"model":"m","messages":[]}`), make([]byte, 0, 4<<10)
	client := http.Header{"Accept": {"*/*"}, "User-Agent": {"agent/1"}}
	if n := testing.AllocsPerRun(200, func() {
		resp, err := Send(t.Context(), Call{URL: url, Header: RequestHeader(client, "r", "k"), Body: Splice(body), Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadWhole(resp.Body, 1<<20, room); err != nil {
			t.Fatal(err)
		}
	}); n > 38 { // 32, and what the race detector keeps from pools
		t.Errorf("%v objects", n)
	}
	seller := http.Header{"Content-Type": {"application/json"}, "Content-Length": {"5"}, "X-Ratelimit-Remaining": {"1"}, "Date": {"now"}}
	dst := http.Header{}
	if n := testing.AllocsPerRun(200, func() { AnswerHeader(dst, seller, true) }); n > 3 {
		t.Errorf("%v objects for an answer's headers", n)
	}
}

// BenchmarkSend is what a seller's answer costs from the request to its end, with a seller that does next to nothing for it.
func BenchmarkSend(b *testing.B) {
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	event := chunk("data: content " + strings.Repeat("x", 150) + "\n\n")
	for name, pieces := range map[string][]string{
		"whole":  {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 968\r\n\r\n" + strings.Repeat("x", 968)},
		"stream": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + event, event, event, event, event, event, chunk("data: done\n\n") + "0\r\n\r\n"},
	} {
		for kind, by := range transports {
			b.Run(name+"/"+kind, func(b *testing.B) {
				l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				go serveAll(l, pieces)
				transport := by(new(net.Dialer).DialContext)
				defer transport.CloseIdleConnections()
				body := []byte(`{"model":"m","messages":[]}`)
				var failed atomic.Int64
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						resp, err := Send(b.Context(), Call{
							URL: "http://" + l.Addr().String() + "/v1/chat/completions", Header: RequestHeader(http.Header{}, "r", "k"),
							Body: Splice(body), Transport: transport,
						})
						if err != nil {
							failed.Add(1)
							continue
						}
						if name == "whole" {
							_, _ = io.Copy(io.Discard, resp.Body)
							_ = resp.Body.Close()
							continue
						}
						s := NewStream(resp.Body, func() {}, StreamOptions{Watcher: &watch{}})
						if s.Begin() != Committed || s.Relay(&collect{}) != Whole {
							failed.Add(1)
						}
						s.Close()
					}
				})
				if n := failed.Load(); n > 0 {
					b.Errorf("%d failed", n)
				}
			})
		}
	}
}

// serveAll answers each request with the pieces, in a write each.
func serveAll(l net.Listener, pieces []string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			r := bufio.NewReader(c)
			for {
				for line := "x"; line != "\r\n"; {
					if line, err = r.ReadString('\n'); err != nil {
						return
					}
				}
				if _, err := r.Discard(len(`{"model":"m","messages":[]}`)); err != nil {
					return
				}
				for _, piece := range pieces {
					_, _ = io.WriteString(c, piece)
				}
			}
		}()
	}
}
