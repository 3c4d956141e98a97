package prewarm

import (
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap/zaptest/observer"
)

// fenced is a market whose own rules keep it from all sellers.
type fenced struct{ *market }

type fence struct{}

func (fence) Error() string   { return "the address is refused" }
func (fence) Forbidden() bool { return true }

func (f fenced) Transport(Seller) http.RoundTripper { return f }

func (f fenced) RoundTrip(*http.Request) (*http.Response, error) { return nil, fence{} }

// What one site's config forbids says nothing of the sellers: another site reaches them, and where none does they have not
// failed either, however many they are.
func TestForbidden(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, logs *observer.ObservedLogs) {
		inside, open := fenced{newMarket()}, newMarket()
		inside.offer("m", "a", "b", "c")
		open.offer("m", "a", "b", "c")
		o := inside.options("m")
		o.Catalogue = inside
		first := w.Join(o)
		r, err := w.Sweep(t.Context())
		if err != nil || r.NetworkDown || r.Failed != 0 || len(inside.reported()) != 0 {
			t.Errorf("%+v, %v; reported %v", r, err, inside.reported())
		}
		if e := entryOf(t, w, "m"); e.State != Failed {
			t.Errorf("a model that nobody here can be reached for: %+v", e)
		}
		second := w.Join(open.options("m"))
		for range 2 { // each site is the first in turn
			if r, err := w.Sweep(t.Context()); err != nil || r.Healthy != 3 || r.Failed != 0 {
				t.Errorf("%+v, %v", r, err)
			}
			wantProbed(t, open, "a", "b", "c")
		}
		if slices.ContainsFunc(open.reported(), func(p probed) bool { return !p.healthy }) || len(inside.reported()) != 0 {
			t.Errorf("reported %v and %v", open.reported(), inside.reported())
		}
		first.Leave()
		second.Leave()
	})
}

// A model that has become warm is logged once, and again when it has been otherwise.
func TestPrewarmedIsLogged(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, logs *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a", "b")
		var unwell atomic.Pointer[[]string]
		unwell.Store(&[]string{"b"})
		m.answer = func(id string) (int, io.Reader) { return down(*unwell.Load()...)(id) }
		site := w.Join(m.options("m"))
		defer site.Leave()
		count := func() int { return logs.FilterMessage("route.candidates.prewarmed").Len() }
		pass(3 * time.Minute)
		if n := count(); n != 1 {
			t.Fatalf("logged %d times", n)
		}
		fields := logs.FilterMessage("route.candidates.prewarmed").All()[0].ContextMap()
		if fields["model"] != "m" || fields["candidates"] != int64(2) || fields["healthy"] != int64(1) || fields["paymentMethod"] != "mock" {
			t.Errorf("%v", fields)
		}
		unwell.Store(&[]string{"a", "b"})
		pass(5 * time.Minute)
		unwell.Store(new([]string))
		pass(15 * time.Minute)
		if n := count(); n != 2 {
			t.Errorf("logged %d times", n)
		}
	})
}
