package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Gateway says what the status of a gateway tells.
func (d *Diagnosis) Gateway(status *admin.Status, now time.Time) {
	d.ledger(&status.Ledger)
	registries := status.Registries
	if len(registries) == 0 && status.Registry.URL != "" {
		registries = []routing.RegistryStatus{status.Registry}
	}
	for _, r := range registries {
		d.registry(&r)
	}
	if s := status.Selection; s != nil {
		d.Note(fmt.Sprintf("The selection %s is put over the Caddyfile's, also after a restart.", SelectionWords(s)),
			"To give the Caddyfile's back: DELETE /tokenbuddy/selection on the admin endpoint.")
	}
	d.unserved(status.Unserved)
	d.certificates(status.Certificates, now)
	d.paused(status.Pool.Entries)
	d.circuits(status.Pool.Entries, now)
	d.accounts(status.Pool.Entries)
	for _, s := range status.Credit.Sellers {
		d.seller(&s)
	}
	for _, p := range status.Payments {
		d.payment(&p, status.Credit.AmountMicros)
	}
	for _, id := range slices.Sorted(maps.Keys(status.Losses)) {
		d.Losses(plain.Name(id), status.Losses[id])
	}
	d.unpriced(status.Unpriced)
	for _, l := range status.UnreadLists {
		d.Wrong(fmt.Sprintf("The list of models of seller %s can't be read: %s.", plain.Name(l.SellerID), plain.Words(l.Error)),
			"The one that was read last holds meanwhile, if there is one; what stands in none is not found. See to models from, and to the account there.")
	}
	for _, fault := range status.RefusedSecrets {
		d.Wrong("A file of a secret can't be used: "+plain.Words(fault)+".",
			"What was read before goes on until the gateway ends, and its next start would be refused. Mend the file.")
	}
	for _, model := range status.Unlisted {
		d.Note("The seller's own list has no model "+plain.Name(model)+".", "Is it mistyped after price or model, or gone there?")
	}
	for _, id := range status.UnknownSellers {
		d.Wrong(fmt.Sprintf("There is no seller %s, which default_seller or selection manual names.", plain.Name(id)),
			"Is it mistyped? caddy tokenbuddy sellers lists those that there are. With selection manual every request is refused.")
	}
	if !status.NothingBought {
		d.limits(status)
	}
}

// limits warns of those on purchases.
func (d *Diagnosis) limits(status *admin.Status) {
	aside := money.Micros(0) // what other gateways have set aside, of which the fleet's finding tells
	if f := status.Fleet; f != nil {
		aside = f.AsideMicros - f.OwnAsideMicros
	}
	amount := status.Credit.AmountMicros
	d.limit("daily_limit", status.Credit.DailyLimit, status.Credit.DayMicros, aside, amount, "at midnight UTC")
	session := "when the process starts again"
	if status.Fleet != nil {
		session = "by caddy tokenbuddy fleet session new"
		d.aside(&status.Credit, status.Fleet)
	}
	d.limit("session_limit", status.Credit.SessionLimit, status.Credit.SessionMicros, aside, amount, session)
}

func (d *Diagnosis) ledger(s *admin.LedgerStatus) {
	if !s.OK {
		d.Wrong(fmt.Sprintf("The ledger %s takes no entries: %s", s.Dir, s.Error),
			"No request is served before that is mended. See to its disk; after a failed commit, restart the gateway.")
	} else {
		d.Disk(s.Dir, s.FreeBytes, s.SizeBytes)
	}
	if s.AnchorError != "" {
		d.Wrong("The anchor file of the ledger can't be written: "+s.AnchorError,
			"Make its directory writable for the user that Caddy runs as. Without it nobody can tell when the ledger has lost its end.")
	}
	if a := s.Archive; a != nil {
		d.Archives(a.Error, a.Problems)
	}
	if s.AnchorMissing {
		d.Note("There was a ledger when the gateway started, and no anchor file of it, so nobody could tell whether it was whole.",
			"It has one now. If the directory was not moved here on purpose, find out who has removed the file.")
	}
}

