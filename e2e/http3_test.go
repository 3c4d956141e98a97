package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// overHTTP3 gives a client that trusts whom another does, and speaks HTTP/3: Caddy serves it on each site with TLS.
func overHTTP3(t testing.TB, secure *http.Client) *http.Client {
	settings := secure.Transport.(*http.Transport).TLSClientConfig.Clone()
	settings.NextProtos = nil // HTTP/2's
	transport := &http3.Transport{TLSClientConfig: settings}
	t.Cleanup(func() { _ = transport.Close() })
	return &http.Client{Transport: transport}
}

// TestHTTP3 has clients come over HTTP/3, which keeps every promise that is kept to the others.
func TestHTTP3(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T, rest string, sellers ...*fakeSeller) (c *caddy, post func(ctx context.Context, path string, body io.Reader) (*http.Response, error)) {
		c = newCaddy(t, "")
		secure, url := c.startSecure(market(registryOf(t, []string{"m"}, sellers...), rest))
		t.Cleanup(secure.CloseIdleConnections)
		client := overHTTP3(t, secure)
		return c, func(ctx context.Context, path string, body io.Reader) (*http.Response, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			res, err := client.Do(req)
			if err == nil && res.ProtoMajor != 3 {
				t.Errorf("answered over %s", res.Proto)
			}
			return res, err
		}
	}
	t.Run("a stream", func(t *testing.T) {
		t.Parallel()
		s := newScript()
		c, post := open(t, "", newSeller(t, "acme", s.answer))
		res, err := post(t.Context(), "/v1/chat/completions", strings.NewReader(sayAndGo(t, s, roleEvent)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		for _, text := range []string{"Hi", "there"} { // each as soon as it is said
			s.say(t, textEvent(text))
			readUntil(t, res.Body, textEvent(text))
		}
		s.say(t, endEvents+"event: tokenbuddy.settlement\ndata: {\"settlementId\":\"s\",\"billedMicros\":7}\n\n")
		close(s.send)
		rest, err := io.ReadAll(res.Body)
		if err != nil || string(rest) != endEvents {
			t.Errorf("it ends with %q, %v", rest, err)
		}
		if e := c.oneEntry(); e.Status != "ok" || e.BilledMicros != 7 {
			t.Errorf("booked: %+v", e)
		}
	})
	t.Run("a client that leaves", func(t *testing.T) {
		t.Parallel()
		s := newScript()
		c, post := open(t, "", newSeller(t, "acme", s.answer))
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		res, err := post(ctx, "/v1/chat/completions", strings.NewReader(sayAndGo(t, s, roleEvent+textEvent("Hi"))))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		readUntil(t, res.Body, textEvent("Hi"))
		leave()
		within(t, "the end of the seller's call", s.left)
		if e := c.oneEntry(); e.Status != "client_gone" || e.BilledSource != "estimate" || e.BilledMicros <= 0 {
			t.Errorf("booked: %+v", e)
		}
	})
	t.Run("a seller that breaks off", func(t *testing.T) {
		t.Parallel()
		c, post := open(t, "", newSeller(t, "acme", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, roleEvent+textEvent("Hi"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}))
		res, err := post(t.Context(), "/v1/chat/completions", strings.NewReader(streamBody))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		readUntil(t, res.Body, textEvent("Hi"))
		assertBrokenOff(t, res, "data: {\"error\":")
		if e := c.oneEntry(); e.Status != "interrupted" || e.BilledMicros <= 0 {
			t.Errorf("booked: %+v", e)
		}
	})
	t.Run("large bodies", func(t *testing.T) {
		t.Parallel()
		answer := sayJSON(http.StatusOK, strings.Replace(plainAnswer, "Hi", strings.Repeat("word ", 1<<20), 1))
		c, post := open(t, "\t\tmax_body 6MiB\n", newSeller(t, "acme", answer))
		body := strings.Replace(chatBody, "Hello", strings.Repeat("Hello ", 5<<20/6), 1)
		res, err := post(t.Context(), "/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusOK || err != nil || len(got) < 5<<20 {
			t.Errorf("status %d, %d bytes, %v", res.StatusCode, len(got), err)
		}
		c.oneEntry()
		// Refused before all of it was sent.
		res, err = post(t.Context(), "/v1/chat/completions", io.MultiReader(strings.NewReader(chatBody), bytes.NewReader(make([]byte, 16<<20))))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got, err := io.ReadAll(res.Body); res.StatusCode != http.StatusRequestEntityTooLarge || err != nil || !bytes.Contains(got, []byte(`"error"`)) {
			t.Errorf("status %d, %s, %v", res.StatusCode, got, err)
		}
	})
}

// TestEarlyData has a request come in TLS's early data, which anybody on the way can send once more: it is not served, and is when the
// handshake is complete.
func TestEarlyData(t *testing.T) {
	t.Parallel()
	seller := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, "")
	secure, url := c.startSecure(market(registryOf(t, []string{"m"}, seller), ""))
	t.Cleanup(secure.CloseIdleConnections)
	tickets := &tickets{ClientSessionCache: tls.NewLRUClientSessionCache(1), there: make(chan struct{})}
	client := overHTTP3(t, secure)
	settings := client.Transport.(*http3.Transport).TLSClientConfig
	settings.ClientSessionCache = tickets
	res, err := client.Get(url + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	within(t, "a ticket for the next handshake", tickets.there)

	settings = settings.Clone()
	settings.ServerName, settings.NextProtos = "localhost", []string{http3.NextProtoH3}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = udp.Close() })
	way := &oneWay{PacketConn: udp, both: make(chan struct{})}
	to, err := net.ResolveUDPAddr("udp", c.site)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := quic.DialEarly(t.Context(), way, to, settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	early := new(http3.Transport).NewClientConn(conn)
	t.Cleanup(func() { _ = early.CloseWithError(0, "") })
	stream, err := early.OpenRequestStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat/completions", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendRequestHeader(req); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stream, chatBody); err != nil {
		t.Fatal(err)
	}
	_ = stream.Close()
	eventually(t, "an answer, which its client does not get yet", func() bool {
		_, metrics := c.look("/metrics")
		return bytes.Contains(metrics, []byte(`tokenbuddy_refusals_total{reason="too_early"} 1`)) || len(seller.inferences()) > 0
	})
	close(way.both)
	if res, err = stream.ReadResponse(); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(res.Body)
	if !conn.ConnectionState().Used0RTT || res.StatusCode != http.StatusTooEarly || !strings.Contains(string(got), "too_early") {
		t.Errorf("early: %t; status %d: %s", conn.ConnectionState().Used0RTT, res.StatusCode, got)
	}
	if n := len(seller.inferences()); n != 0 {
		t.Errorf("the seller was asked %d times", n)
	}
	req.Body = io.NopCloser(strings.NewReader(chatBody))
	if res, err = early.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || string(got) != plainAnswer {
		t.Errorf("again: status %d: %s", res.StatusCode, got)
	}
	c.oneEntry()
}

// tickets tells when there is one.
type tickets struct {
	tls.ClientSessionCache
	there chan struct{}
	once  sync.Once
}

func (c *tickets) Put(key string, s *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, s)
	if s != nil {
		c.once.Do(func() { close(c.there) })
	}
}

// oneWay lets nothing come until both ways are open.
type oneWay struct {
	net.PacketConn
	both chan struct{}
}

func (c *oneWay) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	<-c.both
	return n, from, err
}
