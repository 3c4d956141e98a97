package purchase

import (
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// NamedMethod is a method with the name that sellers know it by.
type NamedMethod struct {
	Name   string
	Method payment.Method
}

// methods are the payment methods that configs have loaded, by name.
type methods struct {
	desk *Desk

	mu     sync.Mutex // protects all following fields
	names  map[string]*methodName
	warned map[string]time.Time // by name: when it was last logged that it misbehaves
}

// methodName is what there is of one name.
type methodName struct {
	instances []*instance // the oldest first
	purchases int         // that are under way
}

// instance is one loaded method.
type instance struct {
	method    payment.Method
	cleanup   func()
	calls     int
	withdrawn bool
}

// Offer has a payment method be the one of its name from now on, also for purchases that are under way. withdraw says that the
// config that it was loaded for has gone; cleanup, which may be nil, is called once when nothing uses it any more: no call of it is
// out, and a newer one is there or no purchase by that method is under way.
func (d *Desk) Offer(m NamedMethod, cleanup func()) (withdraw func()) {
	in := &instance{method: m.Method, cleanup: cleanup}
	d.methods.mu.Lock()
	n := d.methods.of(m.Name)
	n.instances = append(n.instances, in)
	d.methods.mu.Unlock()
	d.methods.tidy(m.Name)
	d.spent.freed(m.Name)
	return func() {
		d.methods.mu.Lock()
		in.withdrawn = true
		d.methods.mu.Unlock()
		d.methods.tidy(m.Name)
	}
}

// of gives what there is of a name. ms.mu is held.
func (ms *methods) of(name string) *methodName {
	n := ms.names[name]
	if n == nil {
		n = new(methodName)
		ms.names[name] = n
	}
	return n
}

// use gives the newest instance of a method until release is called: one whose config is in force, else the last one; else the
// one at hand, that nobody has offered.
func (ms *methods) use(at NamedMethod) (m payment.Method, release func()) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	n := ms.of(at.Name)
	in := n.newest()
	if in == nil {
		return at.Method, func() {}
	}
	in.calls++
	return in.method, func() {
		ms.mu.Lock()
		in.calls--
		ms.mu.Unlock()
		ms.tidy(at.Name)
	}
}

// offers tells whether a config that is in force has a method of that name.
func (ms *methods) offers(name string) bool {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	n := ms.names[name]
	return n != nil && slices.ContainsFunc(n.instances, func(in *instance) bool { return !in.withdrawn })
}

func (n *methodName) newest() (in *instance) {
	for _, i := range n.instances {
		if in == nil || !i.withdrawn || in.withdrawn {
			in = i
		}
	}
	return in
}

// purchase counts the purchases under way.
func (ms *methods) purchase(name string, n int) {
	ms.mu.Lock()
	ms.of(name).purchases += n
	ms.mu.Unlock()
	ms.tidy(name)
}

// tidy lets go of the instances that nothing uses any more.
func (ms *methods) tidy(name string) {
	ms.mu.Lock()
	n := ms.of(name)
	newest := n.newest()
	var kept []*instance
	var gone []func()
	for _, in := range n.instances {
		if needed := in == newest && n.purchases > 0; !in.withdrawn || in.calls > 0 || needed {
			kept = append(kept, in)
		} else if in.cleanup != nil {
			gone = append(gone, in.cleanup)
		}
	}
	n.instances = kept
	if len(kept) == 0 && n.purchases == 0 {
		delete(ms.names, name)
	}
	ms.mu.Unlock()
	for _, cleanup := range gone {
		ms.end(name, cleanup)
	}
}

// end cleans up a method that nothing uses any more, and does not wait for one that takes its time.
func (ms *methods) end(name string, cleanup func()) {
	switch out := guestcall.End(cleanup); out.Fault {
	case "":
	case guestcall.Blocked:
		ms.fault(name, "cleanup", out.Fault, nil)
	case guestcall.Panicked, guestcall.Exited:
		ms.fault(name, "cleanup", faultCleanup, out.Stack)
	}
}

func (ms *methods) fault(name, step string, fault guestcall.Fault, stack []byte) {
	if f := ms.desk.observer.Guest; f != nil {
		f(name, step, string(fault))
	}
	now := time.Now()
	ms.mu.Lock()
	last, told := ms.warned[name]
	if told && now.Sub(last) < time.Minute {
		ms.mu.Unlock()
		return
	}
	ms.warned[name] = now
	ms.mu.Unlock()
	fields := []zap.Field{zap.String("method", name), zap.String("step", step), zap.String("fault", string(fault))}
	if len(stack) > 0 {
		fields = append(fields, zap.ByteString("stack", stack))
	}
	ms.desk.log.Warn("payment.method.misbehaved", fields...)
}
