package doctor

import (
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// maxSellers is how many sellers of a kind are named.
const maxSellers = 10

// more counts those that are not.
func (d *Diagnosis) more(all int, what string) {
	if all > maxSellers {
		d.Note(fmt.Sprintf("Sellers that %s: %d more.", what, all-maxSellers), "All of them are listed by caddy tokenbuddy sellers")
	}
}

// paused names the sellers that an operator has paused.
func (d *Diagnosis) paused(entries []routing.PoolEntry) {
	all := 0
	for _, e := range entries {
		if !e.Paused {
			continue
		}
		if all++; all <= maxSellers {
			d.Note(fmt.Sprintf("Seller %s (%s) is paused and gets no requests.", plain.Name(e.SellerID), plain.Name(e.URL)),
				"To send it requests again: caddy tokenbuddy sellers resume "+plain.Name(e.SellerID))
		}
	}
	d.more(all, "are paused and get no requests")
}

func (d *Diagnosis) circuits(entries []routing.PoolEntry, now time.Time) {
	open, met := 0, 0
	for _, e := range entries {
		if e.Gone { // nobody asks there, well or not
			continue
		}
		if e.LastSuccessAt != nil || e.LastFailAt != nil {
			met++
		}
		if e.Circuit == routing.CircuitClosed {
			continue
		}
		if open++; open > maxSellers {
			continue
		}
		due := "with one of the next requests"
		if e.DueAt != nil && e.DueAt.After(now) {
			due = "in " + e.DueAt.Sub(now).Round(time.Second).String()
		}
		d.Note(fmt.Sprintf("Seller %s (%s) gets no requests: it failed %d times in a row.", plain.Name(e.SellerID), plain.Name(e.URL), e.ConsecutiveFailures),
			"It is tried again by itself, "+due+".")
	}
	d.more(open, "failed and get no requests")
	if open > 0 && open == met {
		d.Wrong("No seller that was dealt with is well.", "Check this machine's own network first, then the log for what the sellers answer.")
	}
}

func (d *Diagnosis) seller(s *purchase.SellerCredit) {
	id := plain.Name(s.SellerID)
	switch {
	case s.NoMoreMoney && s.LostMicros == 0:
		d.Wrong(fmt.Sprintf("Seller %s gets no more money: it was paid for a token that it has not granted.", id),
			"Ask the seller. To buy there again: caddy tokenbuddy sellers forgive "+id)
	case s.NoMoreMoney:
		d.Wrong(fmt.Sprintf("Seller %s gets no more money: its last two tokens served next to nothing, and %s dollars of them are lost.", id, s.LostMicros),
			"Ask the seller. To buy there again: caddy tokenbuddy sellers forgive "+id)
	}
	if s.PayeeChanged {
		d.Wrong(fmt.Sprintf("Seller %s wants somebody else paid than before: nothing is bought there by the payment method that says so.", id),
			"Ask the seller, by another way than its own pages. If it is right, name the new payee in the payment subdirective.")
	}
	d.Unconfirmed(id, s.UnconfirmedMicros)
	if s.Open == nil || s.Open.Doubt == "" {
		return
	}
	if s.Open.Awaits {
		d.Awaiting(s.Open.PurchaseID, s.Open.AmountMicros, id, s.Open.UpdatedAt, s.Open.Hint)
		return
	}
	todo := "It goes on by itself, with the same key, and is not paid twice; nothing else is bought there meanwhile."
	if s.Open.Hint != "" {
		todo = s.Open.Hint
	}
	if s.Open.Link != "" {
		todo += " " + s.Open.Link
	}
	called := ""
	if s.Open.Reference != "" {
		called = " (" + plain.Whole(s.Open.Reference) + ")"
	}
	what := fmt.Sprintf("Purchase %s of %s dollars at seller %s%s is in doubt: %s", s.Open.PurchaseID, s.Open.AmountMicros, id, called, s.Open.Doubt)
	if waited := time.Since(s.Open.UpdatedAt); s.Open.State == string(ledger.NeedsHuman) && waited >= humanWaited {
		what += fmt.Sprintf(", for %s", waited.Round(time.Minute))
	}
	d.Wrong(what, todo)
}

// Losses tells what a seller has taken that nobody was served for.
func (d *Diagnosis) Losses(id string, l ledger.Losses) {
	if l.DisputedMicros > 0 {
		d.Note(fmt.Sprintf("Seller %s has taken %s dollars that are in dispute: for nothing, above its price, or more than can be true.", id, l.DisputedMicros),
			"The entries of kind dispute and those flagged overbilled have both figures: show them to the seller. It is asked after the others meanwhile.")
	}
	if l.AdjustmentMicros > 0 {
		d.Note(fmt.Sprintf("Balances that seller %s reported have taken %s dollars that no request explains.", id, l.AdjustmentMicros),
			"Ask the seller what for: the entries of kind adjustment have the times.")
	}
}
