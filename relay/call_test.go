package relay

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestSendSendsWhatItWasGiven(t *testing.T) {
	type request struct {
		Method, URI, Body string
		Length            int64
		Header            http.Header
	}
	var last atomic.Pointer[request]
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last.Store(&request{r.Method, r.RequestURI, string(body), r.ContentLength, r.Header})
		w.WriteHeader(http.StatusTeapot)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	carrier := NewCarrier(CarrierOptions{})
	defer carrier.Close()
	carrier.operator.https.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	old := newTransport(0, nil)
	old.ForceAttemptHTTP2 = false
	old.TLSClientConfig = carrier.operator.https.TLSClientConfig.Clone()
	defer old.CloseIdleConnections()

	for name, by := range map[string]http.RoundTripper{"HTTP/2": carrier.Operator(), "HTTP/1.1": old} {
		for _, agent := range []string{"", "sdk/1"} {
			t.Run(name+" "+agent, func(t *testing.T) {
				client := http.Header{"Anthropic-Beta": {"a", "b"}}
				want := http.Header{
					"Content-Type": {"application/json"}, "Accept-Encoding": {"identity"}, "Anthropic-Beta": {"a", "b"},
					"X-Request-Id": {"r"}, "Idempotency-Key": {"k"}, "Content-Length": {"9"},
				}
				if agent != "" {
					client.Set("User-Agent", agent)
					want.Set("User-Agent", agent)
				}
				resp, err := Send(t.Context(), Call{
					URL: server.URL + "/v1/chat/completions?a=b%20c", Header: RequestHeader(client, "r", "k"),
					Body: Splice([]byte(`{"x":0}`), Edit{5, 6, []byte("1.0")}), Transport: by,
				})
				if err != nil || resp.StatusCode != http.StatusTeapot || resp.Proto[:6] != name[:6] {
					t.Fatal(resp, err)
				}
				_ = resp.Body.Close()
				if got := *last.Load(); !reflect.DeepEqual(got, request{"POST", "/v1/chat/completions?a=b%20c", `{"x":1.0}`, 9, want}) {
					t.Errorf("%+v", got)
				}
			})
		}
	}
}

// dialled is a transport of sellers' connections.
type dialled interface {
	http.RoundTripper
	CloseIdleConnections()
}

// dialler makes connections, in the manner of net.Dialer.
type dialler = func(ctx context.Context, network, address string) (net.Conn, error)

// transports are both that can speak plain HTTP/1.1, over the given connections.
var transports = map[string]func(dialler) dialled{
	"net/http": func(dial dialler) dialled {
		tr := newTransport(3*time.Second, nil)
		tr.DialContext = dial
		return tr
	},
	"plain": func(dial dialler) dialled {
		tr := newSchemes(3*time.Second, nil, nil)
		tr.https.DialContext = dial
		tr.plain = newPlain(dial)
		return tr
	},
}

// oneByOne gives the given connections, one after the other.
func oneByOne(serve ...func(net.Conn)) dialler {
	var n atomic.Int32
	return func(context.Context, string, string) (net.Conn, error) {
		i := int(n.Add(1)) - 1
		if i >= len(serve) {
			return nil, errors.New("nobody is there")
		}
		client, seller := net.Pipe()
		go func() {
			defer seller.Close()
			serve[i](seller)
		}()
		return client, nil
	}
}

// eachTransport runs a test for each of them.
func eachTransport(t *testing.T, name string, test func(t *testing.T, by func(dialler) dialled)) {
	t.Helper()
	for kind, by := range transports {
		t.Run(strings.TrimSpace(kind+" "+name), func(t *testing.T) { test(t, by) })
	}
}

// hear reads a request whole.
func hear(c net.Conn) bool {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil
}

func answer(c net.Conn, text string) {
	if hear(c) {
		_, _ = io.WriteString(c, text)
	}
}

