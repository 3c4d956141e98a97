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
	PurchaseFailed  = "purchase_failed"
	PurchaseInDoubt = "purchase_in_doubt"
	BudgetWarning   = "budget_warning"
	BudgetSpent     = "budget_spent"
	CircuitOpened   = "circuit_opened"
	Overbilled      = "overbilled"
	Disputed        = "disputed"
	LedgerStopped   = "ledger_stopped"
	MemberChanged   = "member_changed"
	Fleet           = "fleet_" // and what has happened there
)

// Queue is how many events wait at most for those before them to be told.
const Queue = 256

// event is one that has happened.
type event struct {
	name string
	data map[string]any
}

// Listener is a config that tells events.
type Listener struct {
	wants       func(name string) bool
	queue       chan event
	begun, gone chan struct{}
	begin, end  func()
}

var (
	mu        sync.Mutex // protects listeners, and newest while it changes
	listeners []*Listener
	newest    atomic.Pointer[Listener] // nil: nobody listens
	dropped   atomic.Int64
)

// Listen queues events from now on, of several listeners for the newest. Once it has begun, and until it is released, tell hears of each that
// wants says yes to, one after another; neither is called before. Data is tell's own. wants must be quick; tell may take its time.
func Listen(wants func(name string) bool, tell func(name string, data map[string]any)) *Listener {
	l := &Listener{wants: wants, queue: make(chan event, Queue), begun: make(chan struct{}), gone: make(chan struct{})}
	l.begin = sync.OnceFunc(func() { close(l.begun) })
	l.end = sync.OnceFunc(l.leave)
	go l.tell(tell)
	mu.Lock()
	defer mu.Unlock()
	listeners = append(listeners, l)
	newest.Store(l)
	return l
}

// Begin has the listener tell what it hears, and what it has heard until now.
func (l *Listener) Begin() { l.begin() }

// Release ends a listener. What it has not told the newest of the others does.
func (l *Listener) Release() { l.end() }

func (l *Listener) tell(tell func(name string, data map[string]any)) {
	select {
	case <-l.begun:
	case <-l.gone:
		return
	}
	for {
		select {
		case e := <-l.queue:
			if l.wants(e.name) { // was not asked before it began
				tell(e.name, e.data)
			}
		case <-l.gone:
			return
		}
	}
}

func (l *Listener) leave() {
	mu.Lock()
	listeners = slices.DeleteFunc(listeners, func(o *Listener) bool { return o == l })
	var next *Listener
	if n := len(listeners); n > 0 {
		next = listeners[n-1]
	}
	newest.Store(next) // at once: there is no moment without one
	mu.Unlock()
	close(l.gone) // once it is the newest no more
	l.handOver()
}

// handOver gives what a listener that is gone has not told to the newest of the others.
func (l *Listener) handOver() {
	for {
		select {
		case e := <-l.queue:
			Emit(e.name, func() map[string]any { return e.data })
		default:
			return
		}
	}
}

// hears tells whether an event is to be queued.
func (l *Listener) hears(name string) bool {
	select {
	case <-l.begun:
		return l.wants(name)
	default:
		return true
	}
}

// Emit queues an event, and never waits. The data, of texts, numbers and booleans, is made where somebody may want it; it has no secret in it.
func Emit(name string, data func() map[string]any) {
	l := newest.Load()
	if l == nil || !l.hears(name) {
		return
	}
	select {
	case l.queue <- event{name, data()}:
	default:
		dropped.Add(1)
		return
	}
	select {
	case <-l.gone: // in between: what it has left was handed over before this came
		l.handOver()
	default:
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
