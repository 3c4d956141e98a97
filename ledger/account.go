package ledger

import (
	"context"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// The accounts, a kind and the names it is of.
func walletOf(method string) string         { return names("wallet:", method) }
func pendingOf(seller string) string        { return names("pending:", seller) }
func creditOf(seller string) string         { return names("credit:", seller) }
func expenseOf(member, model string) string { return names("expense:", member, model) }
func wasteOf(seller string) string          { return names("waste:", seller) }
func disputedOf(seller string) string       { return names("disputed:", seller) }
func adjustmentOf(seller string) string     { return names("adjustment:", seller) }

// fleetOf is the account of what the gateways of a fleet have of shared tokens. That of all of them together is what none has set aside.
func fleetOf(seller string) string { return names("fleet:", seller) }

// accountMethod is the wallet that pays a provider where the operator has an account of his own.
const accountMethod = "account"

// Posting is one side of a transaction: a debit is positive, a credit negative. The postings of an entry sum to zero.
type Posting struct {
	Account      string       `json:"account"`
	AmountMicros money.Micros `json:"amountMicros"`
}

// Account is an account and the sum of all its postings.
type Account struct {
	Account       string       `json:"account"`
	BalanceMicros money.Micros `json:"balanceMicros"`
}

// transfer takes what the parts get from one account, as balanced postings; a part of zero leaves no trace.
func transfer(from string, parts ...Posting) []Posting {
	postings := make([]Posting, 1, len(parts)+1)
	var sum money.Micros
	for _, p := range parts {
		if p.AmountMicros != 0 {
			sum += p.AmountMicros
			postings = append(postings, p)
		}
	}
	if sum == 0 {
		return postings[1:]
	}
	postings[0] = Posting{from, -sum}
	return postings
}

// SplitAccount gives the kind of an account and the names that it is of, as they were before they were escaped.
func SplitAccount(account string) (kind string, of []string) {
	parts := splitNames(account)
	return parts[0], parts[1:]
}

// Losses are what has become of a seller's credit beside the requests that it has served.
type Losses struct {
	WasteMicros      money.Micros `json:"wasteMicros"`      // failed attempts, and what was left on tokens that were dropped or expired
	DisputedMicros   money.Micros `json:"disputedMicros"`   // taken for nothing, above the price, or beyond belief
	AdjustmentMicros money.Micros `json:"adjustmentMicros"` // taken by balances that the seller reported; below zero: given
}

// Losses gives them by seller, since the ledger began. There are none after the ledger has failed or closed.
func (l *Ledger) Losses(ctx context.Context) (map[string]Losses, error) {
	sellers := map[string]Losses{}
	err := l.look(ctx, func(s *state) {
		for name, balance := range s.accounts {
			kind, of := SplitAccount(name)
			if len(of) != 1 || *balance == 0 {
				continue
			}
			sum := sellers[of[0]]
			switch kind {
			case "waste":
				sum.WasteMicros = *balance
			case "disputed":
				sum.DisputedMicros = *balance
			case "adjustment":
				sum.AdjustmentMicros = *balance
			default:
				continue
			}
			sellers[of[0]] = sum
		}
	})
	return sellers, err
}
