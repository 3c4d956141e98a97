package purchase

import (
	"fmt"
	"time"
)

// How a purchase finds the way to its seller: that is what a config knows, and one that an earlier process has left waits for it.

// findSeller waits until it is known how to reach the seller; false when the desk is closed before, or an operator has ended the
// purchase.
func (f *flight) findSeller() bool {
	s := f.shelf
	lost := time.NewTimer(lostFor)
	defer lost.Stop()
	for {
		changed := s.desk.change()
		asked := f.lookForSeller()
		select {
		case <-f.known:
			return true
		case <-s.desk.ctx.Done():
			f.close()
			return false
		case o := <-f.orders:
			f.alone(func() {
				err := f.obey(s.desk.ctx, o)
				f.show()
				o.done <- err
			})
		case <-changed:
		case <-lost.C:
			if lost.Reset(lostFor); asked {
				f.alone(f.giveUp)
			}
		}
		if f.machine.p.State.Ended() {
			f.land()
			return false
		}
	}
}

// lookForSeller asks the configs how to reach the seller. It tells whether any can be asked.
func (f *flight) lookForSeller() bool {
	s := f.shelf
	// Without terms no limit is known, and the purchase would fail for it.
	if s.desk.resolve == nil || s.desk.terms.Load().Amount <= 0 {
		return false
	}
	w, ok := s.desk.resolve(f.machine.p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		f.meet(w, time.Now())
	} else if !f.met() {
		f.doubt = &lostError{"no config and no registry names its seller, " + s.seller.id + " at " + s.seller.origin + ", now"}
	}
	return true
}

// met tells whether the machine knows how to reach its seller.
func (f *flight) met() bool {
	select {
	case <-f.known:
		return true
	default:
		return false
	}
}

// alone runs do while nobody else tells the machine how to reach its seller.
func (f *flight) alone(do func()) {
	busy := func(now bool) {
		f.shelf.mu.Lock()
		f.busy = now
		f.shelf.mu.Unlock()
	}
	busy(true)
	do()
	busy(false)
}

// meet tells the machine how to reach its seller, if it does not know yet and the purchase's method is still there. The
// shelf's mu is held.
func (f *flight) meet(w Want, now time.Time) {
	if f.met() || f.busy {
		return
	}
	if f.machine.reach(w) {
		f.since, f.doubt = now, nil
		close(f.known)
		return
	}
	f.doubt = &lostError{fmt.Sprintf("the payment method %q of that purchase is not configured for the seller any more", f.method)}
}

// reach takes over how to reach the seller, and the method, if it is among those there.
func (m *machine) reach(w Want) bool {
	for _, named := range w.Methods {
		if named.Name == m.p.Method {
			m.want, m.guest.NamedMethod = w, named
			return true
		}
	}
	return false
}

// refresh learns of the newest config's way to the seller.
func (f *flight) refresh() {
	if r := f.shelf.desk.resolve; r != nil {
		if w, ok := r(f.machine.p); ok {
			f.machine.reach(w)
		}
	}
}
