package ledger

import (
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// CreditMove is what an entry has done to the credit of a token.
type CreditMove struct {
	Purchase string       // that has paid for the token; empty: the entry has moved no credit of one
	Bought   money.Micros // the token is here
	Shared   money.Micros // it came from what a fleet has of the token, or below zero went there
	Beyond   bool         // and that, since a request has cost more than what was set aside here
	Lost     money.Micros // what was left when the token ended
	Spent    money.Micros // what went for anything else; below zero: came back
	// Restored: the ledger was made from a backup just then. What it has booked before may be another one's as well.
	Restored bool
}

const (
	beyondPart   = "it has cost more than what was set aside here" // why credit comes from a fleet that nobody has asked it for
	restoredNote = "restored from a backup"
)

// creditMove reads it.
func (e *Entry) creditMove() (m CreditMove) {
	if e.Kind == KindAdjustment && len(e.Postings) == 0 && strings.HasPrefix(e.Note, restoredNote) {
		return CreditMove{Restored: true}
	}
	for _, p := range e.Postings {
		if e.PurchaseID == "" || p.Account != creditOf(e.Seller) {
			continue
		}
		switch m.Purchase = e.PurchaseID; {
		case e.Kind == KindPurchase:
			m.Bought += p.AmountMicros
		case e.Kind == KindShare:
			m.Shared += p.AmountMicros
			m.Beyond = e.Note == beyondPart
		case e.Kind == KindWaste && e.Attempt == nil:
			m.Lost -= p.AmountMicros
		default:
			m.Spent -= p.AmountMicros
		}
	}
	return m
}
