package billing

import (
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// TestSearchesWithoutAPrice: an honest bill has the searches in it that the usage says, also where nobody has named their price; what
// is not said, or could not be, is not believed.
func TestSearchesWithoutAPrice(t *testing.T) {
	price := money.Price{Input: 3_000_000, Output: 15_000_000, CacheRead: money.Unknown, CacheWrite: money.Unknown}
	for _, test := range []struct {
		name     string
		hosted   bool
		searches int64
		billed   money.Micros
		expense  money.Micros
	}{
		{"five searches at ten dollars a thousand", true, 5, 215_000, 215_000},
		{"five searches, and a thousand billed", true, 5, 10_165_000, 340_000},
		{"searches that nobody asked for", false, 5, 215_000, 165_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			charge := Bill(Facts{
				Shape:      Shape{BodyBytes: 40_000, PromptTokens: 30_000, PromptWhole: true, HostedTools: test.hosted, MaxOutput: 5_000},
				Answered:   true,
				Whole:      true,
				Usage:      Usage{Tokens: money.Tokens{Prompt: 30_000, Completion: 5_000, WebSearches: test.searches}, PromptKnown: true, CompletionKnown: true},
				Settlement: &wire.Settlement{BilledMicros: &test.billed},
				Price:      price,
				Credit:     money.Max, Paid: money.Max,
			})
			if charge.Expense != test.expense || charge.Disputed != test.billed-test.expense {
				t.Errorf("expense %d, disputed %d", charge.Expense, charge.Disputed)
			}
		})
	}
}