func TestSendFailures(t *testing.T) {
	const secret = "stranger's words"
	for _, c := range []struct {
		name    string
		url     string
		serve   []func(net.Conn)
		stage   Stage
		timeout bool
		took    time.Duration
		text    string
	}{
		{"no connection", "http://seller", nil, StageDial, false, 0, "no connection to seller at seller: the connection failed"},
		{
			"no TLS handshake", "https://seller",
			[]func(net.Conn){func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
			StageDial, true, 3 * time.Second, "no connection to seller at seller: it took too long",
		},
		{
			"not TLS", "https://seller",
			[]func(net.Conn){func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, "HTTP/1.1 400 "+secret+"\r\n\r\n")
			}},
			StageDial, false, 0, "it does not speak TLS",
		},
		{"hangs up", "http://seller", []func(net.Conn){func(c net.Conn) { hear(c) }}, StageSent, false, 0, "the connection was closed"},
		{
			"hangs up in its header", "http://seller",
			[]func(net.Conn){func(c net.Conn) { answer(c, "HTTP/1.1 200 OK\r\nX: y\r\n") }},
			StageSent, false, 0, "the connection was closed",
		},
		{
			"says nothing", "http://seller",
			[]func(net.Conn){func(c net.Conn) { hear(c); _, _ = io.Copy(io.Discard, c) }},
			StageSent, true, 30 * time.Second, "no answer from seller at seller: it took too long",
		},
		{
			"not HTTP", "http://seller",
			[]func(net.Conn){func(c net.Conn) { answer(c, secret+"\r\n\r\n") }},
			StageSent, false, 0, "not good HTTP",
		},
		{
			"a bad header", "http://seller",
			[]func(net.Conn){func(c net.Conn) { answer(c, "HTTP/1.1 200 OK\r\n"+secret+"\r\n\r\n") }},
			StageSent, false, 0, "not good HTTP",
		},
		{"a URL that is none", "http://" + secret + "\x7f", nil, StageDial, false, 0, "malformed"},
	} {
		eachTransport(t, c.name, func(t *testing.T, transport func(dialler) dialled) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				by := transport(oneByOne(c.serve...))
				defer by.CloseIdleConnections()
				start := time.Now()
				_, err := Send(ctx, Call{URL: c.url, Header: http.Header{}, Body: Splice([]byte("{}")), Transport: by})
				var e *CallError
				if !errors.As(err, &e) {
					t.Fatalf("%T %v", err, err)
				}
				if took := time.Since(start); e.Stage != c.stage || e.Timeout != c.timeout || took != c.took {
					t.Errorf("stage %d, timeout %v, after %v: %v", e.Stage, e.Timeout, took, e.Err)
				}
				if !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), secret) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	eachTransport(t, "", func(t *testing.T, transport func(dialler) dialled) {
		synctest.Test(t, func(t *testing.T) {
			gone := errors.New("the client left")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(gone) })
			by := transport(oneByOne(func(c net.Conn) { hear(c); _, _ = io.Copy(io.Discard, c) }))
			_, err := Send(ctx, Call{URL: "http://seller", Header: http.Header{}, Body: Splice([]byte("{}")), Transport: by})
			if e, ok := errors.AsType[*CallError](err); !ok || e.Timeout || e.Stage != StageSent || !errors.Is(err, gone) || !strings.HasSuffix(err.Error(), gone.Error()) {
				t.Fatalf("%v", err)
			}
		})
	})
}

