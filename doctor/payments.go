package doctor

import (
	"cmp"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

const (
	// clockOff is by how many seconds our clock and a chain's may differ before authorizations become too short or too long.
	clockOff = 5
	// chainStale is how many seconds old a chain's newest block may be.
	chainStale = 60
	// humanWaited is how long a purchase may wait for approval before that is wrong.
	humanWaited = time.Hour
	// disputeNews is how long the doctor tells of a purchase that was paid and not granted.
	disputeNews = 7 * 24 * time.Hour
)

// payment says how a wallet stands. amount is that of a purchase.
func (d *Diagnosis) payment(p *purchase.PaymentStanding, amount money.Micros) {
	name := "payment " + plain.Name(p.Method)
	if p.Network != "" {
		name += " on " + plain.Name(p.Network)
	}
	for _, w := range p.Warnings {
		d.Note("Of "+name+": "+plain.Words(w)+".", "See docs/payments.md.")
	}
	if p.Error != "" {
		d.Wrong("How "+name+" stands is not known: "+plain.Words(p.Error),
			"Purchases that it has paid may stay in doubt meanwhile. See to its RPC, or program.")
		return
	}
	if p.MissingMicros > 0 {
		d.Wrong(fmt.Sprintf("From the wallets of payment %s %s dollars more have left than the books know, as was first seen at %s.", plain.Name(p.Method),
			p.MissingMicros, p.MissingSince.UTC().Format("2006-01-02 15:04")),
			"If an older backup was restored, that is what was bought after it was made: it is missing in the limits, too. If you have taken it out "+
				"yourself, all is well. Else somebody has the key: take the rest out, and use another. The doctor tells of it for a week.")
	}
	switch b := p.BalanceMicros; {
	case b == nil:
	case *b <= 0:
		d.Wrong(fmt.Sprintf("The wallet of %s is empty.", name), "Nothing can be bought with it. Send money to "+plain.Name(p.Address)+".")
	case *b < amount:
		d.Note(fmt.Sprintf("In the wallet of %s are %s dollars, which is less than a purchase of %s.", name, *b, amount),
			"Send money to "+plain.Name(p.Address)+", or lower the amount of a purchase.")
	}
	switch behind := p.ChainBehindSeconds; {
	case behind == nil:
	case *behind < -clockOff:
		d.Wrong(fmt.Sprintf("The clock of this machine is at least %d seconds behind the chain of %s.", -*behind, name),
			"Authorizations end too early by so much. Set the clock, with NTP.")
	case *behind > chainStale:
		d.Wrong(fmt.Sprintf("The newest block of %s is %d seconds old by the clock of this machine.", name, *behind),
			"Its RPC is behind, or the clock is ahead. What became of payments is not known until that is mended.")
	}
}

// Awaiting tells of a purchase that waits for a human.
func (d *Diagnosis) Awaiting(id string, amount money.Micros, seller string, since time.Time, hint string) {
	waited := time.Since(since).Round(time.Minute)
	what := fmt.Sprintf("Purchase %s of %s dollars at seller %s waits for approval, for %s.", id, amount, seller, waited)
	if waited >= humanWaited {
		d.Wrong(what, hint)
		return
	}
	d.Note(what, hint)
}

// Disputes tells of the purchases that were paid and not granted.
func (d *Diagnosis) Disputes(rows []admin.Purchase, now time.Time) {
	for _, p := range rows {
		if now.Sub(p.UpdatedAt) > disputeNews {
			continue
		}
		called := ""
		if r := cmp.Or(p.Reference, p.PaymentReference); r != "" {
			called = " (" + plain.Whole(r) + ")"
		}
		d.Wrong(fmt.Sprintf("Purchase %s of %s dollars at seller %s was paid%s and not granted: %s", p.PurchaseID, p.AmountMicros, plain.Name(p.SellerID), called, plain.Words(p.Failure)),
			"Ask the seller. What comes back is booked with caddy tokenbuddy purchases refund "+p.PurchaseID+" <usd> --reference <transaction>. "+
				"The doctor tells of it for a week.")
	}
}
