package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// listen serves each connection that comes, and counts them.
func listen(t *testing.T, serve func(net.Conn, *bufio.Reader)) (address string, accepted *atomic.Int32) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = new(atomic.Int32)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			all.Go(func() {
				defer c.Close()
				serve(c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String(), accepted
}

func newTransport(t *testing.T) *Transport {
	t.Helper()
	by := New(Options{Dial: new(net.Dialer).DialContext, MaxIdle: 100, MaxIdlePerHost: 10, IdleTime: time.Minute, MaxHead: maxHead})
	t.Cleanup(by.CloseIdleConnections)
	return by
}

func post(ctx context.Context, t *testing.T, by *Transport, address string, body []byte) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if !by.Serves(r) {
		t.Fatal("it is not served")
	}
	return by.RoundTrip(r)
}

// hear reads a request whole.
func hear(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err == nil
}

// An answer may come while a large body is being written. It is there at once, the rest of the body holds up nothing, and no other
// request goes over the connection unless the body has gone out whole.
func TestAnswerBeforeTheBodyIsSent(t *testing.T) {
	const answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch"
	large := bytes.Repeat([]byte("x"), 16<<20)
	for name, c := range map[string]struct {
		answer string
		closes bool
	}{
		"and the seller reads no more": {answer, false},
		"and the seller hangs up":      {answer, true},
		"without a body":               {strings.Replace(answer, "4\r\n\r\nmuch", "0\r\n\r\n", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			end := make(chan struct{})
			defer close(end)
			address, accepted := listen(t, func(conn net.Conn, r *bufio.Reader) {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				if _, _ = io.WriteString(conn, c.answer); !c.closes {
					<-end
				}
			})
			by := newTransport(t)
			for range 2 {
				resp, err := post(t.Context(), t, by, address, large)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if resp.StatusCode != http.StatusRequestEntityTooLarge || strings.HasSuffix(c.answer, string(body)) == (err != nil) {
					t.Errorf("%d %q %v", resp.StatusCode, body, err)
				}
				_ = resp.Body.Close()
			}
			if n := accepted.Load(); n != 2 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// A large body that the seller reads while it already answers goes out whole, and the connection is kept.
func TestAnswerWhileTheBodyIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		dials := 0
		by := New(Options{MaxIdle: 9, MaxIdlePerHost: 9, IdleTime: time.Minute, MaxHead: maxHead, Dial: func(context.Context, string, string) (net.Conn, error) {
			dials++
			client, seller := net.Pipe()
			go func() {
				r := bufio.NewReader(seller)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.WriteString(seller, chunkedHead+"5\r\nhello\r\n")
					if n, _ := io.Copy(io.Discard, req.Body); n == size {
						_, _ = io.WriteString(seller, "0\r\n\r\n")
					}
				}
			}()
			return client, nil
		}})
		defer by.CloseIdleConnections()
		for range 3 {
			resp, err := post(t.Context(), t, by, "seller", make([]byte, size))
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
				t.Fatalf("%q %v", body, err)
			}
		}
		if dials != 1 {
			t.Errorf("%d connections", dials)
		}
	})
}

// A cancel that comes when the answer has just ended hurts no later request over the same connection.
func TestLateCancel(t *testing.T) {
	address, _ := listen(t, func(c net.Conn, r *bufio.Reader) {
		for hear(r) {
			_, _ = io.WriteString(c, chunkedHead+"5\r\nhello\r\n0\r\n\r\n")
		}
	})
	by := newTransport(t)
	for range 3000 {
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := post(ctx, t, by, address, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(cancel)
		both.Go(func() { resp.Body.(*Body).Wake() })
		for {
			buf, _, err := resp.Body.(*Body).Next(&testBuffers, time.Time{})
			if buf != nil {
				testBuffers.Put(buf)
			}
			if errors.Is(err, ErrWoken) {
				continue
			}
			if err != nil && err != io.EOF && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if err != nil {
				break
			}
		}
		both.Wait()
		_ = resp.Body.Close()
		resp, err = post(t.Context(), t, by, address, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
			t.Fatalf("%q %v", body, err)
		}
	}
}

// A connection that its seller has closed, or spoken on unasked, while it lay idle is found out before anything is sent.
func TestIdleConnectionThatEnded(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for name, last := range map[string]string{"closed": "", "spoken on": "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{}, 10)
			heard := new(atomic.Int32)
			address, _ := listen(t, func(c net.Conn, r *bufio.Reader) {
				if hear(r) {
					heard.Add(1)
					_, _ = io.WriteString(c, ok)
				}
				if last != "" {
					_, _ = io.WriteString(c, last)
					defer hear(r)
				} else {
					_ = c.Close()
				}
				ended <- struct{}{}
			})
			by := newTransport(t)
			for range 5 {
				resp, err := post(t.Context(), t, by, address, []byte("{}")) // without a key: net/http would not send it again
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatal(resp, err)
				}
				_ = resp.Body.Close()
				<-ended
				for all := by.pool.idle[address]; len(all) > 0 && all[0].alive(); { // it is on its way through the kernel
					runtime.Gosched()
				}
			}
			if n := heard.Load(); n != 5 {
				t.Errorf("%d requests were heard", n)
			}
		})
	}
}

