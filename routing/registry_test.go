package routing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zapcore"
)

func TestRegistryRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := new(memory)
		r, s, logs, stop := start(t, RegistryOptions{Refresh: 60 * time.Second, Cache: cache},
			ok(sellers("a"), `"1"`), answer{status: http.StatusNotModified}, ok(sellers("a", "b"), `W/"2"`), answer{status: http.StatusNotModified})
		defer stop()
		if err := r.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		var seen []string
		unwatch := r.Watch(func(d *Document) { seen = append(seen, d.Version) })
		if got := fmt.Sprint(seen); got != "[a]" {
			t.Errorf("a watcher that came later saw %s", got)
		}
		if s.request().Header.Get("Accept") != "application/json" || s.request().Method != http.MethodGet {
			t.Errorf("asked with %s, Accept %q", s.request().Method, s.request().Header.Get("Accept"))
		}
		after(70 * time.Second)
		if st := r.Status(); st.Version != "a" || st.Sellers != 1 || *st.AgeSeconds != 10 || st.Stale || !st.ETag || st.LastError != "" {
			t.Errorf("status after a 304: %+v", st)
		}
		after(140 * time.Second)
		if got := fmt.Sprint(seen); got != "[a a+b]" {
			t.Errorf("the watcher saw %s", got)
		}
		if got, want := fmt.Sprintf("%q", s.asks()), `["0" "60 \"1\"" "120 \"1\"" "180 W/\"2\""]`; got != want {
			t.Errorf("asked %s, want %s", got, want)
		}
		if cache.saves != 2 || cache.etag != `W/"2"` || string(cache.body) != sellers("a", "b") {
			t.Errorf("%d saves, the last %q %s", cache.saves, cache.etag, cache.body)
		}
		if n := logs.FilterLevelExact(zapcore.WarnLevel).Len(); n != 0 {
			t.Errorf("%d warnings: %v", n, logs.All())
		}
		unwatch()
		s.then(ok(sellers("c"), ""))
		after(60 * time.Second)
		if r.Document().Version != "c" || len(seen) != 2 {
			t.Errorf("version %s; the watcher that left saw %q", r.Document().Version, seen)
		}
	})
}

// Whatever goes wrong, the last good document stays, its ETag too, and the log says why in words of our own.
func TestRegistryStaleFallback(t *testing.T) {
	for name, tc := range map[string]struct {
		answer answer
		reason string
		after  time.Duration // what the failing fetch itself takes
	}{
		"413":               {answer{status: 413}, "status 413", 0},
		"413 with header":   {answer{status: 413, header: http.Header{"X-Tokenbuddy-Registry-Too-Large": {"1"}}}, "its document is too large", 0},
		"500":               {answer{status: 500, body: "stranger"}, "status 500", 0},
		"404":               {answer{status: 404, body: sellers("x")}, "status 404", 0},
		"redirect":          {answer{status: 302, header: http.Header{"Location": {"https://stranger.example"}}}, "status 302", 0},
		"no content":        {answer{status: 204}, "status 204", 0},
		"not JSON":          {ok("stranger", `"x"`), "not JSON", 0},
		"no sellers":        {ok(`{"stranger":[]}`, `"x"`), "no list", 0},
		"too large":         {ok(`{"sellers":[]}`+strings.Repeat(" ", 300), `"x"`), "over the limit of 300 bytes", 0},
		"time-out":          {answer{hang: true}, "within 10s", 10 * time.Second},
		"body time-out":     {answer{status: 200, slow: true}, "within 10s", 10 * time.Second},
		"not reached":       {answer{err: &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}}, "connection refused", 0},
		"reset":             {answer{err: &net.OpError{Op: "read", Net: "tcp", Err: errors.New("reset")}}, "broke", 0},
		"no such host":      {answer{err: &net.DNSError{Err: "no such host", Name: "registry.example"}}, "no address", 0},
		"unreadable":        {answer{err: errors.New(`malformed HTTP response "stranger"`)}, "no answer that can be read", 0},
		"cut in the middle": {ok(sellers("a", "b")[:40], `"x"`), "not JSON", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s, logs, stop := start(t, RegistryOptions{Refresh: 20 * time.Second, MaxSize: 300},
					ok(sellers("a"), `"1"`), tc.answer, answer{status: http.StatusNotModified})
				defer stop()
				after(20*time.Second + tc.after + 500*time.Millisecond)
				if st := r.Status(); st.Version != "a" || !st.Stale || !strings.Contains(st.LastError, tc.reason) {
					t.Errorf("status %+v, want reason %q", st, tc.reason)
				}
				warned := logs.FilterMessage("registry.stale_fallback").All()
				if len(warned) != 1 || warned[0].Level != zapcore.WarnLevel ||
					!strings.Contains(warned[0].ContextMap()["reason"].(string), tc.reason) {
					t.Errorf("logged %v", warned)
				}
				if all := fmt.Sprint(logs.All()); strings.Contains(all, "stranger") {
					t.Errorf("the log quotes the registry: %s", all)
				}
				after(time.Second)
				if st := r.Status(); st.Stale || st.LastError != "" {
					t.Errorf("not recovered: %+v", st)
				}
				if asked := s.asks(); len(asked) != 3 || !strings.HasSuffix(asked[2], ` "1"`) {
					t.Errorf("asked %q", asked)
				}
			})
		})
	}
}

func TestRegistryBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := answer{status: 503}
		r, s, logs, stop := start(t, RegistryOptions{Refresh: 10 * time.Second},
			down, down, down, down, down, down, ok(sellers("a"), ""), down, ok(sellers("a"), ""), down)
		defer stop()
		after(60 * time.Second)
		want := "[0 1 3 7 15 25 35 45 46 56 57 59]"
		if got := fmt.Sprint(s.asks()); got != want {
			t.Errorf("asked at %s, want %s", got, want)
		}
		if n := logs.FilterMessage("registry.document").Len(); n != 1 {
			t.Errorf("the same document was taken %d times", n)
		}
		if r.Document() == nil {
			t.Error("no document")
		}
	})
}

func TestRegistryReady(t *testing.T) {
	t.Run("waits for the first fetch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, _, _, stop := start(t, RegistryOptions{Timeout: 7 * time.Second}, answer{hang: true}, ok(sellers("a"), ""))
			defer stop()
			began := time.Now()
			if err := r.Ready(t.Context()); !errors.Is(err, ErrNoDocument) || time.Since(began) != 7*time.Second {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			if err := r.Ready(t.Context()); !errors.Is(err, ErrNoDocument) || time.Since(began) != 7*time.Second {
				t.Errorf("it waited again: %v after %s", err, time.Since(began))
			}
			after(2 * time.Second)
			if err := r.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("a registry in the same Caddy, which does not listen yet", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			refused := answer{err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
			r, s, _, stop := start(t, RegistryOptions{}, refused, ok(sellers("a"), ""))
			defer stop()
			began := time.Now()
			if err := r.Ready(t.Context()); err != nil || time.Since(began) > time.Second/2 {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			if n := len(s.asks()); n != 2 {
				t.Errorf("asked %d times", n)
			}
		})
	})
	t.Run("a registry that does not listen yet, and then hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			refused := answer{err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
			r, _, _, stop := start(t, RegistryOptions{Timeout: 7 * time.Second}, refused, answer{hang: true}, ok(sellers("a"), ""))
			defer stop()
			began := time.Now()
			if err := r.Ready(t.Context()); !errors.Is(err, ErrNoDocument) || time.Since(began) != 7*time.Second {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			after(2 * time.Second)
			if err := r.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("a registry that is down", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			refused := answer{err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
			r, s, _, stop := start(t, RegistryOptions{}, refused)
			defer stop()
			if err := r.Ready(t.Context()); !errors.Is(err, ErrNoDocument) {
				t.Error(err)
			}
			after(16 * time.Second)
			if got := fmt.Sprint(s.asks()); got != "[0 0 1 3 7 15]" {
				t.Errorf("asked at %s", got)
			}
		})
	})
	t.Run("gives up with the request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, _, _, stop := start(t, RegistryOptions{}, answer{hang: true})
			defer stop()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := r.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	})
	t.Run("ends with the registry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, _, logs, stop := start(t, RegistryOptions{}, answer{hang: true})
			stop()
			if err := r.Ready(t.Context()); !errors.Is(err, ErrNoDocument) {
				t.Error(err)
			}
			if logs.Len() != 0 {
				t.Errorf("the end was logged as a failure: %v", logs.All())
			}
		})
	})
	t.Run("watchers have seen it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			table := NewTable(TableOptions{Methods: []string{"mock"}})
			first := ok(sellers("a"), "")
			first.after = time.Second // or it is there before anyone watches
			r, _, _, stop := start(t, RegistryOptions{}, first)
			defer stop()
			r.Watch(func(d *Document) {
				if r.Document() != nil {
					t.Error("the document was to be had before it was delivered")
				}
				time.Sleep(3 * time.Second) // an index takes its time
				table.Update(d)
			})
			if err := r.Ready(t.Context()); err != nil || len(table.Index().Models()) != 1 {
				t.Errorf("%v, models %q", err, table.Index().Models())
			}
		})
	})
}

