package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

const (
	// shipLate is how many seconds entries may wait to be shipped.
	shipLate = 60
	// storeClockOff is by how many seconds the clock of a fleet's store may differ from ours.
	storeClockOff = 5
)

// Fleet says how the fleet of a gateway stands; nil: it is in none.
func (d *Diagnosis) Fleet(f *admin.Fleet) {
	if f == nil {
		return
	}
	if !f.Here.StoreUp {
		d.Wrong("The fleet's store is away"+because(f.Here.StoreError)+".", "What is set aside for this gateway is spent meanwhile; then clients get 503, "+
			"and nothing is bought beyond purchase_ahead. See to the database, and to the way there.")
	}
	if f.Here.Fenced {
		d.Wrong("This gateway is fenced by its fleet, and serves nobody who has a budget: another process speaks for it, it was forgotten, or its directory is not the newest.",
			"The log has the reason under fleet.fenced. End the process on a copy of its directory, or put the newest directory back, and start this one again; "+
				"where it was forgotten, with an empty ledger.")
	}
	if f.Here.OtherKey {
		d.Wrong("The fleet's tokens are sealed with another key than this gateway's: it shares none, and buys its own.",
			"Give all gateways with tokens shared the same key in ledger, and restart this one. A ledger that was made with another key has to begin anew.")
	}
	if late := f.Here.LagSeconds; late > shipLate && f.Here.StoreUp {
		d.Wrong(fmt.Sprintf("Entries have been waiting for %s to be shipped to the fleet: %d of %d are.", roughly(time.Duration(late*float64(time.Second))),
			f.Here.Shipped, f.Here.Entries), "They are safe in the ledger. The log has the reason under fleet.books.waiting or fleet.books.forked.")
	}
	d.silent(f)
	if others := f.Differing(); len(others) > 0 {
		d.Wrong("The limits in the configs of these gateways of the fleet are others than in this one's: "+strings.Join(others, ", ")+".",
			"Each goes by its own, so that the largest budget is what can be spent. Give all the same members, groups, budgets and purchase limits.")
	}
	d.engine(f.Engine)
}

// because is a reason in a sentence, if there is one.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + plain.Words(reason)
}

// silent tells of gateways that have said nothing for a while, and no goodbye.
func (d *Diagnosis) silent(f *admin.Fleet) {
	var newest time.Time // near the store's own time, by which all of them are
	for i := range f.Gateways {
		if seen := f.Gateways[i].Seen; seen.After(newest) {
			newest = seen
		}
	}
	for i := range f.Gateways {
		g := &f.Gateways[i]
		if !g.Silent {
			continue
		}
		called := plain.Name(g.Gateway)
		if g.Name != "" {
			called = plain.Name(g.Name)
		}
		d.Wrong(fmt.Sprintf("Gateway %s of the fleet has said nothing for %s, and keeps %s dollars of budgets.", called, roughly(newest.Sub(g.Seen)), g.StrandedMicros),
			"Start it again: what it keeps comes back then, else when the period ends. Where its disk is gone: caddy tokenbuddy fleet forget "+plain.Name(g.Gateway)) // a name may be that of the one that took its place, too
	}
}

// engine judges how the engine of a fleet is set up; nil: nobody knows.
func (d *Diagnosis) engine(e *admin.FleetEngine) {
	if e == nil {
		return
	}
	if e.Error != "" {
		d.Note("How the fleet's store is set up can't be asked: "+plain.Words(e.Error), "So nobody can say here whether a failover would forget anything.")
		return
	}
	const replicate = "See docs/fleet.md, PostgreSQL that loses nothing."
	switch {
	case e.Quorum:
	case e.Synchronous && e.Standbys == 0:
		d.Wrong("The fleet's store waits for a synchronous standby, and none follows it: no change is acknowledged.",
			"Bring a standby back. "+replicate)
	case e.Synchronous:
	case e.Standbys > 0:
		d.Note("The fleet's store has a standby that is asynchronous: a failover forgets what it had not received yet.",
			"What was set aside in that moment is told again by each gateway; what one has that is cut off meanwhile can be spent twice. "+
				"Set synchronous_standby_names. "+replicate)
	default:
		d.Note("The fleet's store has no standby: without its disk, what the gateways have spent is in their own ledgers alone.",
			"Back it up, or give it a synchronous standby. "+replicate)
	}
	for _, weak := range e.Weak {
		d.Wrong("Of the fleet's store "+plain.Words(weak)+": a crash of its machine can lose what it has acknowledged.", "Then money is set aside twice. Switch it on.")
	}
	if off := e.ClockAheadSeconds; off > storeClockOff || off < -storeClockOff {
		where := "ahead of"
		if off < 0 {
			where, off = "behind", -off
		}
		d.Wrong(fmt.Sprintf("The clock of the fleet's store is %d seconds %s this machine's.", int(off), where),
			"Around midnight a gateway whose clock is wrong spends another day's budget. Set both, with NTP.")
	}
}
