package command

import (
	"cmp"
	"context"
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// closed says what the ledger of a gateway that is stopped tells. It has been opened, and so its files, its sums and its anchor
// are as they should be.
func (d *diagnosis) closed(ctx context.Context, l *ledger.Ledger, from *source) {
	if from.keyless {
		d.note("The key is not here: tokens and payments, which are encrypted, were not looked into.",
			fmt.Sprintf("Where the gateway is to run, put the key file back as %s; without it the credit is lost. Else say with --key where it is.", market.KeyFile()))
	}
	if missing, _ := l.Anchored(); missing {
		d.note("There is no anchor file of it here, so nobody can tell whether its end is missing, or an older copy was put in its place.",
			"Run this as the user that Caddy runs as. A copy in another directory has none.")
	}
	if free, size, known := l.Room(); known {
		d.disk(from.dir, free, size)
	}
	standing, err := l.Stand(ctx)
	sellers, sellersErr := sellersOf(ctx, l)
	if err != nil || sellersErr != nil {
		d.wrong(fmt.Sprintf("The ledger can't be read: %v", cmp.Or(err, sellersErr)), "See to its disk.")
		return
	}
	if standing.Holds > 0 {
		d.note(fmt.Sprintf("Requests that were under way when the gateway ended: %d.", standing.Holds), "They are booked, as estimates, when it starts.")
	}
	for _, p := range l.OpenPurchases() {
		d.purchase(&p)
	}
	d.disputed(ctx, func(ctx context.Context, q ledger.PurchaseQuery) ([]admin.Purchase, error) {
		return purchasesOf(ctx, l, q)
	})
	losses, _ := l.Losses(ctx) // where it fails, so has what stands above
	for _, s := range sellers {
		d.unconfirmed(shown(s.SellerID), s.UnconfirmedMicros)
		d.losses(shown(s.SellerID), losses[s.SellerID])
	}
}

// purchase tells of one that has not ended.
func (d *diagnosis) purchase(p *ledger.Purchase) {
	what := fmt.Sprintf("Purchase %s of %s dollars at seller %s, begun on %s, is %s", p.ID, cmp.Or(p.AmountMicros, p.AskedMicros), shown(p.Seller),
		p.CreatedAt.UTC().Format("2006-01-02 15:04:05 UTC"), p.State)
	switch p.State {
	case ledger.Prepared:
		if p.Awaits {
			d.awaiting(p.ID, p.AmountMicros, shown(p.Seller), p.UpdatedAt, "Start the gateway, then approve it, or cancel: caddy tokenbuddy purchases approve "+p.ID)
			return
		}
		d.note(what+": no money has left.", "It goes on, or is given up, when the gateway runs.")
	case ledger.NeedsHuman:
		d.wrong(what+": it waits for a human.", "Start the gateway; its doctor then says where and how to help it on.")
	case ledger.Paying, ledger.Proven, ledger.Completing:
		d.wrong(what+": the money may have left, and no token is here.", "Start the gateway: it goes on by itself, with the same key, and is not paid twice.")
	default:
		d.note(what+": no money has left.", "It goes on, or is given up, when the gateway runs.")
	}
}

// littleRoom is when the doctor wants something done: three times as much as remains when the gateway stops (256 MiB), which is
// about 750,000 requests more.
const littleRoom = 1 << 30

const makeRoom = "Make room: below 256 MiB nothing is bought and no request is sent."

// disk warns of a disk that fills up. A size of 0 is not known.
func (d *diagnosis) disk(dir string, free, size uint64) {
	if size == 0 || free >= littleRoom && free >= size/100*5 {
		return
	}
	what := fmt.Sprintf("Only %s of %s are free on the disk of the ledger %s.", humanize.IBytes(free), humanize.IBytes(size), dir)
	if free < littleRoom {
		d.wrong(what, makeRoom)
		return
	}
	d.note(what, makeRoom)
}

// unconfirmed tells of credit that a restored ledger has.
func (d *diagnosis) unconfirmed(seller string, left money.Micros) {
	if left > 0 {
		d.note(fmt.Sprintf("Of what is left at seller %s, %s dollars come from a backup and may have been spent since.", seller, left),
			"It is known as soon as the seller has served a request with them.")
	}
}
