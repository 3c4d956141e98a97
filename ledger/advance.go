package ledger

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Limits bound what may be spent on purchases. A negative limit is none; under a limit of zero nothing may be spent.
type Limits struct {
	Daily   money.Micros // of a UTC day, kept over a restart
	Session money.Micros // since the process started
	Seller  money.Micros // at one seller (by id, whatever its origin), of a UTC day, kept over a restart
}

// The limits that a purchase can pass.
const (
	DailyLimit   = "daily_limit"
	SessionLimit = "session_limit"
	SellerLimit  = "seller_limit"
	MethodLimit  = "payment method's daily_limit"
)

// LimitError refuses a purchase that would pass a limit.
type LimitError struct {
	Limit        string // DailyLimit, SessionLimit, SellerLimit or MethodLimit
	LimitMicros  money.Micros
	SpentMicros  money.Micros // before this purchase
	AmountMicros money.Micros // of this purchase
	Resets       time.Time    // when the limit's day is over; zero: not before the process starts again
}

func (e *LimitError) Error() string {
	where := "purchase"
	if e.Limit == MethodLimit {
		where = "payment"
	}
	return fmt.Sprintf("ledger: a purchase of $%s would pass the %s of $%s, of which $%s is spent: raise it in the %s "+
		"subdirective, or wait", e.AmountMicros, e.Limit, e.LimitMicros, e.SpentMicros, where)
}

// Advance records one step of a purchase and books what it means for money, in one transaction, and waits until that is
// durable: only then may the step be taken.
//
//   - Prepared counts the amount against the limits; a *LimitError says that it would pass one.
//   - Paying moves it from the method's wallet to pending. It is counted anew before: today, in this session, against the limits as
//     they are now. It may have waited for a human since it was prepared, or another process has prepared it.
//   - Granted moves it on to credit, and stores the token. Less credit than was paid: the rest is disputed. More: it comes
//     from the adjustment account.
//   - Failed and Expired give it back, to wallet and limits, when no money has left: before Paying, or with Unpaid.
//     Otherwise they and Disputed move it to disputed, and it counts as spent.
//
// A step that can't follow the one before is refused.
func (l *Ledger) Advance(ctx context.Context, p Purchase, limits Limits) error {
	next := &purchase{Purchase: p}
	weight, err := weigh([]string{p.ID, p.Seller, p.Origin, p.Method, p.Model, p.Payee},
		p.Reference, p.PaymentReference, p.Failure, p.Told, p.OrderID, p.Currency)
	if err != nil {
		return err
	}
	if err := next.seal(l.seal); err != nil {
		return err
	}
	sealed := base64.StdEncoding.EncodedLen(len(next.Sealed))
	weight += sealed
	if l.shared != nil {
		weight += sealed // once more beside the entry
	}
	if p.Token != nil {
		weight += 2 * len(p.Token.Secret)
	}
	return l.submit(weight, func(b *batch) error { return b.advance(next, limits) }, nil).Wait(ctx)
}

func (b *batch) advance(next *purchase, limits Limits) error {
	before := b.purchases[next.ID]
	if before == nil {
		before = new(purchase)
		if b.has(purchasePrefix + next.ID) {
			return fmt.Errorf("ledger: purchase at %s: it has ended", next.Seller)
		}
	}
	if err := next.check(before); err != nil {
		return err
	}
	next.CountedMicros, next.CountedDay = before.CountedMicros, before.CountedDay
	next.PendingMicros = before.PendingMicros
	next.CreatedAt, next.UpdatedAt = before.CreatedAt, b.now
	if before.State == "" {
		next.CreatedAt = b.now
	}
	entries := b.head.Sequence
	if next.State != before.State {
		if err := b.step(next, limits); err != nil {
			return err
		}
	}
	if next.Told != "" && b.head.Sequence == entries {
		b.bookPurchase(next, KindPurchase, nil)
	}
	next.Token, next.Told = nil, ""
	if b.head.Sequence > entries {
		b.keepBeside(purchasePrefix+next.ID, next)
	}
	b.purchases[next.ID] = next
	b.put(purchasePrefix+next.ID, next)
	if next.State.Ended() {
		delete(b.purchases, next.ID)
		delete(b.counted, next.ID)
	}
	return nil
}

