package billing_test

import (
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func TestBillBySettlement(t *testing.T) {
	named := func(s *wire.Settlement, request string) *wire.Settlement {
		s.RequestID = request
		return s
	}
	counted := func(s *wire.Settlement, prompt, completion, cached int64) *wire.Settlement {
		s.PromptTokens, s.CompletionTokens, s.CacheReadTokens = &prompt, &completion, &cached
		return s
	}
	whole, cut, blind := wholeAnswer(), cutAnswer(), blindAnswer()
	testBills(t, billing.SourceSettlement, []bill{
		{"settlement", whole, func(f *billing.Facts) { f.Settlement = settlement("s", 700) }, 700, 700, 0, nil},
		{
			"replayed settlement that covers a retry", whole,
			func(f *billing.Facts) { f.Replayed, f.Covered, f.Settlement = true, true, settlement("s", 5) },
			0, 0, 0,
			[]string{billing.FlagSettlementReplayed},
		},
		{"settlement without an id", whole, func(f *billing.Facts) { f.Settlement = settlement("", 700) }, 700, 700, 0, nil},
		{"settlement below the cost", whole, func(f *billing.Facts) { f.Settlement = settlement("s", 1) }, 1, 1, 0, nil},
		{"settlement of nothing", whole, func(f *billing.Facts) { f.Settlement = settlement("s", 0) }, 0, 0, 0, nil},
		{"settlement of all the credit", whole, func(f *billing.Facts) { f.Credit, f.Settlement = 700, settlement("s", 700) }, 700, 700, 0, nil},
		{
			"settlement though no answer came", whole,
			func(f *billing.Facts) { f.Answered, f.Whole, f.Settlement = false, false, settlement("s", 9) },
			9, 9, 0, nil,
		},
		{"settlement that names whatever request", whole, func(f *billing.Facts) { f.Settlement = named(settlement("s", 650), "r2") }, 650, 650, 0, nil},
		{
			"settlement of the credit and what was taken by guess", whole,
			func(f *billing.Facts) { f.Credit, f.Guessed, f.Settlement = 600, 100, settlement("s", 700) },
			700, 700, 0, nil,
		},
		{"overbilled by just a hundred micros", whole, func(f *billing.Facts) { f.Settlement = settlement("s", 800) }, 800, 800, 0, nil},
		{
			"overbilled", whole, func(f *billing.Facts) { f.Settlement = settlement("s", 801) },
			801, 700, 101,
			[]string{billing.FlagOverbilled},
		},
		{
			"overbilled by just one percent", whole,
			func(f *billing.Facts) {
				f.Shape.BodyBytes, f.Usage.Tokens.Prompt, f.Settlement = 40_000, 10_000, settlement("s", 20_705)
			},
			20_705, 20_705, 0, nil,
		},
		{
			"overbilled by more than one percent", whole,
			func(f *billing.Facts) {
				f.Shape.BodyBytes, f.Usage.Tokens.Prompt, f.Settlement = 40_000, 10_000, settlement("s", 20_706)
			},
			20_706, 20_500, 206,
			[]string{billing.FlagOverbilled},
		},
		{
			"without a price it is believed up to what was paid", whole,
			func(f *billing.Facts) { f.Price.Output, f.Settlement = money.Unknown, settlement("s", 9_000) },
			9_000, 9_000, 0,
			[]string{billing.FlagUnpriced},
		},
		{"a settlement of nothing needs none", whole, func(f *billing.Facts) { f.Price, f.Settlement = money.NoPrice, settlement("s", 0) }, 0, 0, 0, nil},
		{
			"and no further, by all together", whole,
			func(f *billing.Facts) { f.Price, f.Borne, f.Settlement = money.NoPrice, 92_000, settlement("s", 9_000) },
			9_000, 8_000, 1_000,
			[]string{billing.FlagUnpriced, billing.FlagOverbilled},
		},
		{
			"what estimates have taken of a grant is not money either", whole,
			func(f *billing.Facts) {
				f.Price, f.Credit, f.Guessed, f.Paid, f.Settlement = money.NoPrice, 0, 100_000, 5_000, settlement("s", 90_000)
			},
			90_000, 5_000, 85_000,
			[]string{billing.FlagUnpriced, billing.FlagOverbilled},
		},
		{
			"nor what failed attempts have taken of it, once all the money is borne", whole,
			func(f *billing.Facts) {
				f.Price, f.Credit, f.Guessed, f.Paid, f.Borne, f.Settlement = money.NoPrice, 0, 100_000, 5_000, 5_000, settlement("s", 90_000)
			},
			90_000, 0, 90_000,
			[]string{billing.FlagUnpriced, billing.FlagOverbilled},
		},
		{
			"but what members get back of an estimate they can bear again", whole,
			func(f *billing.Facts) {
				f.Price, f.Credit, f.Guessed, f.Paid, f.Borne, f.Returned, f.Settlement =
					money.NoPrice, 0, 100_000, 5_000, 5_000, 2_000, settlement("s", 90_000)
			},
			90_000, 2_000, 88_000,
			[]string{billing.FlagUnpriced, billing.FlagOverbilled},
		},
		{
			"a grant is not money", whole,
			func(f *billing.Facts) {
				f.Price, f.Credit, f.Paid, f.Settlement = money.NoPrice, money.Max, 5_000, settlement("s", money.Max)
			},
			money.Max, 5_000, money.Max - 5_000,
			[]string{billing.FlagUnpriced, billing.FlagOverbilled},
		},
		{
			"not even where there is a price", whole,
			func(f *billing.Facts) { f.Paid, f.Settlement = 600, settlement("s", 700) },
			700, 600, 100,
			[]string{billing.FlagOverbilled},
		},
		{
			"a cut answer that says its usage is compared", cut, func(f *billing.Facts) { f.Settlement = settlement("s", 9_000) },
			9_000, 700, 8_300,
			[]string{billing.FlagOverbilled},
		},
		{
			"one that says none is believed up to the bound", blind, func(f *billing.Facts) { f.Whole, f.Settlement = false, settlement("s", 9_000) },
			9_000, 1_268, 7_732,
			[]string{billing.FlagOverbilled},
		},
		{
			"one that says a half is believed up to the other's bound", cut, // 100 and 100 tokens cost less than the bound
			func(f *billing.Facts) { f.Usage.CompletionKnown, f.Settlement = false, settlement("s", 9_000) },
			9_000, 1_268, 7_732,
			[]string{billing.FlagOverbilled},
		},
		{
			"of the answer more than was likely, and the prompt's bound", cut, // 134 and 20,000 tokens, with no leeway
			func(f *billing.Facts) {
				f.Shape.MaxOutput, f.Credit, f.Paid, f.Usage.PromptKnown = 0, money.USD, money.USD, false
				f.Usage.Tokens.Completion, f.Settlement = 20_000, settlement("s", 200_300)
			},
			200_300, 200_268, 32,
			[]string{billing.FlagOverbilled},
		},
		{
			"of the prompt more than was seen, and the answer's bound", cut, // 1,900 and 100 tokens, with no leeway
			func(f *billing.Facts) {
				f.Usage.CompletionKnown, f.Usage.Tokens.Prompt, f.Settlement = false, 1_900, settlement("s", 4_850)
			},
			4_850, 4_800, 50,
			[]string{billing.FlagOverbilled},
		},
		{
			"where the answer says its prompt, the seller's counts are not asked", cut,
			func(f *billing.Facts) {
				f.Usage.CompletionKnown, f.Settlement = false, counted(settlement("s", 1_700), 300, 100, 0)
			},
			1_700, 1_268, 432,
			[]string{billing.FlagOverbilled},
		},
		{
			"nor where it says what it has written", cut,
			func(f *billing.Facts) {
				f.Usage.PromptKnown, f.Settlement = false, counted(settlement("s", 1_700), 300, 100, 0)
			},
			1_700, 1_268, 432,
			[]string{billing.FlagOverbilled},
		},
		{
			"of an embedding nobody needs to say that nothing is written", blind, // 300 tokens cost 600
			func(f *billing.Facts) {
				f.Shape.NoCompletion, f.Settlement = true, counted(settlement("s", 700), 300, 0, 0)
			},
			700, 700, 0, nil,
		},
		{
			"the seller's own counts tell what was cached", blind, // 300 tokens, of them 200 cached, and 100 cost 1,400
			func(f *billing.Facts) { f.Settlement = counted(settlement("s", 1_600), 300, 100, 200) },
			1_600, 1_400, 200,
			[]string{billing.FlagOverbilled},
		},
		{
			"but of no other class, which may be the dearest", blind, // 300 tokens and 100 of thought
			func(f *billing.Facts) {
				f.Price.AudioIn, f.Price.Reasoning = money.At(6_000_000), money.At(40_000_000)
				f.Settlement = counted(settlement("s", 5_800), 300, 100, 0)
			},
			5_800, 5_800, 0, nil,
		},
		{
			"the answer's own tell of all", whole, // 1,900 and 50 tokens, and a part of them that can't be read
			func(f *billing.Facts) {
				f.Price.AudioIn, f.Usage.Partial = money.At(8_000_000), true
				f.Usage.Tokens.Prompt, f.Settlement = 1_900, settlement("s", 9_000)
			},
			9_000, 4_300, 4_700,
			[]string{billing.FlagOverbilled},
		},
		{
			"the seller's own counts that contradict themselves are none", blind,
			func(f *billing.Facts) {
				f.Shape = billing.Shape{BodyBytes: 6, PromptWhole: true, MaxOutput: 1}
				f.Settlement = counted(settlement("s", 90), 2, 1, 3)
			},
			90, 14, 76,
			[]string{billing.FlagOverbilled},
		},
		{
			"the seller's own counts are believed where they can be true", blind, // 300 and 100 tokens cost 1,600
			func(f *billing.Facts) { f.Settlement = counted(settlement("s", 1_700), 300, 100, 0) },
			1_700, 1_700, 0, nil,
		},
		{
			"and not further than that", blind, // 2,400 and 100 tokens cost 5,800
			func(f *billing.Facts) { f.Settlement = counted(settlement("s", 90_000), 1<<40, 1<<40, 0) },
			90_000, 5_800, 84_200,
			[]string{billing.FlagOverbilled},
		},
		{
			"nobody thinks longer than was allowed", whole, // 100 and 100 tokens cost 1,200
			func(f *billing.Facts) { f.Usage.Tokens.Completion, f.Settlement = 5_000, settlement("s", 50_200) },
			50_200, 1_200, 49_000,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"where nothing was said, long", whole,
			func(f *billing.Facts) {
				f.Shape.MaxOutput, f.Credit, f.Paid = 0, money.USD, money.USD
				f.Usage.Tokens.Completion, f.Settlement = 20_000, settlement("s", 200_200)
			},
			200_200, 200_200, 0, nil,
		},
		{
			"where nothing was said, not for ever", whole, // 131,072 tokens
			func(f *billing.Facts) {
				f.Shape.MaxOutput, f.Credit, f.Paid = 0, 10*money.USD, 10*money.USD
				f.Usage.Tokens.Completion, f.Settlement = 900_000, settlement("s", 9_000_200)
			},
			9_000_200, 1_310_920, 9_000_200 - 1_310_920,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"a system text that the server adds", whole, // 1,900 and 50 tokens
			func(f *billing.Facts) { f.Usage.Tokens.Prompt, f.Settlement = 1_900, settlement("s", 4_300) },
			4_300, 4_300, 0, nil,
		},
		{
			"prompt tokens above what a body can have do not justify it", whole, // 2,400 and 50 tokens cost 5,300
			func(f *billing.Facts) { f.Usage.Tokens.Prompt, f.Settlement = 4_250, settlement("s", 9_000) },
			9_000, 5_300, 3_700,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"nor do cached ones", whole, // 2,400, of them 60 cached, and 50 tokens
			func(f *billing.Facts) {
				f.Usage.Tokens.Prompt, f.Usage.Tokens.CacheRead, f.Settlement = 2_440, 100, settlement("s", 9_000)
			},
			9_000, 5_240, 3_760,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"they are harmless where the settlement is small", whole, func(f *billing.Facts) { f.Usage.Tokens.Prompt, f.Settlement = 2_500, settlement("s", 700) },
			700, 700, 0,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"a prompt that is not all in the body is larger than that", whole,
			func(f *billing.Facts) {
				f.Shape.PromptWhole, f.Credit, f.Paid = false, money.USD, money.USD
				f.Usage.Tokens.Prompt, f.Settlement = 150_000, settlement("s", 300_500)
			},
			300_500, 300_500, 0, nil,
		},
		{
			"one that the web is searched for, too, and searches cost", whole,
			func(f *billing.Facts) {
				f.Shape.HostedTools, f.Credit, f.Paid, f.Price.WebSearch = true, 3*money.USD, 3*money.USD, money.At(10_000_000)
				f.Usage.Tokens.Prompt, f.Usage.Tokens.WebSearches, f.Settlement = 900_000, 5, settlement("s", 1_850_500)
			},
			1_850_500, 1_850_500, 0, nil,
		},
		{
			"five searches that the usage does not tell", whole,
			func(f *billing.Facts) {
				f.Shape.HostedTools, f.Price.WebSearch, f.Settlement = true, money.At(10_000_000), settlement("s", 50_700)
			},
			50_700, 50_700, 0, nil,
		},
		{
			"those that it tells are not more", whole, // 100 and 50 tokens, and a part of them that can't be read
			func(f *billing.Facts) {
				f.Shape.HostedTools, f.Price.WebSearch, f.Usage.Partial = true, money.At(10_000_000), true
				f.Usage.Tokens.WebSearches, f.Settlement = 5, settlement("s", 90_700)
			},
			90_700, 50_700, 40_000,
			[]string{billing.FlagOverbilled},
		},
		{
			"and a usage that tells them is compared", whole,
			func(f *billing.Facts) {
				f.Shape.HostedTools, f.Price.WebSearch = true, money.At(1_000)
				f.Usage.Tokens.WebSearches, f.Settlement = 1, settlement("s", 1_200)
			},
			1_200, 701, 499,
			[]string{billing.FlagOverbilled},
		},
		{
			"without a usage nobody has said that there were any", blind,
			func(f *billing.Facts) {
				f.Shape.HostedTools, f.Price.WebSearch, f.Settlement = true, money.At(10_000_000), settlement("s", 50_700)
			},
			50_700, 1_268, 49_432,
			[]string{billing.FlagOverbilled},
		},
		{
			"nor where nothing could search", whole,
			func(f *billing.Facts) {
				f.Price.WebSearch, f.Usage.Partial, f.Settlement = money.At(10_000_000), true, settlement("s", 50_700)
			},
			50_700, 1_268, 49_432,
			[]string{billing.FlagOverbilled},
		},
		{
			"nobody searches who was not asked", whole,
			func(f *billing.Facts) {
				f.Price.WebSearch, f.Usage.Tokens.WebSearches, f.Settlement = money.At(10_000_000), 5, settlement("s", 50_700)
			},
			50_700, 700, 50_000,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"a usage that contradicts itself loses its parts", whole, // and what they were is not known: the bound
			func(f *billing.Facts) { f.Usage.Tokens.CacheRead, f.Settlement = 101, settlement("s", 9_000) },
			9_000, 1_268, 7_732,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"a part that can't be read is not held against the seller", whole,
			func(f *billing.Facts) { f.Usage.Partial, f.Settlement = true, settlement("s", 1_200) },
			1_200, 1_200, 0, nil,
		},
		{
			"where the seller says nothing else", blind, // 134 tokens cost 268
			func(f *billing.Facts) { f.Shape.Free, f.Settlement = true, settlement("s", 5_000) },
			5_000, 268, 4_732,
			[]string{billing.FlagOverbilled},
		},
	})
}
