package events

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func all(string) bool { return true }

func TestEmitNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []any
		begin := make(chan struct{})
		l := Listen(all, func(_ string, data map[string]any) {
			<-begin
			<-time.After(time.Minute) // a slow handler
			told = append(told, data["n"])
		})
		l.Begin()
		before, began := Dropped(), time.Now()
		const more = 44
		Emit(Disputed, func() map[string]any { return map[string]any{"n": 0} })
		synctest.Wait() // that one is being told
		for n := range Queue + more {
			Emit(Disputed, func() map[string]any { return map[string]any{"n": n + 1} })
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("emitting has taken %v", d)
		}
		if n := Dropped() - before; n != more {
			t.Errorf("%d are dropped, want %d", n, more)
		}
		close(begin)
		<-time.After(24 * time.Hour)
		synctest.Wait()
		if len(told) != Queue+1 || told[0] != 0 || told[Queue] != Queue {
			t.Errorf("%d are told, %v to %v", len(told), told[0], told[len(told)-1])
		}
		l.Release()
		l.Release()
	})
}

func TestTheNewestListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		listen := func(who string) *Listener {
			l := Listen(func(name string) bool { return name != CircuitOpened }, func(name string, _ map[string]any) { told = append(told, who+name) })
			l.Begin()
			return l
		}
		emit := func() { ChangeMember("ada", "set", "root", "shell"); synctest.Wait() }
		emit()
		one := listen("1 ")
		emit()
		two := listen("2 ")
		emit()
		Emit(CircuitOpened, func() map[string]any { t.Error("data is made for nobody"); return nil })
		two.Release()
		emit()
		one.Release()
		emit()
		want := []string{"1 member_changed", "2 member_changed", "1 member_changed"}
		if len(told) != 3 || told[0] != want[0] || told[1] != want[1] || told[2] != want[2] {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// A config whose handlers are not yet there hears all the same, and one that is refused before they are leaves what it has heard to the one
// that goes on.
func TestHeardBeforeItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		var asked atomic.Bool
		listen := func(who string) *Listener {
			return Listen(func(name string) bool { asked.Store(true); return name != CircuitOpened }, func(name string, _ map[string]any) { told = append(told, who+name) })
		}
		emit := func() {
			for _, name := range []string{LedgerStopped, CircuitOpened} {
				Emit(name, func() map[string]any { return nil })
			}
			synctest.Wait()
		}
		one := listen("1 ")
		emit()
		if asked.Load() || told != nil {
			t.Errorf("before it has begun it is asked: %t, and tells %q", asked.Load(), told)
		}
		one.Begin()
		synctest.Wait()
		refused := listen("2 ")
		emit()
		refused.Release()
		synctest.Wait()
		one.Release()
		if len(told) != 2 || told[0] != "1 ledger_stopped" || told[1] != told[0] {
			t.Errorf("told %q", told)
		}
	})
}

// What is being queued at the very moment at which its listener goes is told by the one that is left.
func TestQueuedAsItGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		listen := func(who string) *Listener {
			l := Listen(all, func(name string, _ map[string]any) { told = append(told, who+name) })
			l.Begin()
			return l
		}
		one, two := listen("1 "), listen("2 ")
		synctest.Wait()
		Emit(Disputed, func() map[string]any {
			two.Release()
			synctest.Wait()
			return nil
		})
		synctest.Wait()
		if len(told) != 1 || told[0] != "1 disputed" {
			t.Errorf("told %q", told)
		}
		one.Release()
	})
}

// While somebody listens nothing is lost, however often others come and go.
func TestNothingIsLostBetween(t *testing.T) {
	var told atomic.Int64
	one := Listen(all, func(string, map[string]any) { told.Add(1) })
	one.Begin()
	before, done := Dropped(), make(chan struct{})
	go func() {
		defer close(done)
		for range 20_000 {
			l := Listen(all, func(string, map[string]any) { told.Add(1) })
			l.Begin()
			l.Release()
		}
	}()
	emitted := int64(0)
	for going := true; going; emitted++ {
		Emit(Disputed, func() map[string]any { return nil })
		select {
		case <-done:
			going = false
		default:
		}
	}
	one.Release()
	if heard := told.Load() + Dropped() - before; heard > emitted || emitted-heard > Queue+1 { // what waits at the end, and one that is being told
		t.Errorf("%d are told or dropped of %d", heard, emitted)
	}
}