// check refuses what can't follow.
func (p *purchase) check(before *purchase) error {
	switch {
	case p.ID == "" || p.Seller == "":
		return fmt.Errorf("ledger: a purchase needs an id and a seller")
	case !utf8.ValidString(p.ID + p.Seller + p.Origin + p.Method):
		return fmt.Errorf("ledger: purchase at %q: its names are not text", p.Seller)
	case !p.State.mayFollow(before.State):
		return fmt.Errorf("ledger: purchase at %s: %q can't follow %q", p.Seller, p.State, before.State)
	case before.State != "" && (p.Seller != before.Seller || p.Origin != before.Origin || p.Method != before.Method):
		return fmt.Errorf("ledger: purchase at %s: seller, origin and method can't change", before.Seller)
	case before.CountedMicros != 0 && p.AmountMicros != before.CountedMicros:
		return fmt.Errorf("ledger: purchase at %s: its amount can't change once it is prepared", p.Seller)
	case p.State == Prepared && (p.AmountMicros <= 0 || p.AmountMicros > money.Max):
		return fmt.Errorf("ledger: purchase at %s: the amount is not above zero, or absurd", p.Seller)
	case p.State == Granted && (p.Token == nil || p.Token.Secret == ""):
		return fmt.Errorf("ledger: purchase at %s: granted without a token", p.Seller)
	case p.State == Granted && (p.Token.CreditMicros <= 0 || p.Token.CreditMicros > money.Max):
		return fmt.Errorf("ledger: purchase at %s: granted with a credit that is not above zero, or absurd", p.Seller)
	case p.State == Granted && (p.Token.ExpiresAt.Year() < 0 || p.Token.ExpiresAt.Year() > 9999):
		return fmt.Errorf("ledger: purchase at %s: granted with an expiry that can't be written", p.Seller)
	}
	return nil
}

// step checks, then books, what reaching a state means.
func (b *batch) step(p *purchase, limits Limits) error {
	switch p.State {
	case Prepared:
		return b.countSpending(p, limits)
	case Paying:
		if p.PendingMicros == 0 {
			if err := b.countAgain(p, limits); err != nil {
				return err
			}
			p.PendingMicros = p.AmountMicros
			b.keepPayee(&p.Purchase)
			b.bookPurchase(p, KindPurchase, transfer(walletOf(p.Method), Posting{pendingOf(p.Seller), p.PendingMicros}))
		}
	case Granted:
		return b.grant(p)
	case Failed, Expired, Disputed:
		switch {
		case p.PendingMicros == 0:
			b.uncountSpending(p)
		case p.Unpaid && p.State != Disputed:
			b.bookPurchase(p, KindPurchase, transfer(pendingOf(p.Seller), Posting{walletOf(p.Method), p.PendingMicros}))
			b.uncountSpending(p)
		default:
			b.bookPurchase(p, KindDispute, transfer(pendingOf(p.Seller), Posting{disputedOf(p.Seller), p.PendingMicros}))
		}
		p.PendingMicros = 0
	}
	return nil
}

func (b *batch) bookPurchase(p *purchase, kind Kind, postings []Posting) {
	note := p.Failure
	if p.Told != "" {
		note = p.Told
	}
	b.book(&Entry{
		Kind: kind, Seller: p.Seller, PurchaseID: p.ID, State: p.State, Reference: p.Reference, PaymentReference: p.PaymentReference,
		Note: note, Postings: postings,
	})
}