// What a seller may have acted on is not sent again without a key, and with one over connections that lay idle alone.
func TestResend(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		first string // what the second request gets over the first connection
		want  string // of the error
		heard int32
	}{
		"without a key":              {"", "", "no answer came", 2},
		"with a key":                 {"k", "", "", 3},
		"with a key, after a status": {"k", "HTTP/1.1 200 OK\r\n", "unexpected EOF", 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				heard := int32(0)
				by := New(Options{MaxIdle: 9, MaxIdlePerHost: 9, IdleTime: time.Minute, MaxHead: maxHead, Dial: func(context.Context, string, string) (net.Conn, error) {
					client, seller := net.Pipe()
					go func() {
						defer seller.Close()
						r := bufio.NewReader(seller)
						for i := 0; hear(r); i++ {
							if heard++; i > 0 {
								_, _ = io.WriteString(seller, c.first)
								return
							}
							_, _ = io.WriteString(seller, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
						}
					}()
					return client, nil
				}})
				defer by.CloseIdleConnections()
				for i := range 2 {
					r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://seller", strings.NewReader("{}"))
					if c.key != "" {
						r.Header.Set("Idempotency-Key", c.key)
					}
					resp, err := by.RoundTrip(r)
					switch {
					case i == 0 || c.want == "":
						if err != nil {
							t.Fatal(err)
						}
						_ = resp.Body.Close()
					case err == nil || !strings.Contains(err.Error(), c.want):
						t.Errorf("error %v, want %q", err, c.want)
					}
				}
				if heard != c.heard {
					t.Errorf("heard %d times, want %d", heard, c.heard)
				}
			})
		})
	}
}

// A write that fails shows a connection that was closed while it lay idle. Where an answer is there all the same, it counts.
func TestWriteThatFails(t *testing.T) {
	for name, answer := range map[string]string{"": "", "with an answer": "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"} {
		for _, size := range []int{2, 1 << 20} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					by := New(Options{MaxHead: maxHead, Dial: func(context.Context, string, string) (net.Conn, error) {
						client, seller := net.Pipe()
						go func() {
							_, _ = io.WriteString(seller, answer)
							_, _ = io.Copy(io.Discard, seller)
						}()
						return broken{client}, nil
					}})
					resp, err := post(t.Context(), t, by, "seller", make([]byte, size))
					if answer == "" {
						if !errors.Is(err, errBroken) {
							t.Errorf("error %v", err)
						}
						return
					}
					if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
						t.Error(resp, err)
					}
				})
			})
		}
	}
}

var errBroken = errors.New("broken pipe")

type broken struct{ net.Conn }

func (broken) Write([]byte) (int, error) { return 0, errBroken }

