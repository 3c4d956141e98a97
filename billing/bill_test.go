package billing_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// A price at which a token of the prompt costs 2 micros, one of the answer 10, a cached one 1; writes to the cache have
// no price.
var price = money.Price{Input: 2_000_000, Output: 10_000_000, CacheRead: 1_000_000, CacheWrite: money.Unknown}

// wholeAnswer is of 100 prompt tokens and 50 of the answer, which cost 700 micros. 134 and 100 tokens are the bound, 1,268.
func wholeAnswer() billing.Facts {
	return billing.Facts{
		Shape: billing.Shape{BodyBytes: 400, PromptWhole: true, MaxOutput: 100}, AnswerText: 400,
		Answered: true, Whole: true, Usage: billing.Usage{Tokens: money.Tokens{Prompt: 100, Completion: 50}, PromptKnown: true, CompletionKnown: true},
		Price: price, Credit: 100_000, Paid: 100_000,
	}
}

// cutAnswer is wholeAnswer that has not come to its end.
func cutAnswer() billing.Facts {
	f := wholeAnswer()
	f.Whole = false
	return f
}

// blindAnswer is wholeAnswer without usage: 400/4 = 100 and 400/4 = 100 tokens cost 1,200.
func blindAnswer() billing.Facts {
	f := wholeAnswer()
	f.Usage = billing.Usage{}
	return f
}

// ownAnswer is wholeAnswer of an account of the operator's own.
func ownAnswer() billing.Facts {
	f := wholeAnswer()
	f.Own, f.Credit, f.Paid = true, money.Max, 0
	return f
}

func settlement(id string, billed money.Micros) *wire.Settlement {
	return &wire.Settlement{SettlementID: id, BilledMicros: &billed}
}

// bill is a charge that facts lead to, after a change of them.
type bill struct {
	name                      string
	facts                     billing.Facts
	change                    func(*billing.Facts)
	billed, expense, disputed money.Micros
	flags                     []string
}

// testBills holds Bill to charges that are all from one source.
func testBills(t *testing.T, source billing.Source, bills []bill) {
	for _, tt := range bills {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.facts
			if tt.change != nil {
				tt.change(&f)
			}
			c := billing.Bill(f)
			got := fmt.Sprint(c.Billed, c.Expense, c.Disputed, c.Source)
			if want := fmt.Sprint(tt.billed, tt.expense, tt.disputed, source); got != want {
				t.Errorf("billed, expense, disputed, source: %s, want %s", got, want)
			}
			if !slices.Equal(c.Flags, tt.flags) {
				t.Errorf("flags %v, want %v", c.Flags, tt.flags)
			}
			if (c.Settled != nil) != (source == billing.SourceSettlement && !f.Covered) {
				t.Errorf("source is %s, settlement that counts: %v", c.Source, c.Settled)
			}
		})
	}
}

func TestBillShowsTokens(t *testing.T) {
	own := money.Tokens{Prompt: 10, Completion: 5, CacheRead: 2, CacheWrite: 3}
	said := settlement("s", 1)
	said.PromptTokens, said.CompletionTokens, said.CacheReadTokens = new(int64(7)), new(int64(9)), new(int64(1)<<50)
	plain := money.Tokens{Prompt: 10, Completion: 5}
	cached := settlement("s", 1)
	cached.PromptTokens, cached.CompletionTokens, cached.CacheReadTokens = new(int64(11)), new(int64(6)), new(int64(4))
	for _, tt := range []struct {
		name  string
		facts billing.Facts
		want  money.Tokens
	}{
		{"of the answer, with the cached that the settlement says", billing.Facts{Usage: billing.Usage{Tokens: plain, PromptKnown: true, CompletionKnown: true}, Settlement: cached, Credit: 1}, money.Tokens{Prompt: 10, Completion: 5, CacheRead: 4}},
		{"of the answer, which says that nothing was cached", billing.Facts{Usage: billing.Usage{Tokens: plain, PromptKnown: true, CompletionKnown: true, CacheReadKnown: true}, Settlement: cached, Credit: 1}, plain},
		{"no more cached than the prompt", billing.Facts{Usage: billing.Usage{Tokens: plain, PromptKnown: true, CompletionKnown: true}, Settlement: said, Credit: 1}, money.Tokens{Prompt: 10, Completion: 5, CacheRead: 10}},
		{"of the answer", billing.Facts{Usage: billing.Usage{Tokens: own, PromptKnown: true, CompletionKnown: true}, Settlement: said, Credit: 1}, own},
		{"of the settlement", billing.Facts{Settlement: said, Credit: 1}, money.Tokens{Prompt: 7, Completion: 9, CacheRead: 1 << 40}},
		{"not of what is not final", billing.Facts{Usage: billing.Usage{Tokens: own}}, money.Tokens{}},
		{"not of a refused settlement", billing.Facts{Settlement: said}, money.Tokens{}},
		{"implausible ones too", billing.Facts{Usage: billing.Usage{Tokens: own, PromptKnown: true, CompletionKnown: true}, Shape: billing.Shape{BodyBytes: 1, PromptWhole: true}}, own},
		{"never below zero", billing.Facts{Usage: billing.Usage{Tokens: money.Tokens{Prompt: -4, Completion: 3}, PromptKnown: true, CompletionKnown: true}}, money.Tokens{Completion: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := billing.Bill(tt.facts).Tokens; got != tt.want {
				t.Errorf("tokens %+v, want %+v", got, tt.want)
			}
		})
	}
}
