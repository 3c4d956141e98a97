package command

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/doctor"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

// examineClosed says what the ledger of a gateway that is stopped tells. It has been opened, and so its files, its sums and its anchor
// are as they should be.
func examineClosed(ctx context.Context, d *checkup, l *ledger.Ledger, from *source) {
	if from.keyless {
		d.Note("The key is not here: tokens and payments, which are encrypted, were not looked into.",
			fmt.Sprintf("Where the gateway is to run, put the key file back as %s; without it the credit is lost. Else say with --key where it is.", market.KeyFile()))
	}
	if missing, _ := l.Anchored(); missing {
		d.Note("There is no anchor file of it here, so nobody can tell whether its end is missing, or an older copy was put in its place.",
			"Run this as the user that Caddy runs as. A copy in another directory has none.")
	}
	if free, size, known := l.Room(); known {
		d.Disk(from.dir, free, size)
	}
	standing, err := l.Stand(ctx)
	sellers, sellersErr := sellersOf(ctx, l)
	if err != nil || sellersErr != nil {
		d.Wrong(fmt.Sprintf("The ledger can't be read: %v", cmp.Or(err, sellersErr)), "See to its disk.")
		return
	}
	if standing.Holds > 0 {
		d.Note(fmt.Sprintf("Requests that were under way when the gateway ended: %d.", standing.Holds), "They are booked, as estimates, when it starts.")
	}
	open := l.OpenPurchases()
	recovery := admin.Recovery(standing, open)
	d.Recovery = &recovery
	for _, p := range open {
		openPurchase(d.Diagnosis, &p)
	}
	disputed(ctx, d.Diagnosis, func(ctx context.Context, q ledger.PurchaseQuery) ([]admin.Purchase, error) {
		return purchasesOf(ctx, l, q)
	})
	d.Archives("", archiveProblems(ctx, l))
	losses, _ := l.Losses(ctx) // where it fails, so has what stands above
	for _, s := range sellers {
		d.Unconfirmed(plain.Name(s.SellerID), s.UnconfirmedMicros)
		d.Losses(plain.Name(s.SellerID), losses[s.SellerID])
	}
}

// archiveProblems says what is wrong with archive files.
func archiveProblems(ctx context.Context, l *ledger.Ledger) (problems []string) {
	all, err := l.Archives(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	for i := range all {
		if all[i].Problem != "" {
			problems = append(problems, all[i].Problem)
		}
	}
	return problems
}

// openPurchase tells of one that has not ended.
func openPurchase(d *doctor.Diagnosis, p *ledger.Purchase) {
	what := fmt.Sprintf("Purchase %s of %s dollars at seller %s, begun on %s, is %s", p.ID, cmp.Or(p.AmountMicros, p.AskedMicros), plain.Name(p.Seller),
		p.CreatedAt.UTC().Format("2006-01-02 15:04:05 UTC"), p.State)
	switch p.State {
	case ledger.Prepared:
		if p.Awaits {
			d.Awaiting(p.ID, p.AmountMicros, plain.Name(p.Seller), p.UpdatedAt, "Start the gateway, then approve it, or cancel: caddy tokenbuddy purchases approve "+p.ID)
			return
		}
		d.Note(what+": no money has left.", "It goes on, or is given up, when the gateway runs.")
	case ledger.NeedsHuman:
		d.Wrong(what+": it waits for a human.", "Start the gateway; its doctor then says where and how to help it on.")
	case ledger.Paying, ledger.Proven, ledger.Completing:
		d.Wrong(what+": the money may have left, and no token is here.", "Start the gateway: it goes on by itself, with the same key, and is not paid twice.")
	default:
		d.Note(what+": no money has left.", "It goes on, or is given up, when the gateway runs.")
	}
}

// disputed asks the books for such purchases.
func disputed(ctx context.Context, d *doctor.Diagnosis, ask func(context.Context, ledger.PurchaseQuery) ([]admin.Purchase, error)) {
	rows, err := ask(ctx, ledger.PurchaseQuery{Disputed: true})
	if err != nil {
		d.Wrong("The purchases can't be read: "+err.Error(), "See to the ledger's disk.")
		return
	}
	d.Disputes(rows, time.Now())
}
