package relay

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A settled answer that is about to end gets the time for it: the next request finds the connection warm.
func TestDrainKeepsTheConnection(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	const last = "data: content\n\ndata: done\n\n"
	const settlement = "event: tokenbuddy.settlement\ndata: {\"billedMicros\":1}\n\n"
	chunk := func(s string) string { return "40\r\n" + s + strings.Repeat("\n", 64-len(s)) + "\r\n" }
	eachTransport(t, "", func(t *testing.T, transport func(dialler) dialled) {
		synctest.Test(t, func(t *testing.T) {
			by := transport(oneByOne(func(c net.Conn) { // the only connection there is
				for hear(c) {
					_, _ = io.WriteString(c, head+chunk(last))
					time.Sleep(time.Second)
					_, _ = io.WriteString(c, chunk(settlement))
					time.Sleep(100 * time.Millisecond)
					_, _ = io.WriteString(c, "0\r\n\r\n")
				}
			}))
			defer by.CloseIdleConnections()
			for range 2 {
				ctx, cancel := context.WithCancel(t.Context())
				resp, err := Send(ctx, Call{
					URL: "http://seller", Header: RequestHeader(http.Header{}, "r", "k"), Body: Splice([]byte("{}")), Transport: by,
				})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				s := NewStream(resp.Body, cancel, StreamOptions{Watcher: &watch{}})
				if b, r := s.Begin(), s.Relay(&collect{}); b != Committed || r != Whole {
					t.Fatal(b, r)
				}
				s.Drain(t.Context())
				if s.Settlement() == nil || time.Since(start) != time.Second {
					t.Fatalf("settled %v after %v", s.Settlement(), time.Since(start))
				}
				time.Sleep(time.Second)
			}
		})
	})
}

func TestClientGoneReachesTheSeller(t *testing.T) {
	cancelled := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "data: content\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		cancelled <- struct{}{}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	two, one := newTransport(0, nil), newTransport(0, nil)
	one.ForceAttemptHTTP2 = false
	for proto, by := range map[int]*http.Transport{1: one, 2: two} {
		by.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		defer by.CloseIdleConnections()
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := Send(ctx, Call{URL: server.URL, Header: http.Header{}, Body: Splice([]byte("{}")), Transport: by})
		if err != nil || resp.ProtoMajor != proto {
			t.Fatal(resp, err)
		}
		client, gone := context.WithCancel(t.Context())
		s := NewStream(resp.Body, cancel, StreamOptions{Watcher: &watch{}, Client: client})
		if got := s.Begin(); got != Committed {
			t.Fatal(got)
		}
		gone()
		if got := s.Relay(&collect{}); got != ClientGone {
			t.Fatal(got)
		}
		<-cancelled
	}
}