// A connection that lay idle and turns out to be closed is not the seller's failure.
func TestSendGetsOverAClosedConnection(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for name, first := range map[string]func(net.Conn){
		"at once":                  func(c net.Conn) { answer(c, ok) },
		"when the next one comes":  func(c net.Conn) { answer(c, ok); _, _ = c.Read(make([]byte, 1)) },
		"when all of it is there":  func(c net.Conn) { answer(c, ok); hear(c) },
		"after a very long time":   func(c net.Conn) { answer(c, ok); time.Sleep(89 * time.Second) },
		"after our own idle limit": func(c net.Conn) { answer(c, ok); _, _ = io.Copy(io.Discard, c) },
	} {
		eachTransport(t, name, func(t *testing.T, transport func(dialler) dialled) {
			synctest.Test(t, func(t *testing.T) {
				by := transport(oneByOne(first, func(c net.Conn) { answer(c, ok) }))
				defer by.CloseIdleConnections()
				for range 2 {
					resp, err := Send(t.Context(), Call{
						URL: "http://seller", Header: RequestHeader(http.Header{}, "r", "k"), Body: Splice([]byte("{}")), Transport: by,
					})
					if err != nil {
						t.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if strings.HasPrefix(name, "after") {
						time.Sleep(2 * time.Minute)
					}
				}
			})
		})
	}
}

// deafConn takes the headers of its second request and not the body, as a connection does whose other end has just closed it.
type deafConn struct {
	net.Conn
	requests, writes atomic.Int64
}

func (c *deafConn) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p), "POST ") {
		c.requests.Add(1)
		c.writes.Store(0)
	}
	if c.writes.Add(1) > 1 && c.requests.Load() > 1 {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	return c.Conn.Write(p)
}

func TestSendGetsOverAConnectionClosedMeanwhile(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	dials := 0
	transport := newTransport(0, nil)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &deafConn{Conn: conn}, err
	}
	defer transport.CloseIdleConnections()
	for want := 1; want <= 3; want++ { // each but the first finds the connection of the one before deaf
		resp, err := Send(t.Context(), Call{
			URL: server.URL, Header: RequestHeader(nil, "r", "k"), Body: Splice([]byte(`{"x":1}`)), Transport: transport,
		})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != `{"x":1}` || dials != want {
			t.Errorf("got %q over %d connections, want %d", body, dials, want)
		}
	}
}

// A request to which the seller answers with the end of the connection is not sent over all that lie idle.
func TestSendGivesUpOnClosedConnections(t *testing.T) {
	eachTransport(t, "", func(t *testing.T, by func(dialler) dialled) {
		const idle = 8
		var together sync.WaitGroup
		var dying atomic.Bool
		var asked atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if asked.Add(1); dying.Load() {
				panic(http.ErrAbortHandler)
			}
			together.Done()
			together.Wait()
		}))
		defer server.Close()
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		transport := by(new(net.Dialer).DialContext)
		defer transport.CloseIdleConnections()
		send := func() error {
			resp, err := Send(t.Context(), Call{
				URL: server.URL, Header: RequestHeader(nil, "r", "k"), Body: Splice([]byte(`{"x":1}`)), Transport: transport,
			})
			if err == nil {
				_ = resp.Body.Close()
			}
			return err
		}
		together.Add(idle)
		var all sync.WaitGroup
		for range idle {
			all.Go(func() {
				if err := send(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		dying.Store(true)
		asked.Store(0)
		err := send()
		if call, ok := errors.AsType[*CallError](err); !ok || call.Stage != StageSent || !strings.Contains(err.Error(), "the connection was closed") {
			t.Errorf("error %v", err)
		}
		if n := asked.Load(); n < 1 || n > maxStale {
			t.Errorf("sent %d times", n)
		}
	})
}

// A stored response is asked for without a body, or deleted.
func TestSendOfOtherMethods(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Method+" "+string(body)+" "+r.Header.Get("Content-Length"))
	}))
	defer server.Close()
	carrier := NewCarrier(CarrierOptions{})
	defer carrier.Close()
	for method, want := range map[string]string{"": "POST  ", http.MethodGet: "GET  ", http.MethodDelete: "DELETE  "} {
		resp, err := Send(t.Context(), Call{Method: method, URL: server.URL + "/v1/responses/r", Header: http.Header{}, Transport: carrier.Operator()})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(got) != want && string(got) != want+"0" {
			t.Errorf("%q came as %q", method, got)
		}
	}
}
