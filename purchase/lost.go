package purchase

import (
	"errors"
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
		if err := m.endUnpaid(d.ctx, ledger.Failed, "go on", "nothing was paid", why); err != nil && d.ctx.Err() == nil {
			d.log.Warn("purchase.failed", append(f.fields(), zap.Error(err))...)
		}
	}
}

// lost is why nobody knows how to go on with the purchase; nil where that is not so. The shelf's mu is held.
func (f *flight) lost() *lostError {
	if e, ok := errors.AsType[*lostError](f.doubt); ok {
		return e
	}
	return nil
}