func TestRegistryCache(t *testing.T) {
	t.Run("serves while the registry is down", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cache := &memory{body: []byte(sellers("a")), etag: `"1"`}
			r, s, _, stop := start(t, RegistryOptions{Cache: cache}, answer{hang: true}, answer{status: http.StatusNotModified})
			defer stop()
			began := time.Now()
			if err := r.Ready(t.Context()); err != nil || time.Since(began) != 0 {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			if st := r.Status(); st.Version != "a" || !st.Stale || st.AgeSeconds != nil {
				t.Errorf("status %+v", st)
			}
			after(12 * time.Second)
			if got := fmt.Sprintf("%q", s.asks()); got != `["0 \"1\"" "11 \"1\""]` || r.Status().Stale || cache.saves != 0 {
				t.Errorf("asked %s, %d saves, status %+v", got, cache.saves, r.Status())
			}
		})
	})
	t.Run("is filled once there is room", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cache, same := &memory{full: 4}, answer{status: http.StatusNotModified}
			r, s, logs, stop := start(t, RegistryOptions{Refresh: 60 * time.Second, Cache: cache},
				ok(sellers("a"), `"1"`), same, same, answer{status: http.StatusBadGateway}, same)
			defer stop()
			seen, warned := 0, func() int { return logs.FilterMessage("registry.cache.save_failed").Len() }
			defer r.Watch(func(*Document) { seen++ })()
			after(181 * time.Second) // a refused fetch, too, is an occasion
			if got := fmt.Sprintf("%q", s.asks()); got != `["0" "60 \"1\"" "120 \"1\"" "180 \"1\"" "181 \"1\""]` || seen != 1 || warned() != 1 {
				t.Errorf("asked %s, the document seen %d times, %d warnings", got, seen, warned())
			}
			if cache.saves != 1 || string(cache.body) != sellers("a") || cache.etag != `"1"` {
				t.Errorf("%d saves, the last %q %s", cache.saves, cache.etag, cache.body)
			}
			cache.full = 3
			s.then(ok(sellers("b"), `"2"`), ok(sellers("b"), `"3"`), same)
			after(180 * time.Second)
			if warned() != 2 || cache.saves != 1 {
				t.Errorf("%d warnings and %d saves without room for another document", warned(), cache.saves)
			}
			s.then(same)
			after(120 * time.Second)
			if cache.saves != 2 || string(cache.body) != sellers("b") || cache.etag != `"3"` || warned() != 2 {
				t.Errorf("%d saves, the last %q %s, %d warnings", cache.saves, cache.etag, cache.body, warned())
			}
		})
	})
	for name, cache := range map[string]*memory{
		"refused": {body: []byte("{}"), etag: `"1"`},
		"broken":  {err: errors.New("damaged")},
		"empty":   {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s, logs, stop := start(t, RegistryOptions{Cache: cache}, answer{hang: true})
				defer stop()
				synctest.Wait()
				if r.Document() != nil || fmt.Sprint(s.asks()) != "[0]" {
					t.Errorf("asked %q, document %v", s.asks(), r.Document())
				}
				if n := logs.FilterMessage("registry.cache.load_failed").Len(); (n == 1) != (name != "empty") {
					t.Errorf("%d warnings", n)
				}
			})
		})
	}
}

