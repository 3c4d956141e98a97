package billing_test

import (
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

func TestBillByEstimate(t *testing.T) {
	whole, cut, blind, own := wholeAnswer(), cutAnswer(), blindAnswer(), ownAnswer()
	testBills(t, billing.SourceEstimate, []bill{
		{
			"counting costs nothing", blind, func(f *billing.Facts) { f.Shape.Free = true },
			0, 0, 0, nil,
		},
		{
			"and estimates nothing", blind, func(f *billing.Facts) { f.Shape.NoCompletion = true },
			200, 200, 0, nil,
		},
		{
			"words of no tokens", whole, func(f *billing.Facts) { f.Usage.Tokens.Completion = 0 }, // 100 and 100
			1_200, 1_200, 0,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"also as far as it has come", own, // 2,000,000 and 100
			func(f *billing.Facts) {
				f.Whole, f.Usage.CompletionKnown, f.Usage.Tokens.Prompt = false, false, 2_000_000
			},
			4_000_000, 4_000_000, 0, nil,
		},
		{"usage of a class without a price", whole, func(f *billing.Facts) { f.Price.Output = money.Unknown }, 50_000, 50_000, 0, nil},
		{
			"a class below zero", whole, // 100 and 100
			func(f *billing.Facts) { f.Usage.Tokens.Completion, f.Usage.Tokens.Reasoning = -1, 50 },
			1_200, 1_200, 0,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"a prompt below zero", whole, func(f *billing.Facts) { f.Usage.Tokens.Prompt = -1 },
			700, 700, 0,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"parts of what is not final", blind, func(f *billing.Facts) { f.Usage.Tokens = money.Tokens{CacheRead: 40, Reasoning: 40} },
			1_200, 1_200, 0, nil,
		},
		{"usage that is final of a cut answer", cut, nil, 700, 700, 0, nil},
		{"the prompt's alone", cut, func(f *billing.Facts) { f.Usage.CompletionKnown, f.Usage.Tokens.Prompt = false, 30 }, 1_060, 1_060, 0, nil},
		{"text", blind, nil, 1_200, 1_200, 0, nil},
		{"text of a cut answer", blind, func(f *billing.Facts) { f.Whole, f.AnswerText = false, 4 }, 210, 210, 0, nil},
		{"never above the bound", blind, func(f *billing.Facts) { f.AnswerText = 1 << 50 }, 1_200, 1_200, 0, nil},
		{"an image in the answer", blind, func(f *billing.Facts) { f.Shape.MaxOutput, f.AnswerText, f.AnswerMedia = 0, 0, 2_000 }, 20_200, 20_200, 0, nil},
		{"an image in the prompt", blind, func(f *billing.Facts) { f.Shape.BodyBytes, f.Shape.PromptTokens = 1<<20, 2_100 }, 4_150, 4_150, 0, nil},
		{"text, and what it goes on from", blind, func(f *billing.Facts) { f.Shape.ContinuedTokens = 50 }, 1_300, 1_300, 0, nil},
		{"less than an earlier try", blind, func(f *billing.Facts) { f.Before = 1_300 }, 0, 0, 0, []string{billing.FlagSettledBefore}},
		{"more than that", blind, func(f *billing.Facts) { f.Before = 500 }, 700, 700, 0, []string{billing.FlagSettledBefore}},
		{"usage after an earlier try", whole, func(f *billing.Facts) { f.Before = 100 }, 600, 600, 0, []string{billing.FlagSettledBefore}},
		{"free after an earlier try", blind, func(f *billing.Facts) { f.Before, f.Shape.Free = 100, true }, 0, 0, 0, nil},
		{"text above the credit", blind, func(f *billing.Facts) { f.Credit = 0 }, 0, 0, 0, []string{billing.FlagCapped}},
		{"no price", blind, func(f *billing.Facts) { f.Price = money.NoPrice }, 50_000, 50_000, 0, nil},
		{
			"no price, and most of the money is gone", blind, func(f *billing.Facts) { f.Price, f.Borne = money.NoPrice, 92_000 },
			8_000, 8_000, 0,
			[]string{billing.FlagCapped},
		},
		{"no price, and usage", whole, func(f *billing.Facts) { f.Price = money.NoPrice }, 50_000, 50_000, 0, nil},
		{"no answer", blind, func(f *billing.Facts) { f.Answered = false }, 0, 0, 0, nil},
		{"no answer and no price", blind, func(f *billing.Facts) { f.Answered, f.Price = false, money.NoPrice }, 0, 0, 0, nil},
	})
}
