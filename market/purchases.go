package market

import (
	"context"
	"errors"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// fleetJournal is a ledger whose purchases count against limits over all gateways of a fleet.
type fleetJournal struct {
	*ledger.Ledger
	fleet *fleet.Purchases
}

// journal gives what the desk writes to: the ledger, which asks the fleet before where there is one.
func (m *Market) journal() purchase.Journal {
	if m.Fleet == nil {
		return m.Ledger
	}
	j := fleetJournal{m.Ledger, m.Fleet.purchases}
	if m.Fleet.Tokens != nil {
		return lendingJournal{j, m.Fleet.Tokens, func() time.Duration { return m.Desk.ExpiryMargin() }}
	}
	return j
}

// setLimits says what may be spent, for what is set aside.
func (f *Fleet) setLimits(t purchase.Terms) {
	f.purchases.SetLimits(fleet.BuyLimits{Daily: t.DailyLimit, Session: t.SessionLimit, Seller: t.SellerLimit, Method: -1})
}

// Ready also tells that the fleet's store is away, and nothing was set aside for that.
func (j fleetJournal) Ready() error {
	if err := j.Ledger.Ready(); err != nil {
		return err
	}
	if j.fleet.Away() {
		return &purchase.NotNow{Err: purchase.ErrAway}
	}
	return nil
}

// Spent gives what all gateways have spent.
func (j fleetJournal) Spent() (day, session money.Micros) { return j.fleet.Spent() }

// SpentAt gives what all gateways have spent at a seller.
func (j fleetJournal) SpentAt(sellerID string) money.Micros { return j.fleet.SpentAt(sellerID) }

// Reserved gives how much of that this gateway has set aside: its purchases may take it.
func (j fleetJournal) Reserved() money.Micros { return j.fleet.OwnAside() }

// Advance has a purchase count in the fleet before the ledger has it prepared, and again before its money may leave. The session is the
// fleet's, which no restart ends.
func (j fleetJournal) Advance(ctx context.Context, p ledger.Purchase, limits ledger.Limits) error {
	end, err := j.advance(ctx, p, limits)
	if end != nil {
		end()
	}
	return err
}

// advance is Advance, but for telling the fleet of the end of a purchase, which is to be done where end is not nil.
func (j fleetJournal) advance(ctx context.Context, p ledger.Purchase, limits ledger.Limits) (end func(), err error) {
	buy := fleet.Buy{ID: p.ID, Seller: p.Seller, Origin: p.Origin, Method: p.Method, Amount: p.AmountMicros}
	switch p.State {
	case ledger.Creating:
		err = j.fleet.Begin(ctx, buy)
	case ledger.Prepared, ledger.Paying:
		err = j.fleet.Take(ctx, buy, fleetLimits(limits, p.PerDayMicros), p.State == ledger.Paying)
	}
	if err != nil {
		return nil, refusedByFleet(ctx, err, p.AmountMicros)
	}
	limits.Session = -1
	if err := j.Ledger.Advance(ctx, p, limits); err != nil || !p.State.Ended() {
		return nil, err
	}
	return func() { j.fleet.End(buy, counts(&p)) }, nil
}

// fleetLimits gives the limits as the fleet has them; perDay is the payment method's, zero where it has none.
func fleetLimits(l ledger.Limits, perDay money.Micros) fleet.BuyLimits {
	if perDay == 0 {
		perDay = -1
	}
	return fleet.BuyLimits{Daily: l.Daily, Session: l.Session, Seller: l.Seller, Method: perDay}
}

// counts tells whether a purchase that has ended counts as spent.
func counts(p *ledger.Purchase) bool {
	return !p.Unpaid || p.State != ledger.Failed && p.State != ledger.Expired
}

// refusedByFleet gives an error of the fleet as the desk knows it.
func refusedByFleet(ctx context.Context, err error, amount money.Micros) error {
	if limit, ok := errors.AsType[*fleet.LimitError](err); ok {
		name := [...]string{
			fleet.DailyLimit: ledger.DailyLimit, fleet.SellerLimit: ledger.SellerLimit, fleet.SessionLimit: ledger.SessionLimit,
			fleet.MethodLimit: ledger.MethodLimit,
		}[limit.Limit]
		e := &ledger.LimitError{Limit: name, LimitMicros: limit.Most, SpentMicros: limit.Spent, AmountMicros: amount}
		if limit.Limit != fleet.SessionLimit {
			e.Resets = time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		}
		return e
	}
	if often, ok := errors.AsType[*fleet.OftenError](err); ok {
		return &purchase.NotNow{Err: purchase.ErrTooOften, Until: often.Next}
	}
	switch {
	case errors.Is(err, fleet.ErrUseless):
		return &purchase.NotNow{Err: purchase.ErrUseless}
	case errors.Is(err, fleet.ErrElsewhere):
		return &purchase.NotNow{Err: purchase.ErrElsewhere}
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &purchase.NotNow{Err: errors.Join(purchase.ErrAway, err)}
}

// Judge tells the other gateways what a seller's token has brought.
func (j fleetJournal) Judge(sellerID, purchaseID string, paid, booked money.Micros) {
	j.fleet.Judge(sellerID, fleet.Life{ID: purchaseID, Paid: paid, Booked: booked})
}

// Forgive has them forget it.
func (j fleetJournal) Forgive(sellerID string) { j.fleet.Forgive(sellerID) }

// fleetBooks are what the fleet wants to know of a ledger's purchases.
type fleetBooks struct{ *ledger.Ledger }

// Fate tells whether a purchase has ended, and counts.
func (b fleetBooks) Fate(ctx context.Context, id string) (fleet.Fate, error) {
	found, err := b.Purchases(ctx, ledger.PurchaseQuery{ID: id})
	switch {
	case err != nil || len(found) == 0:
		return fleet.FateUnknown, err
	case !found[0].State.Ended():
		return fleet.FateOpen, nil
	case counts(&found[0]):
		return fleet.FatePaid, nil
	}
	return fleet.FateUnpaid, nil
}

// Counted gives what the ledger's purchases count on a day but for those that are only prepared, and those that have not ended and may be paid.
func (b fleetBooks) Counted(day string) (spent money.Micros, paying []fleet.Buy) {
	spent, open := b.Ledger.Counted(day)
	for i := range open {
		p := &open[i]
		paying = append(paying, fleet.Buy{ID: p.ID, Seller: p.Seller, Origin: p.Origin, Method: p.Method, Amount: p.AmountMicros, Day: p.Day})
	}
	return spent, paying
}

// Ended gives the day's purchases that have ended and count.
func (b fleetBooks) Ended(ctx context.Context, day string) (bought []fleet.Buy, err error) {
	all, err := b.Purchases(ctx, ledger.PurchaseQuery{Day: day})
	for i := range all {
		if p := &all[i]; p.State.Ended() {
			bought = append(bought, fleet.Buy{ID: p.ID, Seller: p.Seller, Origin: p.Origin, Method: p.Method, Amount: p.AmountMicros})
		}
	}
	return bought, err
}
