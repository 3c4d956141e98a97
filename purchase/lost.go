package purchase

import (
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// lostFor is how long a purchase of an earlier process waits for a config or a registry that names its seller and has its payment
// method. Then one by which nothing was paid is given up, and of another one the operator is told.
const lostFor = 10 * time.Minute

// lostError says that nobody knows how to go on with a purchase: its seller or its payment method is not there any more.
type lostError struct{ what string }

func (e *lostError) Error() string { return e.what }

// lostHint says what to do about a purchase that nobody knows how to go on with.
func (f *flight) lostHint(state ledger.PurchaseState) string {
	if !mayHaveLeft(state) {
		return "Nothing was paid. Bring that back, and it goes on by itself; else it ends by itself, ten minutes after the start."
	}
	return "Bring that back, and it goes on by itself and is not paid twice. Else look at the wallet, the bank's page or the program that pays whether " +
		"it was paid, and say so: caddy tokenbuddy purchases settle " + f.id + " --paid, or --unpaid"
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
		f.doubt = &lostError{"no config and no registry names its seller, " + s.seller.sellerID + " at " + s.seller.origin + ", now"}
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

// giveUp ends a purchase that nobody knows how to go on with, where nothing was paid; of another one it tells the operator.
func (f *flight) giveUp() {
	m, d := f.machine, f.shelf.desk
	f.shelf.mu.Lock()
	why := f.lost()
	f.shelf.mu.Unlock()
	switch {
	case why == nil: // somebody knows by now
	case mayHaveLeft(m.p.State):
		if !f.told { // it is asked after every ten minutes
			f.tellDoubt(why)
		}
	default:
		if err := m.end(d.ctx, ledger.Failed, true, "go on", "nothing was paid", why); err != nil && d.ctx.Err() == nil {
			d.log.Warn("purchase.failed", append(f.fields(), zap.Error(err))...)
		}
	}
}

// tellDoubt tells the operator of a purchase that does not go on as it should. An observer hears of each once; the log also where another
// doubt follows an approval.
func (f *flight) tellDoubt(why error) {
	d := f.shelf.desk
	f.shelf.mu.Lock()
	o := f.look()
	f.shelf.mu.Unlock()
	fields, hint := append(f.fields(), zap.Error(why)), o.Hint
	if o.Link != "" { // who has it may approve of the payment: it stands in no log
		hint = strings.TrimPrefix(hint+"; its link: caddy tokenbuddy purchases show "+f.id, "; ")
	}
	if hint != "" {
		fields = append(fields, zap.String("hint", hint))
	}
	d.log.Warn("purchase.in_doubt", fields...)
	if d.observer.Doubted != nil && !f.told {
		d.observer.Doubted(f.machine.p, why, hint)
	}
	f.told = true
}

// lost is why nobody knows how to go on with the purchase; nil where that is not so. The shelf's mu is held.
func (f *flight) lost() *lostError {
	if e := new(lostError); errors.As(f.doubt, &e) {
		return e
	}
	return nil
}