// Next holds no buffer while it waits, gives up in time and when it is woken, and goes on after that, in the middle of a chunk too.
func TestNext(t *testing.T) {
	say := make(chan string)
	address, _ := listen(t, func(c net.Conn, r *bufio.Reader) {
		if hear(r) {
			for text := range say {
				_, _ = io.WriteString(c, text)
			}
		}
	})
	held := new(atomic.Int32)
	counted := sync.Pool{New: func() any { held.Add(1); return new(Buffer) }}
	by := newTransport(t)
	go func() { say <- chunkedHead + "5\r\nhel" }()
	resp, err := post(t.Context(), t, by, address, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	body := resp.Body.(*Body)
	next := func(until time.Time, want string, wantErr error) {
		t.Helper()
		got := ""
		for got != want || want == "" {
			buf, n, err := body.Next(&counted, until)
			if (buf != nil) != (n > 0) {
				t.Fatal("a buffer without anything in it, or nothing in one")
			}
			if n > 0 {
				got += string(buf.Filled(n))
				counted.Put(buf)
			}
			if got == want && errors.Is(err, wantErr) {
				return
			}
			if err != nil || len(got) > len(want) {
				t.Fatalf("%q, %v, want %q, %v", got, err, want, wantErr)
			}
		}
	}
	next(time.Time{}, "hel", nil)
	next(time.Now().Add(5*time.Millisecond), "", ErrDeadline)
	body.Wake()
	next(time.Time{}, "", ErrWoken)
	time.AfterFunc(5*time.Millisecond, body.Wake)
	next(time.Now().Add(time.Hour), "", ErrWoken)
	go func() { say <- "lo\r"; say <- "\n0"; say <- "00" }()
	next(time.Now().Add(time.Hour), "lo", nil)
	next(time.Now().Add(50*time.Millisecond), "", ErrDeadline)
	go func() { say <- "a\r\n, and more\r\n" }()
	next(time.Time{}, ", and more", nil)
	go func() { say <- "0\r\n\r\n"; close(say) }()
	next(time.Time{}, "", io.EOF)
	next(time.Time{}, "", io.EOF)
	body.Wake() // the connection is another's
	if err := body.Close(); err != nil {
		t.Error(err)
	}
}

// The pool has no more than it may, and what lies in it for too long or was closed by its seller is closed.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := map[string]*atomic.Int32{"a:80": new(atomic.Int32), "b:80": new(atomic.Int32)}
		by := New(Options{MaxIdle: 5, MaxIdlePerHost: 3, IdleTime: time.Minute, MaxHead: maxHead, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			client, seller := net.Pipe()
			open[address].Add(1)
			go func() {
				r := bufio.NewReader(seller)
				for hear(r) {
					_, _ = io.WriteString(seller, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
					_, _ = io.WriteString(seller, "x")
				}
				open[address].Add(-1)
			}()
			return client, nil
		}})
		ask := func(host string, n int) {
			var under []*http.Response
			for range n {
				resp, err := post(t.Context(), t, by, host, []byte("{}"))
				if err != nil {
					t.Fatal(err)
				}
				under = append(under, resp)
			}
			for _, resp := range under {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				time.Sleep(time.Millisecond)
			}
			synctest.Wait()
		}
		want := func(a, b int) {
			t.Helper()
			synctest.Wait()
			if inA, inB := int(open["a:80"].Load()), int(open["b:80"].Load()); inA != a || inB != b {
				t.Errorf("open: %d and %d, want %d and %d", inA, inB, a, b)
			}
		}
		ask("a", 10)
		want(3, 0)
		ask("b", 3)
		want(2, 3) // the oldest of a has made room
		time.Sleep(50 * time.Second)
		ask("b", 1)
		want(2, 3)
		time.Sleep(20 * time.Second)
		want(0, 1)
		time.Sleep(70 * time.Second)
		want(0, 0)
		ask("a", 2)
		want(2, 0)
		by.CloseIdleConnections()
		want(0, 0)
	})
}

// TestTrace: who traces a request hears of the connection, also where the request then fails. A purchase tells by that whether its
// seller may have seen it.
func TestTrace(t *testing.T) {
	by := New(Options{Dial: new(net.Dialer).DialContext, MaxIdle: 9, MaxIdlePerHost: 9, IdleTime: time.Minute, MaxHead: maxHead})
	seller := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
	}))
	defer seller.Close()
	for _, row := range []struct {
		path   string
		reused []bool
		fails  bool
	}{{"/", []bool{false}, false}, {"/", []bool{true}, false}, {"/cut", []bool{true}, true}, {"/cut", []bool{false}, true}} {
		var reused []bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = append(reused, i.Reused) }})
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, seller.URL+row.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := by.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
		if (err != nil) != row.fails || !slices.Equal(reused, row.reused) {
			t.Errorf("%s: %v, connections reused %v, want %v", row.path, err, reused, row.reused)
		}
	}
}