func (d *Diagnosis) registry(r *routing.RegistryStatus) {
	age := "never since the start"
	if r.AgeSeconds != nil {
		age = (time.Duration(*r.AgeSeconds) * time.Second).String() + " ago"
	}
	switch {
	case r.Sellers == 0:
		d.Wrong(fmt.Sprintf("The registry %s has given no sellers, and was read %s. %s", r.URL, age, r.LastError),
			"Check the address in the Caddyfile, and that it can be reached from here.")
	case r.Stale:
		d.Wrong(fmt.Sprintf("The registry %s can't be read, the last time it could was %s: %s", r.URL, age, r.LastError),
			"The last good document is used meanwhile. Check that the registry can be reached from here.")
	case r.LeftOut > 0:
		d.Note(fmt.Sprintf("The registry %s has %d entries that can't be used.", r.URL, r.LeftOut),
			"The log has a line registry.seller.left_out for each, with the reason.")
	}
}

// shownAtMost is how many of a kind are named.
const shownAtMost = 10

// more counts those that are not.
func (d *Diagnosis) more(all int, what string) {
	if all > shownAtMost {
		d.Note(fmt.Sprintf("Sellers that %s: %d more.", what, all-shownAtMost), "All of them are listed by caddy tokenbuddy sellers")
	}
}

// paused names the sellers that an operator has paused.
func (d *Diagnosis) paused(entries []routing.PoolEntry) {
	all := 0
	for _, e := range entries {
		if !e.Paused {
			continue
		}
		if all++; all <= shownAtMost {
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
		if open++; open > shownAtMost {
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
		d.Wrong(fmt.Sprintf("Seller %s wants somebody else paid than before: nothing is bought there.", id),
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

// unpriced names models of which nobody knows what they cost.
func (d *Diagnosis) unpriced(all []market.Unpriced) {
	if len(all) == 0 {
		return
	}
	var names []string
	for _, u := range all[:min(len(all), shownAtMost)] {
		names = append(names, plain.Name(u.Model)+" of "+plain.Name(u.SellerID))
	}
	what := "There is no price of " + strings.Join(names, ", ")
	if more := len(all) - len(names); more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	d.Note(what+".", "A request to them is held at 5 cents, and a bill is believed up to what was paid for the token. "+
		"Give the price: price <model> <input> <output> in a pinned seller's block; else ask whoever runs the registry.")
}

// limit warns when less than a tenth of a spending limit is left, or less than a purchase takes, whatever others have set aside of it.
func (d *Diagnosis) limit(name string, limit *money.Micros, spent, aside, amount money.Micros, again string) {
	if limit == nil {
		return
	}
	left := *limit - spent
	switch {
	case *limit == 0:
		d.Note(fmt.Sprintf("The %s is 0: nothing is bought.", name), "What is left on tokens is used up; then requests are refused that need one. Raise it in the Caddyfile.")
	case left+aside < amount:
		d.Wrong(fmt.Sprintf("%s dollars of the %s of %s are spent, and a purchase of %s has no room in what is left: nothing is bought.", spent, name, *limit, amount),
			fmt.Sprintf("It begins anew %s; raise it in the Caddyfile if that is too late.", again))
	case left < *limit/10:
		d.Wrong(fmt.Sprintf("%s dollars of the %s of %s are spent.", spent, name, *limit),
			fmt.Sprintf("Past it nothing is bought. It begins anew %s; raise it in the Caddyfile if that is too late.", again))
	}
}

// SelectionWords gives a selection as a Caddyfile has it.
func SelectionWords(s *orders.Selection) string {
	words := []string{plain.Name(s.Policy)}
	if s.Seller != "" {
		words = append(words, plain.Name(s.Seller))
	}
	for _, arg := range s.Args {
		words = append(words, plain.Name(arg))
	}
	return strings.Join(words, " ")
}
