package ledger

import "github.com/tokenbuddy/caddy-tokenbuddy/money"

// The accounts, a kind and the names it is of.
func walletOf(method string) string         { return "wallet:" + names(method) }
func pendingOf(seller string) string        { return "pending:" + names(seller) }
func creditOf(seller string) string         { return "credit:" + names(seller) }
func expenseOf(member, model string) string { return "expense:" + names(member, model) }
func wasteOf(seller string) string          { return "waste:" + names(seller) }
func disputedOf(seller string) string       { return "disputed:" + names(seller) }
func adjustmentOf(seller string) string     { return "adjustment:" + names(seller) }

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
