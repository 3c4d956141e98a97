// Package events hands what operators may want to hear of at once to whoever listens, and lets nobody wait for that: what happens is
// queued, a goroutine of the config's own tells it, and what finds the queue full is counted and dropped.
package events

import (
	"slices"
	"sync"
	"sync/atomic"
)

// The events' names.
const (
	PurchaseFailed = "purchase_failed"
	BudgetWarning  = "budget_warning"
	BudgetSpent    = "budget_spent"
	CircuitOpened  = "circuit_opened"
	Overbilled     = "overbilled"
	Disputed       = "disputed"
	LedgerStopped  = "ledger_stopped"
	MemberChanged  = "member_changed"
	FleetAway      = "fleet_away"
	FleetBack      = "fleet_back"
	FleetFenced    = "fleet_fenced"
	FleetForgotten = "fleet_forgotten"
)

// Names are all of them.
var Names = []string{
	PurchaseFailed, BudgetWarning, BudgetSpent, CircuitOpened, Overbilled, Disputed, LedgerStopped, MemberChanged, FleetAway, FleetBack, FleetFenced, FleetForgotten,
}

// Queue is how many events wait at most for those before them to be told.
const Queue = 256

// event is one that has happened.
type event struct {
	name string
	data map[string]any
}

// listener is a config that tells events.
type listener struct {
	wants func(name string) bool
	queue chan event
}

var (
	mu        sync.Mutex // protects listeners, and newest while it changes
	listeners []*listener
	newest    atomic.Pointer[listener] // nil: nobody listens
	dropped   atomic.Int64
)

// Listen has tell hear of each event that wants says yes to, one after another, until release is called: of several configs the newest
// listens. Data is tell's own. wants must be quick; tell may take its time.
func Listen(wants func(name string) bool, tell func(name string, data map[string]any)) (release func()) {
	l := &listener{wants, make(chan event, Queue)}
	gone := make(chan struct{})
	go func() {
		for {
			select {
			case e := <-l.queue:
				tell(e.name, e.data)
			case <-gone:
				return
			}
		}
	}()
	mu.Lock()
	defer mu.Unlock()
	listeners = append(listeners, l)
	newest.Store(l)
	return sync.OnceFunc(func() {
		close(gone)
		mu.Lock()
		defer mu.Unlock()
		listeners = slices.DeleteFunc(listeners, func(o *listener) bool { return o == l })
		newest.Store(nil)
		if n := len(listeners); n > 0 {
			newest.Store(listeners[n-1])
		}
	})
}

// Emit queues an event, and never waits. The data, of texts, numbers and booleans, is made where somebody wants it; it has no secret in it.
func Emit(name string, data func() map[string]any) {
	l := newest.Load()
	if l == nil || !l.wants(name) {
		return
	}
	select {
	case l.queue <- event{name, data()}:
	default:
		dropped.Add(1)
	}
}

// Dropped is how many events were dropped, as too many waited.
func Dropped() int64 { return dropped.Load() }

// ChangeMember tells that a member was changed at run time: what was done (add, set, enable, disable, rotate, raise, remove), who has, and from where.
func ChangeMember(member, change, by, from string) {
	Emit(MemberChanged, func() map[string]any {
		return map[string]any{"member": member, "change": change, "by": by, "from": from}
	})
}
