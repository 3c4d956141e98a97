package prewarm

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest/observer"
)

// A sweep begins a moment after its time: that must not cost an entry the next one.
func TestBackoffIsNotExact(t *testing.T) {
	begun := time.Now()
	e := new(entry)
	e.failed(begun.Add(20*time.Millisecond), time.Minute)
	if begun.Add(time.Minute).Before(e.due) || !begun.Add(20*time.Second).Before(e.due) {
		t.Errorf("due %s after the sweep", e.due.Sub(begun))
	}
}

func TestStates(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a")
		m.delay = time.Second
		o := m.options("m")
		o.JitterMin, o.JitterMax = 0, 0
		site := w.Join(o)
		synctest.Wait()
		if e := entryOf(t, w, "m"); e.State != Warming || !w.Status().Scheduler.Running {
			t.Errorf("at first %+v", e)
		}
		pass(time.Second)
		if e := entryOf(t, w, "m"); e.State != Warm {
			t.Errorf("then %+v", e)
		}
		pass(59*time.Second + 500*time.Millisecond)
		if e := entryOf(t, w, "m"); e.State != Warm {
			t.Errorf("while it is probed again %+v", e)
		}
		site.Leave() // in the middle of the probe
		synctest.Wait()
		if len(m.reported()) != 1 {
			t.Errorf("a probe that was cut is reported: %v", m.reported())
		}
		pass(2 * time.Minute)
		if e := entryOf(t, w, "m"); e.State != Stale {
			t.Errorf("in the end %+v", e)
		}
		b, err := json.Marshal(entryOf(t, w, "m"))
		if err != nil || !strings.HasPrefix(string(b), `{"modelId":"m","protocol":"chat_completions","paymentMethod":"mock","state":"stale",`+
			`"candidateCount":1,"warmedAt":"2000-01-01T00:00:01Z","ttlMs":120000,"consecutiveWarmingFailures":0`) {
			t.Errorf("%s, %v", b, err)
		}
	})
}