// grant turns what is pending into credit, and writes the token.
func (b *batch) grant(p *purchase) error {
	t := *p.Token
	if t.ID == "" {
		t.ID = p.ID
	}
	if len(t.ID) > maxName {
		return ErrTooLarge
	}
	if b.tokens[t.ID] != nil {
		return fmt.Errorf("ledger: purchase at %s: its token's id is taken", p.Seller)
	}
	paid := p.PendingMicros
	t.Seller, t.Origin, t.Method, t.PurchaseID = p.Seller, p.Origin, p.Method, p.ID
	t.PaidMicros, t.BalanceMicros, t.Used = paid, t.CreditMicros, 0
	if t.BoughtAt.IsZero() {
		t.BoughtAt = b.now
	}
	record := &token{Token: t}
	if err := record.seal(b.ledger.seal); err != nil {
		return fmt.Errorf("ledger: purchase at %s: its token can't be written: %w", p.Seller, err)
	}
	b.tokens[t.ID] = record
	b.bought[shop{p.Seller, p.Origin}] = true
	b.put(tokenPrefix+t.ID, record)
	b.putBalance(record)

	postings := []Posting{{pendingOf(p.Seller), -paid}, {creditOf(p.Seller), t.CreditMicros}}
	switch rest := paid - t.CreditMicros; {
	case rest > 0:
		postings = append(postings, Posting{disputedOf(p.Seller), rest})
	case rest < 0:
		postings = append(postings, Posting{adjustmentOf(p.Seller), rest})
	}
	p.PendingMicros = 0
	b.bookPurchase(p, KindPurchase, postings)
	b.keepBeside(tokenPrefix+t.ID, record)
	return nil
}

func (s *state) spentOn(day string) money.Micros {
	if m := s.spent[day]; m != nil {
		return *m
	}
	return 0
}

// countAgain counts what was counted when it was prepared, perhaps by an earlier process, where it is spent.
func (b *batch) countAgain(p *purchase, limits Limits) error {
	before := *p
	b.uncountSpending(p)
	err := b.countSpending(p, limits)
	if err != nil { // what is refused changes nothing
		b.session += b.counted[p.ID]
		b.addSpending(&before, before.CountedMicros)
		*p = before
	}
	return err
}

// countSpending counts the amount against the limits, or refuses it.
func (b *batch) countSpending(p *purchase, limits Limits) error {
	day, amount := b.today, p.AmountMicros
	midnight := midnight(b.wall).Add(dayLength)
	for _, l := range []LimitError{
		{DailyLimit, limits.Daily, b.spentOn(day), amount, midnight},
		{SellerLimit, limits.Seller, b.spentAt[sellerDay{p.Seller, day}], amount, midnight},
		{SessionLimit, limits.Session, b.session, amount, time.Time{}},
		{MethodLimit, p.perDay(), b.spentBy[methodDay{p.Method, day}], amount, midnight},
	} {
		if l.LimitMicros >= 0 && l.SpentMicros.Add(amount) > l.LimitMicros {
			return &l
		}
	}
	p.CountedMicros, p.CountedDay = amount, day
	b.session += amount
	b.counted[p.ID] = amount
	b.addSpending(p, amount)
	return nil
}

// uncountSpending gives back what the purchase has counted. What a process before this one has counted is not in the
// session.
func (b *batch) uncountSpending(p *purchase) {
	if p.CountedMicros == 0 {
		return
	}
	b.session -= b.counted[p.ID]
	b.addSpending(p, -p.CountedMicros)
	p.CountedMicros, p.CountedDay = 0, ""
}

// addSpending moves what counts on the purchase's day. What counts at its seller is in no record of its own: it is what the seller's
// purchases count.
func (b *batch) addSpending(p *purchase, amount money.Micros) {
	day := p.CountedDay
	m := b.spent[day]
	if m == nil {
		m = new(money.Micros)
		b.spent[day] = m
	}
	*m += amount
	b.put(spentPrefix+day, m)
	b.spentAt[sellerDay{p.Seller, day}] += amount
	b.spentBy[methodDay{p.Method, day}] += amount
}
