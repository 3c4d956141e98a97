package purchase

import (
	"cmp"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Credit is a summary of what was bought and what is left. What was purchased and wasted counts from the start of the
// process; what is left includes tokens from before.
type Credit struct {
	Purchases       int64         `json:"purchases"` // tokens bought
	PurchasedMicros money.Micros  `json:"purchasedMicros"`
	LeftMicros      money.Micros  `json:"leftMicros"`
	WastedMicros    money.Micros  `json:"wastedMicros"`
	SessionMicros   money.Micros  `json:"sessionMicros"` // counts against the session limit
	DayMicros       money.Micros  `json:"dayMicros"`     // counts against the daily limit
	AmountMicros    money.Micros  `json:"amountMicros"`  // of one purchase
	SessionLimit    *money.Micros `json:"sessionLimitMicros,omitempty"`
	DailyLimit      *money.Micros `json:"dailyLimitMicros,omitempty"`
	SellerLimit     *money.Micros `json:"sellerLimitMicros,omitempty"`

	Sellers []SellerCredit `json:"sellers"`
}

// SellerCredit is the part of one seller.
type SellerCredit struct {
	SellerID        string       `json:"sellerId"`
	Origin          string       `json:"origin"`
	Tokens          int          `json:"tokens"` // in use
	Purchases       int64        `json:"purchases"`
	PurchasedMicros money.Micros `json:"purchasedMicros"`
	LeftMicros      money.Micros `json:"leftMicros"`
	WastedMicros    money.Micros `json:"wastedMicros"`
	// UnconfirmedMicros is the part of what is left that comes from a backup and may have been spent since.
	UnconfirmedMicros money.Micros `json:"unconfirmedMicros,omitempty"`
	NoMoreMoney       bool         `json:"noMoreMoney,omitempty"` // its last two tokens served next to nothing
	LostMicros        money.Micros `json:"lostMicros,omitempty"`  // what it has taken for these, and not served
	// PayeeChanged: the last purchase by a payment method was refused, as the seller wants somebody else paid than before.
	PayeeChanged bool          `json:"payeeChanged,omitempty"`
	Open         *OpenPurchase `json:"open,omitempty"`
}

// Credit gives the summary, sellers in order of their id. It asks the journal, so it is not for the request path.
func (d *Desk) Credit() Credit {
	c := Credit{Sellers: []SellerCredit{}}
	c.DayMicros, c.SessionMicros = d.journal.Spent()
	c.AmountMicros = d.terms.Load().Amount
	limits := d.limits()
	if limits.Daily >= 0 {
		c.DailyLimit = &limits.Daily
	}
	if limits.Session >= 0 {
		c.SessionLimit = &limits.Session
	}
	if limits.Seller >= 0 {
		c.SellerLimit = &limits.Seller
	}
	for _, s := range *d.shelves.Load() {
		part := s.credit()
		c.Purchases += part.Purchases
		c.PurchasedMicros += part.PurchasedMicros
		c.LeftMicros += part.LeftMicros
		c.WastedMicros += part.WastedMicros
		c.Sellers = append(c.Sellers, part)
	}
	slices.SortFunc(c.Sellers, func(a, b SellerCredit) int {
		return cmp.Or(cmp.Compare(a.SellerID, b.SellerID), cmp.Compare(a.Origin, b.Origin))
	})
	return c
}

func (s *shelf) credit() SellerCredit {
	s.mu.Lock()
	defer s.mu.Unlock()
	tokens := *s.tokens.Load()
	c := SellerCredit{
		SellerID: s.seller.id, Origin: s.seller.origin, Tokens: len(tokens), Purchases: s.purchases,
		PurchasedMicros: s.purchased, WastedMicros: s.wasted,
	}
	lost, why := s.dealings.brake()
	c.NoMoreMoney, c.LostMicros = why != nil, lost
	for _, t := range slices.Concat(tokens, s.unclaimed, s.retired) {
		c.LeftMicros += t.left()
		if t.doubted.Load() {
			c.UnconfirmedMicros += t.left()
		}
	}
	c.PayeeChanged = s.desk.methods.offers(s.payee)
	if s.flight != nil {
		c.Open = s.flight.look()
	}
	return c
}
