package billing_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func TestBillByUsage(t *testing.T) {
	whole, blind, own := wholeAnswer(), blindAnswer(), ownAnswer()
	testBills(t, billing.SourceUsage, []bill{
		{
			"negative settlement", whole, func(f *billing.Facts) { f.Settlement = settlement("s", -1) },
			700, 700, 0,
			[]string{billing.FlagSettlementRefused},
		},
		{
			"settlement without an amount", whole, func(f *billing.Facts) { f.Settlement = &wire.Settlement{SettlementID: "s"} },
			700, 700, 0,
			[]string{billing.FlagSettlementRefused},
		},
		{
			"settlement above the credit", whole, func(f *billing.Facts) { f.Credit, f.Settlement = 800, settlement("s", 801) },
			700, 700, 0,
			[]string{billing.FlagSettlementRefused},
		},
		{
			"replayed settlement", whole, func(f *billing.Facts) { f.Replayed, f.Settlement = true, settlement("s", 5) },
			700, 700, 0,
			[]string{billing.FlagSettlementReplayed},
		},
		{
			"an embedding writes nothing", blind,
			func(f *billing.Facts) {
				f.Shape.NoCompletion, f.Usage = true, billing.Usage{Tokens: money.Tokens{Prompt: 90}, PromptKnown: true}
			},
			180, 180, 0, nil,
		},
		{
			"whatever it says", blind,
			func(f *billing.Facts) {
				f.Shape.NoCompletion, f.Usage = true, billing.Usage{Tokens: money.Tokens{Prompt: 90, Completion: 7}, PromptKnown: true, CompletionKnown: true}
			},
			180, 180, 0,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"thought that an API does not count among what is written", whole,
			func(f *billing.Facts) { f.Usage.Tokens.Completion, f.Usage.Tokens.Reasoning = 10, 40 },
			700, 700, 0, nil,
		},
		{
			"and that is all of it", whole,
			func(f *billing.Facts) {
				f.AnswerText, f.Usage.Tokens.Completion, f.Usage.Tokens.Reasoning = 0, 0, 50
			},
			700, 700, 0, nil,
		},
		{
			"thought past counting", whole, // 100 and 100
			func(f *billing.Facts) {
				f.Usage.Tokens.Completion, f.Usage.Tokens.Reasoning = math.MaxInt64-1, math.MaxInt64
			},
			1_200, 1_200, 0,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"an answer that is all thought", whole,
			func(f *billing.Facts) { f.Usage.Tokens.Reasoning = 50 },
			700, 700, 0, nil,
		},
		{
			"an own account is believed", own,
			func(f *billing.Facts) { f.Usage.Tokens.Prompt, f.Usage.Tokens.Completion = 2_000_000, 200_000 },
			6_000_000, 6_000_000, 0, nil,
		},
		{"usage", whole, nil, 700, 700, 0, nil},
		{"usage with cached tokens", whole, func(f *billing.Facts) { f.Usage.Tokens.CacheRead = 40 }, 660, 660, 0, nil},
		{"usage of nothing", whole, func(f *billing.Facts) { f.AnswerText, f.Usage.Tokens = 0, money.Tokens{} }, 0, 0, 0, nil},
		{"usage above the credit", whole, func(f *billing.Facts) { f.Credit = 699 }, 699, 699, 0, []string{billing.FlagCapped}},
		{"usage above the money", whole, func(f *billing.Facts) { f.Paid = 699 }, 699, 699, 0, []string{billing.FlagCapped}},
		{
			"usage above what the body can have", whole, func(f *billing.Facts) { f.Usage.Tokens.Prompt = 1 << 40 }, // 2,400 and 50 tokens
			5_300, 5_300, 0,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"usage with parts above the whole", whole, func(f *billing.Facts) { f.Usage.Tokens.CacheRead = 101 },
			700, 700, 0,
			[]string{billing.FlagUsageImplausible},
		},
		{"usage when the body's length is unknown", whole, func(f *billing.Facts) { f.Shape.BodyBytes, f.Usage.Tokens.Prompt = 0, 9_000 }, 18_500, 18_500, 0, nil},
		{"a price, and most of the money is gone", whole, func(f *billing.Facts) { f.Borne = 99_900 }, 700, 700, 0, nil},
	})
}

// TestUsageKeepsItsCost: what can't be true of a usage is cut so that the rest has a cost, and no higher one.
func TestUsageKeepsItsCost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Map(rapid.Int64Range(0, 100_000_000), func(n int64) money.Micros { return money.Micros(n) })
		own := rapid.Map(amount, money.At)
		p := money.Price{
			Input: amount.Draw(t, "input"), Output: amount.Draw(t, "output"), CacheRead: amount.Draw(t, "read"), CacheWrite: amount.Draw(t, "write"),
			AudioIn: own.Draw(t, "audioIn"), ImageIn: own.Draw(t, "imageIn"), AudioOut: own.Draw(t, "audioOut"), Reasoning: own.Draw(t, "reasoning"),
		}
		part := func(name string, of int64) int64 {
			return rapid.OneOf(rapid.Just(int64(0)), rapid.Just(of), rapid.Int64Range(0, of)).Draw(t, name)
		}
		used := money.Tokens{Prompt: part("prompt", 1<<21), Completion: part("completion", 1<<18)}
		used.CacheRead = part("cached", used.Prompt)
		used.CacheWrite = part("written", used.Prompt-used.CacheRead)
		used.CacheWrite1h = part("long", used.CacheWrite)
		used.AudioIn = part("heard", used.Prompt)
		used.ImageIn = part("seen", used.Prompt-used.AudioIn)
		used.AudioOut = part("said", used.Completion)
		used.ImageOut = part("drawn", used.Completion-used.AudioOut)
		used.Reasoning = part("thought", used.Completion)
		f := billing.Facts{
			Shape: drawShape(t), Price: p, Answered: true, Whole: true, Credit: money.Max, Paid: money.Max,
			Usage: billing.Usage{Tokens: used, PromptKnown: true, CompletionKnown: true},
		}
		f.Shape.Free = false
		most, known := p.Cost(used)
		if c := billing.Bill(f); !known || c.Source != billing.SourceUsage || c.Expense > most {
			t.Fatalf("%d by %s, %d, %v by all that is said: %+v", int64(c.Expense), c.Source, int64(most), known, f)
		}
	})
}
