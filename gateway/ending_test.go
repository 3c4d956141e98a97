package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
)

type named struct{}

// TestEnding: it is a context as the standard library's are, for what derives from it and for who looks at it.
func TestEnding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, leave := context.WithCancel(context.WithValue(t.Context(), named{}, "value"))
		e := new(ending)
		e.begin(client)
		child, cancel := context.WithCancel(e)
		defer cancel()
		calls := 0
		stopped := context.AfterFunc(e, func() { calls += 10 })
		own := e.AfterFunc(func() { calls++ })
		other := e.AfterFunc(func() { calls += 100 })
		if !stopped() || stopped() || !other() || other() {
			t.Error("a call that was to come is stopped once")
		}
		leave()
		synctest.Wait()
		if e.Err() != nil || child.Err() != nil || context.Cause(e) != nil || e.Value(named{}) != "value" {
			t.Errorf("it ends with the client's: %v, %v", e.Err(), context.Cause(e))
		}
		e.endFor(errDeadline)
		e.endFor(errShutdown)
		synctest.Wait()
		<-e.Done()
		if e.Err() != errDeadline || context.Cause(e) != errDeadline || !errors.Is(e.Err(), context.Canceled) || errors.Is(e.Err(), context.DeadlineExceeded) {
			t.Errorf("%v, %v", e.Err(), context.Cause(e))
		}
		if calls != 1 || own() {
			t.Errorf("%d calls", calls)
		}
		if child.Err() == nil || context.Cause(child) != errDeadline {
			t.Errorf("%v, %v", child.Err(), context.Cause(child))
		}
		if context.AfterFunc(e, func() { calls++ })() {
			t.Error("a call after the end is stopped")
		}
		if synctest.Wait(); calls != 2 {
			t.Errorf("%d calls", calls)
		}
	})
}

// TestCallEnds: by the client, the deadline and the process until somebody else is to be woken by them, and by its own end for
// good.
func TestCallEnds(t *testing.T) {
	for name, test := range map[string]struct {
		cause func(c *call, leave func(), calls *unfinished)
		want  error
		wakes bool
	}{
		"the client leaves":   {func(_ *call, leave func(), _ *unfinished) { leave() }, errClientGone, true},
		"too late":            {func(*call, func(), *unfinished) { time.Sleep(2 * time.Second) }, errDeadline, false},
		"the process ends":    {func(_ *call, _ func(), calls *unfinished) { calls.end() }, errShutdown, true},
		"it is at its end":    {func(c *call, _ func(), _ *unfinished) { c.end() }, context.Canceled, false},
		"nothing of all that": {func(*call, func(), *unfinished) {}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				gw := new(Gateway)
				rq := &request{r: httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil), gw: gw}
				c := newCall(rq, time.Second)
				woken, wakes := newCall(rq, time.Hour), 0
				woken.wake(func() { wakes++ })
				test.cause(c, leave, &gw.unfinished)
				synctest.Wait()
				if c.Err() != test.want {
					t.Errorf("%v, want %v", c.Err(), test.want)
				}
				if woken.Err() != nil || (wakes == 1) != test.wakes {
					t.Errorf("%v after %d wakes", woken.Err(), wakes)
				}
				c.end()
				woken.end()
				if c.end(); gw.unfinished.underWay() > 0 {
					t.Error("it is kept")
				}
				gw.unfinished.end()
				if late := newCall(rq, time.Hour); late.Err() == nil {
					t.Error("one that comes after the end of the process is not ended")
				} else {
					late.end()
				}
			})
		})
	}
}

// TestCallTakesFewObjects: every request has one.
func TestCallTakesFewObjects(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	gw := new(Gateway)
	rq := &request{r: httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil), gw: gw}
	if n := testing.AllocsPerRun(100, func() {
		c := newCall(rq, time.Hour)
		stop := c.AfterFunc(leave)
		stop()
		c.end()
	}); n > 10 {
		t.Errorf("%v objects", n)
	}
}

// underWay is how many calls there are.
func (u *unfinished) underWay() (n int) {
	for i := range u {
		u[i].mu.Lock()
		n += len(u[i].calls)
		u[i].mu.Unlock()
	}
	return n
}

// BenchmarkUnfinished adds what a request adds, on all processors.
func BenchmarkUnfinished(b *testing.B) {
	gw := new(Gateway)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		p, c := new(reply), new(call)
		for pb.Next() {
			part := gw.unfinished.part()
			part.wait(p, awaitedBody)
			part.done(p)
			c.in = gw.unfinished.part()
			c.in.add(c)
			c.in.remove(c)
		}
	})
}

// lastWords is a body at whose end something happens.
type lastWords struct {
	io.ReadCloser
	then func()
}

func (b lastWords) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.then()
	}
	return n, err
}

// TestShutdownAsTheBodyEnds has the process begin to go just when a request's body has come to its end. The server, which may read no more,
// then takes the client for one that has left; it is there, and told why it is not served.
func TestShutdownAsTheBodyEnds(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	shutdown, end := context.WithCancel(t.Context())
	w := openWayUntil(t, shutdown, `"sellers":[`+pinned(t, "a", "m", says(http.StatusOK, good))+`]`)
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Body = lastWords{r.Body, func() {
			end()
			w.gw.unfinished.end() // which shutdown does in a goroutine of its own
			<-r.Context().Done()
		}}
		r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
		if err := w.door.ServeHTTP(rw, r, nil); err != nil {
			t.Error(err)
		}
	}))
	defer site.Close()
	res, err := http.Post(site.URL+"/v1/chat/completions", "application/json", strings.NewReader(chat))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	said, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(string(said), restarting) {
		t.Errorf("status %d, %v: %q", res.StatusCode, res.Header, said)
	}
}