func TestRegistryLogsSellers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moved := strings.Replace(sellers("a", "b", "c"), "https://b.example", "https://b.example:8443", 1)
		bad := `{"sellers":[{"id":"bad","url":"ftp://secret.example"},{"id":"two\nlines"}` + strings.Repeat(",1", 30) + `]}`
		_, _, logs, stop := start(t, RegistryOptions{Refresh: time.Minute},
			ok(sellers("a", "b"), ""), ok(moved, ""), ok(bad, ""))
		defer stop()
		after(90 * time.Second)
		warned := logs.FilterMessage("registry.seller.moved").All()
		if len(warned) != 1 {
			t.Fatalf("moved: %v", warned)
		}
		if m := warned[0].ContextMap(); m["seller"] != "b" || m["from"] != "https://b.example" || m["to"] != "https://b.example:8443" {
			t.Errorf("moved: %v", m)
		}
		after(60 * time.Second)
		left := logs.FilterMessage("registry.seller.left_out").All()
		if len(left) != maxLogged+1 {
			t.Fatalf("%d lines for 32 entries left out", len(left))
		}
		if m := left[0].ContextMap(); m["seller"] != "bad" || m["reason"] != "the URL is not http or https" {
			t.Errorf("left out: %v", m)
		}
		if m := left[1].ContextMap(); m["seller"] != "sellers[1]" {
			t.Errorf("left out: %v", m)
		}
		if m := left[maxLogged].ContextMap(); m["more"] != int64(12) {
			t.Errorf("left out: %v", m)
		}
	})
}

func TestRegistryUserInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, logs, stop := start(t, RegistryOptions{URL: "https://me:hunter2@registry.example/list?key=hunter2"},
			answer{status: 401}, ok(sellers("a"), ""))
		defer stop()
		shown := fmt.Sprint(r.Ready(t.Context()))
		after(time.Second)
		user, password, _ := s.request().BasicAuth()
		if user != "me" || password != "hunter2" || s.request().URL.String() != "https://registry.example/list?key=hunter2" {
			t.Errorf("asked %s as %q, %q", s.request().URL, user, password)
		}
		for _, e := range logs.All() {
			shown += fmt.Sprint(e.Message, e.ContextMap())
		}
		if shown += fmt.Sprintf("%+v", r.Status()); strings.Contains(shown, "hunter2") {
			t.Errorf("a secret is shown: %s", shown)
		}
		if r.Status().URL != "https://registry.example/list" {
			t.Errorf("URL %q", r.Status().URL)
		}
	})
}

func TestNewRegistryRefuses(t *testing.T) {
	for _, raw := range []string{"", "registry.example", "ftp://hunter2.example", "https://", "https://:1", "https://hunter2 .example"} {
		_, err := NewRegistry(RegistryOptions{URL: raw, Transport: http.DefaultTransport})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", raw, err)
		}
	}
	if _, err := NewRegistry(RegistryOptions{URL: "https://registry.example"}); err == nil {
		t.Error("no transport, no error")
	}
}

// The registry can be fetched now, beside the schedule, one fetch at a time; a failure is told and keeps what is there.
func TestRegistryRefreshNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s, _, stop := start(t, RegistryOptions{Refresh: 60 * time.Second},
			ok(sellers("a"), ""), ok(sellers("b"), ""), answer{status: 500}, ok(sellers("c"), ""), answer{hang: true})
		defer stop()
		after(10 * time.Second)
		var seen []string
		defer r.Watch(func(d *Document) { seen = append(seen, d.Version) })()
		if err := r.Refresh(t.Context()); err != nil || fmt.Sprint(seen) != "[a b]" {
			t.Errorf("%v, seen %v", err, seen)
		}
		if err := r.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "status 500") || !r.Status().Stale || r.Document().Version != "b" {
			t.Errorf("%v, %+v", err, r.Status())
		}
		after(60 * time.Second) // the schedule has gone on
		if r.Document().Version != "c" || len(s.asks()) != 4 {
			t.Errorf("version %s, asked %q", r.Document().Version, s.asks())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Refresh(ctx); err == nil || r.Document().Version != "c" {
			t.Errorf("%v, version %s", err, r.Document().Version)
		}
	})
}
