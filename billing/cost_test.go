package billing_test

import (
	"fmt"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestWhatDoesItCost has requests answered, cut, and given up by providers that know what it has cost: what is booked is within
// 25 % of that, and within 2 % where the usage came.
func TestWhatDoesItCost(t *testing.T) {
	prices := money.Price{Input: 3_000_000, Output: 15_000_000, CacheRead: 300_000, CacheWrite: 3_750_000}
	for _, text := range []struct {
		name                                string
		promptBytes, prompt, bytes, written int64 // of the whole answer
	}{
		{"words", 4_000, 980, 2_000, 470},
		{"code", 40_000, 11_200, 8_000, 2_250},
		{"a short question", 1_000, 230, 12_000, 2_900},
		{"a long one", 200_000, 46_000, 400, 97},
	} {
		for _, ended := range []struct {
			name  string
			whole bool
			half  int64 // of the answer that came and was paid for
		}{{"whole", true, 2}, {"cut at half", false, 1}, {"given up at half", false, 1}, {"an error after half", false, 1}} {
			for _, usage := range []string{"said", "of the prompt alone", "not said", "not said, and a settlement"} {
				t.Run(fmt.Sprint(text.name, "/", ended.name, "/", usage), func(t *testing.T) {
					used := money.Tokens{Prompt: text.prompt, CacheRead: text.prompt / 8, Completion: text.written * ended.half / 2}
					if usage != "said" && usage != "of the prompt alone" {
						used.CacheRead = 0
					}
					cost, _ := prices.Cost(used)
					f := billing.Facts{
						Shape: billing.Shape{BodyBytes: text.promptBytes, PromptWhole: true}, Price: prices, Own: true,
						Answered: true, Whole: ended.whole, AnswerText: text.bytes * ended.half / 2, Credit: money.Max,
					}
					off := cost / 4
					switch usage {
					case "said":
						f.Usage, off = billing.Usage{Tokens: used, PromptKnown: true, CompletionKnown: true}, cost/50
					case "of the prompt alone":
						f.Usage = billing.Usage{Tokens: used, PromptKnown: true}
						f.Usage.Tokens.Completion = 1 // a placeholder
					case "not said, and a settlement":
						f.Own, f.Credit, f.Paid, f.Settlement, off = false, money.USD, money.USD, settlement("s", cost), 0
					}
					if c := billing.Bill(f); c.Expense < cost-off || c.Expense > cost+off || c.Disputed != 0 {
						t.Errorf("booked %s (%s), it cost %s: %+d %%", c.Expense, c.Source, cost, (c.Expense-cost)*100/cost)
					}
				})
			}
		}
	}
}
