package purchase

import (
	"errors"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// LimitError says that a purchase would have passed a spending limit.
type LimitError = ledger.LimitError

// Lack is what a request that got no token wants for.
type Lack string

// What may be wanting.
const (
	LacksCredit   Lack = "credit"        // no token is there, and none was to be bought
	LacksFleet    Lack = "fleet"         // nor can be, as the store of the fleet is away
	LacksDay      Lack = "daily_limit"   // the day's limit is used up
	LacksSession  Lack = "session_limit" // the limit since the start of the process is
	LacksSeller   Lack = "seller_limit"  // the seller's limit of the day is
	LacksWallet   Lack = "method_limit"  // what the payment method itself may pay on a day is paid
	LacksMinute   Lack = "minute"        // the seller had its purchases of this minute
	LacksAmount   Lack = "amount"        // the seller wants more for such a request than may be bought at once
	LacksMethod   Lack = "method"        // there is no payment method that both sides have
	LacksHuman    Lack = "human"         // the seller's last purchase waits for a human
	LacksDoubt    Lack = "in_doubt"      // it is not known what became of the seller's last purchase
	LacksTrust    Lack = "brake"         // the seller gets no more money
	LacksClock    Lack = "clock"         // what was bought last is over by the clock of this machine alone
	LacksTime     Lack = "slow"          // the purchase takes longer than a request waits
	LacksPurchase Lack = "purchase"      // the purchase has failed, or could not be made
)

// limitLacks is what a request wants for where a limit stands in the way.
var limitLacks = map[string]Lack{
	ledger.DailyLimit: LacksDay, ledger.SessionLimit: LacksSession, ledger.SellerLimit: LacksSeller,
	ledger.MethodLimit: LacksWallet,
}

// Lacking gives what a request that got the error from Lease or Rebuy wants for, and when that will be there: the zero time
// where nobody knows. Nothing is wanting where the error is none of theirs.
func Lacking(err error) (lack Lack, until time.Time) {
	if err == nil {
		return "", time.Time{}
	}
	if e, ok := errors.AsType[*PurchaseError](err); ok {
		return e.Lack, e.Until
	}
	return "", time.Time{}
}

// PurchaseError says why no token could be bought. It holds nothing that a seller has written.
type PurchaseError struct {
	SellerID string
	Lack     Lack      // what the request wants for
	Until    time.Time // when that will be there; zero: nobody knows
	Op       string    // what was being done: "buy", "create order", "pay", …
	Hint     string    // what the user can do about it; may be empty
	Err      error
}

// Error gives the operation, the seller, the cause and the hint.
func (e *PurchaseError) Error() string {
	var b strings.Builder
	b.WriteString("purchase at seller " + e.SellerID + ": " + e.Op)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *PurchaseError) Unwrap() error { return e.Err }

// Why no token was bought, for errors.Is.
var (
	// ErrInDoubt: an earlier purchase at this seller may still be granted; nothing new is bought until that is known.
	ErrInDoubt = errors.New("an earlier purchase is still in doubt")
	// ErrUnreached: no connection to the seller could be made.
	ErrUnreached = errors.New("the seller can't be reached")
	// ErrTooSlow: the purchase goes on, but a request does not wait for it any longer.
	ErrTooSlow = errors.New("the purchase takes too long")
	// ErrTooOften: the seller had its purchases of this minute.
	ErrTooOften = errors.New("too many purchases within a minute")
	// ErrUseless: the last tokens of this seller served next to nothing.
	ErrUseless = errors.New("the last two tokens of this seller served less than a tenth of what was paid for them")
	// ErrWithheld: this seller was paid for a token that it never granted.
	ErrWithheld = errors.New("this seller was paid for a token that it has not granted")
	// ErrClockAhead: what this gateway has bought last of the seller is over by its clock, and not for the fleet, which uses it.
	ErrClockAhead = errors.New("the token that was bought last is over by the clock of this machine, and not by the fleet's")
	// ErrUnsettled: what the seller's last token has served is being booked, and the one before it served next to nothing.
	ErrUnsettled = errors.New("what the last token of this seller has served is not known yet")
	// ErrNoCredit: no token is there, and none was to be bought.
	ErrNoCredit = errors.New("no token there covers the request")
	// ErrTooDear: the seller has refused as much as may be bought for a request that can cost as much as this one.
	ErrTooDear = errors.New("the seller wants more for such a request than may be bought at once")
	// ErrForbidden: this gateway's own rules keep it from the seller's address. It is an ErrUnreached too.
	ErrForbidden = errors.New("the address is refused")
	// ErrNoMethod: there is no payment method that both sides have.
	ErrNoMethod = errors.New("no payment method in common")
	// ErrRefused: the seller refused, or what it answered is not an order or a grant that can be used.
	ErrRefused = errors.New("refused")
	// ErrPayee: the seller wants somebody else paid than before.
	ErrPayee = errors.New("the seller wants somebody else paid than before: name the new payee in the payment subdirective, if it is right")
	// ErrDisputed: the money has left, and there is no token for it.
	ErrDisputed = errors.New("paid for nothing: booked as disputed")
	// ErrAway: the store of the fleet that the gateway belongs to is away, and nothing is bought without it.
	ErrAway = errors.New("the store of the fleet is away")
	// ErrElsewhere: another gateway of the fleet buys there just now.
	ErrElsewhere = errors.New("another gateway buys there just now")
	// ErrStillGood: a token's time is over by this gateway's clock, and is not for the other gateways that share it.
	ErrStillGood = errors.New("the token is still good for other gateways")
	// ErrClosed: the desk is closed; the purchase goes on at the next start.
	ErrClosed = errors.New("shutting down")
)

// NotNow is what a Journal's Ready and Advance give where a purchase is not to be begun, or gone on with, now: Err is ErrAway, ErrElsewhere,
// ErrTooOften or ErrUseless.
type NotNow struct {
	Err   error
	Until time.Time // when it may be; zero: nobody knows
}

func (e *NotNow) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *NotNow) Unwrap() error { return e.Err }

// lack is what a request wants for by it.
func (e *NotNow) lack() Lack {
	switch {
	case errors.Is(e.Err, ErrTooOften):
		return LacksMinute
	case errors.Is(e.Err, ErrUseless):
		return LacksTrust
	case errors.Is(e.Err, ErrAway):
		return LacksFleet
	}
	return LacksCredit
}
