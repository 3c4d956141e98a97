package billing_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// A price at which a token of the prompt costs 2 micros, one of the answer 10, a cached one 1; writes to the cache have
// no price.
var price = money.Price{Input: 2_000_000, Output: 10_000_000, CacheRead: 1_000_000, CacheWrite: money.Unknown}

func settlement(id string, billed money.Micros) *wire.Settlement {
	return &wire.Settlement{SettlementID: id, BilledMicros: &billed}
}

func TestBill(t *testing.T) {
	named := func(s *wire.Settlement, request string) *wire.Settlement {
		s.RequestID = request
		return s
	}
	counted := func(s *wire.Settlement, prompt, completion, cached int64) *wire.Settlement {
		s.PromptTokens, s.CompletionTokens, s.CacheReadTokens = &prompt, &completion, &cached
		return s
	}
	// 100 prompt tokens and 50 of the answer cost 700 micros. 134 and 100 tokens are the bound, 1,268.
	whole := billing.Facts{
		Shape: billing.Shape{BodyBytes: 400, PromptWhole: true, MaxOutput: 100}, AnswerText: 400,
		Answered: true, Whole: true, Usage: billing.Usage{Tokens: money.Tokens{Prompt: 100, Completion: 50}, PromptKnown: true, CompletionKnown: true},
		Price: price, Credit: 100_000, Paid: 100_000,
	}
	cut := whole
	cut.Whole = false
	blind := whole // no usage: 400/4 = 100 and 400/4 = 100 tokens cost 1,200
	blind.Usage = billing.Usage{}
	own := whole
	own.Own, own.Credit, own.Paid = true, money.Max, 0
	const settled, usage, estimate = billing.SourceSettlement, billing.SourceUsage, billing.SourceEstimate

	for _, tt := range []struct {
		name                      string
		facts                     billing.Facts
		change                    func(*billing.Facts)
		billed, expense, disputed money.Micros
		source                    billing.Source
		flags                     []string
	}{
		{"settlement", whole, func(f *billing.Facts) { f.Settlement = settlement("s", 700) }, 700, 700, 0, settled, nil},
		{
			"replayed settlement that covers a retry", whole,
			func(f *billing.Facts) { f.Replayed, f.Covered, f.Settlement = true, true, settlement("s", 5) },
			0, 0, 0, settled,
			[]string{billing.FlagSettlementReplayed},
		},
		{"settlement without an id", whole, func(f *billing.Facts) { f.Settlement = settlement("", 700) }, 700, 700, 0, settled, nil},
		{"settlement below the cost", whole, func(f *billing.Facts) { f.Settlement = settlement("s", 1) }, 1, 1, 0, settled, nil},
		{"settlement of nothing", whole, func(f *billing.Facts) { f.Settlement = settlement("s", 0) }, 0, 0, 0, settled, nil},
		{"settlement of all the credit", whole, func(f *billing.Facts) { f.Credit, f.Settlement = 700, settlement("s", 700) }, 700, 700, 0, settled, nil},
		{
			"settlement though no answer came", whole,
			func(f *billing.Facts) { f.Answered, f.Whole, f.Settlement = false, false, settlement("s", 9) },
			9, 9, 0, settled, nil,
		},
		{"settlement that names whatever request", whole, func(f *billing.Facts) { f.Settlement = named(settlement("s", 650), "r2") }, 650, 650, 0, settled, nil},
		{
			"negative settlement", whole, func(f *billing.Facts) { f.Settlement = settlement("s", -1) },
			700, 700, 0, usage,
			[]string{billing.FlagSettlementRefused},
		},
		{
			"settlement without an amount", whole, func(f *billing.Facts) { f.Settlement = &wire.Settlement{SettlementID: "s"} },
			700, 700, 0, usage,
			[]string{billing.FlagSettlementRefused},
		},
		{
			"settlement of the credit and what was taken by guess", whole,
			func(f *billing.Facts) { f.Credit, f.Guessed, f.Settlement = 600, 100, settlement("s", 700) },
			700, 700, 0, settled, nil,
		},
		{
			"settlement above the credit", whole, func(f *billing.Facts) { f.Credit, f.Settlement = 800, settlement("s", 801) },
			700, 700, 0, usage,
			[]string{billing.FlagSettlementRefused},
		},
		{
			"replayed settlement", whole, func(f *billing.Facts) { f.Replayed, f.Settlement = true, settlement("s", 5) },
			700, 700, 0, usage,
			[]string{billing.FlagSettlementReplayed},
		},
		{"overbilled by just a hundred micros", whole, func(f *billing.Facts) { f.Settlement = settlement("s", 800) }, 800, 800, 0, settled, nil},
		{
			"overbilled", whole, func(f *billing.Facts) { f.Settlement = settlement("s", 801) },
			801, 700, 101, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"overbilled by just one percent", whole,
			func(f *billing.Facts) {
				f.Shape.BodyBytes, f.Usage.Tokens.Prompt, f.Settlement = 40_000, 10_000, settlement("s", 20_705)
			},
			20_705, 20_705, 0, settled, nil,
		},
		{
			"overbilled by more than one percent", whole,
			func(f *billing.Facts) {
				f.Shape.BodyBytes, f.Usage.Tokens.Prompt, f.Settlement = 40_000, 10_000, settlement("s", 20_706)
			},
			20_706, 20_500, 206, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"without a price it is believed up to what was paid", whole,
			func(f *billing.Facts) { f.Price.Output, f.Settlement = money.Unknown, settlement("s", 9_000) },
			9_000, 9_000, 0, settled,
			[]string{billing.FlagUnpriced},
		},
		{"a settlement of nothing needs none", whole, func(f *billing.Facts) { f.Price, f.Settlement = money.NoPrice, settlement("s", 0) }, 0, 0, 0, settled, nil},
		{
			"and no further, by all together", whole,
			func(f *billing.Facts) { f.Price, f.Borne, f.Settlement = money.NoPrice, 92_000, settlement("s", 9_000) },
			9_000, 8_000, 1_000, settled,
			[]string{billing.FlagUnpriced, billing.FlagOverbilled},
		},
		{
			"what estimates have taken of a grant is not money either", whole,
			func(f *billing.Facts) {
				f.Price, f.Credit, f.Guessed, f.Paid, f.Settlement = money.NoPrice, 0, 100_000, 5_000, settlement("s", 90_000)
			},
			90_000, 5_000, 85_000, settled,
			[]string{billing.FlagUnpriced, billing.FlagOverbilled},
		},
		{
			"nor what failed attempts have taken of it, once all the money is borne", whole,
			func(f *billing.Facts) {
				f.Price, f.Credit, f.Guessed, f.Paid, f.Borne, f.Settlement = money.NoPrice, 0, 100_000, 5_000, 5_000, settlement("s", 90_000)
			},
			90_000, 0, 90_000, settled,
			[]string{billing.FlagUnpriced, billing.FlagOverbilled},
		},
		{
			"but what members get back of an estimate they can bear again", whole,
			func(f *billing.Facts) {
				f.Price, f.Credit, f.Guessed, f.Paid, f.Borne, f.Returned, f.Settlement =
					money.NoPrice, 0, 100_000, 5_000, 5_000, 2_000, settlement("s", 90_000)
			},
			90_000, 2_000, 88_000, settled,
			[]string{billing.FlagUnpriced, billing.FlagOverbilled},
		},
		{
			"a grant is not money", whole,
			func(f *billing.Facts) {
				f.Price, f.Credit, f.Paid, f.Settlement = money.NoPrice, money.Max, 5_000, settlement("s", money.Max)
			},
			money.Max, 5_000, money.Max - 5_000, settled,
			[]string{billing.FlagUnpriced, billing.FlagOverbilled},
		},
		{
			"not even where there is a price", whole,
			func(f *billing.Facts) { f.Paid, f.Settlement = 600, settlement("s", 700) },
			700, 600, 100, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"a cut answer that says its usage is compared", cut, func(f *billing.Facts) { f.Settlement = settlement("s", 9_000) },
			9_000, 700, 8_300, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"one that says none is believed up to the bound", blind, func(f *billing.Facts) { f.Whole, f.Settlement = false, settlement("s", 9_000) },
			9_000, 1_268, 7_732, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"one that says a half is believed up to the other's bound", cut, // 100 and 100 tokens cost less than the bound
			func(f *billing.Facts) { f.Usage.CompletionKnown, f.Settlement = false, settlement("s", 9_000) },
			9_000, 1_268, 7_732, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"of the answer more than was likely, and the prompt's bound", cut, // 134 and 20,000 tokens, with no leeway
			func(f *billing.Facts) {
				f.Shape.MaxOutput, f.Credit, f.Paid, f.Usage.PromptKnown = 0, money.USD, money.USD, false
				f.Usage.Tokens.Completion, f.Settlement = 20_000, settlement("s", 200_300)
			},
			200_300, 200_268, 32, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"of the prompt more than was seen, and the answer's bound", cut, // 1,900 and 100 tokens, with no leeway
			func(f *billing.Facts) {
				f.Usage.CompletionKnown, f.Usage.Tokens.Prompt, f.Settlement = false, 1_900, settlement("s", 4_850)
			},
			4_850, 4_800, 50, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"where the answer says its prompt, the seller's counts are not asked", cut,
			func(f *billing.Facts) {
				f.Usage.CompletionKnown, f.Settlement = false, counted(settlement("s", 1_700), 300, 100, 0)
			},
			1_700, 1_268, 432, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"nor where it says what it has written", cut,
			func(f *billing.Facts) {
				f.Usage.PromptKnown, f.Settlement = false, counted(settlement("s", 1_700), 300, 100, 0)
			},
			1_700, 1_268, 432, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"of an embedding nobody needs to say that nothing is written", blind, // 300 tokens cost 600
			func(f *billing.Facts) {
				f.Shape.NoCompletion, f.Settlement = true, counted(settlement("s", 700), 300, 0, 0)
			},
			700, 700, 0, settled, nil,
		},
		{
			"the seller's own counts tell what was cached", blind, // 300 tokens, of them 200 cached, and 100 cost 1,400
			func(f *billing.Facts) { f.Settlement = counted(settlement("s", 1_600), 300, 100, 200) },
			1_600, 1_400, 200, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"but of no other class, which may be the dearest", blind, // 300 tokens and 100 of thought
			func(f *billing.Facts) {
				f.Price.AudioIn, f.Price.Reasoning = money.At(6_000_000), money.At(40_000_000)
				f.Settlement = counted(settlement("s", 5_800), 300, 100, 0)
			},
			5_800, 5_800, 0, settled, nil,
		},
		{
			"the answer's own tell of all", whole, // 1,900 and 50 tokens, and a part of them that can't be read
			func(f *billing.Facts) {
				f.Price.AudioIn, f.Usage.Partial = money.At(8_000_000), true
				f.Usage.Tokens.Prompt, f.Settlement = 1_900, settlement("s", 9_000)
			},
			9_000, 4_300, 4_700, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"the seller's own counts that contradict themselves are none", blind,
			func(f *billing.Facts) {
				f.Shape = billing.Shape{BodyBytes: 6, PromptWhole: true, MaxOutput: 1}
				f.Settlement = counted(settlement("s", 90), 2, 1, 3)
			},
			90, 14, 76, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"the seller's own counts are believed where they can be true", blind, // 300 and 100 tokens cost 1,600
			func(f *billing.Facts) { f.Settlement = counted(settlement("s", 1_700), 300, 100, 0) },
			1_700, 1_700, 0, settled, nil,
		},
		{
			"and not further than that", blind, // 2,400 and 100 tokens cost 5,800
			func(f *billing.Facts) { f.Settlement = counted(settlement("s", 90_000), 1<<40, 1<<40, 0) },
			90_000, 5_800, 84_200, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"nobody thinks longer than was allowed", whole, // 100 and 100 tokens cost 1,200
			func(f *billing.Facts) { f.Usage.Tokens.Completion, f.Settlement = 5_000, settlement("s", 50_200) },
			50_200, 1_200, 49_000, settled,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"where nothing was said, long", whole,
			func(f *billing.Facts) {
				f.Shape.MaxOutput, f.Credit, f.Paid = 0, money.USD, money.USD
				f.Usage.Tokens.Completion, f.Settlement = 20_000, settlement("s", 200_200)
			},
			200_200, 200_200, 0, settled, nil,
		},
		{
			"where nothing was said, not for ever", whole, // 131,072 tokens
			func(f *billing.Facts) {
				f.Shape.MaxOutput, f.Credit, f.Paid = 0, 10*money.USD, 10*money.USD
				f.Usage.Tokens.Completion, f.Settlement = 900_000, settlement("s", 9_000_200)
			},
			9_000_200, 1_310_920, 9_000_200 - 1_310_920, settled,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"a system text that the server adds", whole, // 1,900 and 50 tokens
			func(f *billing.Facts) { f.Usage.Tokens.Prompt, f.Settlement = 1_900, settlement("s", 4_300) },
			4_300, 4_300, 0, settled, nil,
		},
		{
			"prompt tokens above what a body can have do not justify it", whole, // 2,400 and 50 tokens cost 5,300
			func(f *billing.Facts) { f.Usage.Tokens.Prompt, f.Settlement = 4_250, settlement("s", 9_000) },
			9_000, 5_300, 3_700, settled,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"nor do cached ones", whole, // 2,400, of them 60 cached, and 50 tokens
			func(f *billing.Facts) {
				f.Usage.Tokens.Prompt, f.Usage.Tokens.CacheRead, f.Settlement = 2_440, 100, settlement("s", 9_000)
			},
			9_000, 5_240, 3_760, settled,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"they are harmless where the settlement is small", whole, func(f *billing.Facts) { f.Usage.Tokens.Prompt, f.Settlement = 2_500, settlement("s", 700) },
			700, 700, 0, settled,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"a prompt that is not all in the body is larger than that", whole,
			func(f *billing.Facts) {
				f.Shape.PromptWhole, f.Credit, f.Paid = false, money.USD, money.USD
				f.Usage.Tokens.Prompt, f.Settlement = 150_000, settlement("s", 300_500)
			},
			300_500, 300_500, 0, settled, nil,
		},
		{
			"one that the web is searched for, too, and searches cost", whole,
			func(f *billing.Facts) {
				f.Shape.HostedTools, f.Credit, f.Paid, f.Price.WebSearch = true, 3*money.USD, 3*money.USD, money.At(10_000_000)
				f.Usage.Tokens.Prompt, f.Usage.Tokens.WebSearches, f.Settlement = 900_000, 5, settlement("s", 1_850_500)
			},
			1_850_500, 1_850_500, 0, settled, nil,
		},
		{
			"five searches that the usage does not tell", whole,
			func(f *billing.Facts) {
				f.Shape.HostedTools, f.Price.WebSearch, f.Settlement = true, money.At(10_000_000), settlement("s", 50_700)
			},
			50_700, 50_700, 0, settled, nil,
		},
		{
			"those that it tells are not more", whole, // 100 and 50 tokens, and a part of them that can't be read
			func(f *billing.Facts) {
				f.Shape.HostedTools, f.Price.WebSearch, f.Usage.Partial = true, money.At(10_000_000), true
				f.Usage.Tokens.WebSearches, f.Settlement = 5, settlement("s", 90_700)
			},
			90_700, 50_700, 40_000, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"and a usage that tells them is compared", whole,
			func(f *billing.Facts) {
				f.Shape.HostedTools, f.Price.WebSearch = true, money.At(1_000)
				f.Usage.Tokens.WebSearches, f.Settlement = 1, settlement("s", 1_200)
			},
			1_200, 701, 499, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"without a usage nobody has said that there were any", blind,
			func(f *billing.Facts) {
				f.Shape.HostedTools, f.Price.WebSearch, f.Settlement = true, money.At(10_000_000), settlement("s", 50_700)
			},
			50_700, 1_268, 49_432, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"nor where nothing could search", whole,
			func(f *billing.Facts) {
				f.Price.WebSearch, f.Usage.Partial, f.Settlement = money.At(10_000_000), true, settlement("s", 50_700)
			},
			50_700, 1_268, 49_432, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"nobody searches who was not asked", whole,
			func(f *billing.Facts) {
				f.Price.WebSearch, f.Usage.Tokens.WebSearches, f.Settlement = money.At(10_000_000), 5, settlement("s", 50_700)
			},
			50_700, 700, 50_000, settled,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"a usage that contradicts itself loses its parts", whole, // and what they were is not known: the bound
			func(f *billing.Facts) { f.Usage.Tokens.CacheRead, f.Settlement = 101, settlement("s", 9_000) },
			9_000, 1_268, 7_732, settled,
			[]string{billing.FlagUsageImplausible, billing.FlagOverbilled},
		},
		{
			"a part that can't be read is not held against the seller", whole,
			func(f *billing.Facts) { f.Usage.Partial, f.Settlement = true, settlement("s", 1_200) },
			1_200, 1_200, 0, settled, nil,
		},
		{
			"counting costs nothing", blind, func(f *billing.Facts) { f.Shape.Free = true },
			0, 0, 0, estimate, nil,
		},
		{
			"where the seller says nothing else", blind, // 134 tokens cost 268
			func(f *billing.Facts) { f.Shape.Free, f.Settlement = true, settlement("s", 5_000) },
			5_000, 268, 4_732, settled,
			[]string{billing.FlagOverbilled},
		},
		{
			"an embedding writes nothing", blind,
			func(f *billing.Facts) {
				f.Shape.NoCompletion, f.Usage = true, billing.Usage{Tokens: money.Tokens{Prompt: 90}, PromptKnown: true}
			},
			180, 180, 0, usage, nil,
		},
		{
			"whatever it says", blind,
			func(f *billing.Facts) {
				f.Shape.NoCompletion, f.Usage = true, billing.Usage{Tokens: money.Tokens{Prompt: 90, Completion: 7}, PromptKnown: true, CompletionKnown: true}
			},
			180, 180, 0, usage,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"and estimates nothing", blind, func(f *billing.Facts) { f.Shape.NoCompletion = true },
			200, 200, 0, estimate, nil,
		},
		{
			"words of no tokens", whole, func(f *billing.Facts) { f.Usage.Tokens.Completion = 0 }, // 100 and 100
			1_200, 1_200, 0, estimate,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"thought that an API does not count among what is written", whole,
			func(f *billing.Facts) { f.Usage.Tokens.Completion, f.Usage.Tokens.Reasoning = 10, 40 },
			700, 700, 0, usage, nil,
		},
		{
			"and that is all of it", whole,
			func(f *billing.Facts) {
				f.AnswerText, f.Usage.Tokens.Completion, f.Usage.Tokens.Reasoning = 0, 0, 50
			},
			700, 700, 0, usage, nil,
		},
		{
			"thought past counting", whole, // 100 and 100
			func(f *billing.Facts) {
				f.Usage.Tokens.Completion, f.Usage.Tokens.Reasoning = math.MaxInt64-1, math.MaxInt64
			},
			1_200, 1_200, 0, usage,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"an answer that is all thought", whole,
			func(f *billing.Facts) { f.Usage.Tokens.Reasoning = 50 },
			700, 700, 0, usage, nil,
		},
		{
			"an own account is believed", own,
			func(f *billing.Facts) { f.Usage.Tokens.Prompt, f.Usage.Tokens.Completion = 2_000_000, 200_000 },
			6_000_000, 6_000_000, 0, usage, nil,
		},
		{
			"also as far as it has come", own, // 2,000,000 and 100
			func(f *billing.Facts) {
				f.Whole, f.Usage.CompletionKnown, f.Usage.Tokens.Prompt = false, false, 2_000_000
			},
			4_000_000, 4_000_000, 0, estimate, nil,
		},
		{"usage", whole, nil, 700, 700, 0, usage, nil},
		{"usage with cached tokens", whole, func(f *billing.Facts) { f.Usage.Tokens.CacheRead = 40 }, 660, 660, 0, usage, nil},
		{"usage of nothing", whole, func(f *billing.Facts) { f.AnswerText, f.Usage.Tokens = 0, money.Tokens{} }, 0, 0, 0, usage, nil},
		{"usage above the credit", whole, func(f *billing.Facts) { f.Credit = 699 }, 699, 699, 0, usage, []string{billing.FlagCapped}},
		{"usage above the money", whole, func(f *billing.Facts) { f.Paid = 699 }, 699, 699, 0, usage, []string{billing.FlagCapped}},
		{"usage of a class without a price", whole, func(f *billing.Facts) { f.Price.Output = money.Unknown }, 50_000, 50_000, 0, estimate, nil},
		{
			"usage above what the body can have", whole, func(f *billing.Facts) { f.Usage.Tokens.Prompt = 1 << 40 }, // 2,400 and 50 tokens
			5_300, 5_300, 0, usage,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"usage with parts above the whole", whole, func(f *billing.Facts) { f.Usage.Tokens.CacheRead = 101 },
			700, 700, 0, usage,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"a class below zero", whole, // 100 and 100
			func(f *billing.Facts) { f.Usage.Tokens.Completion, f.Usage.Tokens.Reasoning = -1, 50 },
			1_200, 1_200, 0, estimate,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"a prompt below zero", whole, func(f *billing.Facts) { f.Usage.Tokens.Prompt = -1 },
			700, 700, 0, estimate,
			[]string{billing.FlagUsageImplausible},
		},
		{
			"parts of what is not final", blind, func(f *billing.Facts) { f.Usage.Tokens = money.Tokens{CacheRead: 40, Reasoning: 40} },
			1_200, 1_200, 0, estimate, nil,
		},
		{"usage when the body's length is unknown", whole, func(f *billing.Facts) { f.Shape.BodyBytes, f.Usage.Tokens.Prompt = 0, 9_000 }, 18_500, 18_500, 0, usage, nil},
		{"usage that is final of a cut answer", cut, nil, 700, 700, 0, estimate, nil},
		{"the prompt's alone", cut, func(f *billing.Facts) { f.Usage.CompletionKnown, f.Usage.Tokens.Prompt = false, 30 }, 1_060, 1_060, 0, estimate, nil},
		{"text", blind, nil, 1_200, 1_200, 0, estimate, nil},
		{"text of a cut answer", blind, func(f *billing.Facts) { f.Whole, f.AnswerText = false, 4 }, 210, 210, 0, estimate, nil},
		{"never above the bound", blind, func(f *billing.Facts) { f.AnswerText = 1 << 50 }, 1_200, 1_200, 0, estimate, nil},
		{"an image in the answer", blind, func(f *billing.Facts) { f.Shape.MaxOutput, f.AnswerText, f.AnswerMedia = 0, 0, 2_000 }, 20_200, 20_200, 0, estimate, nil},
		{"an image in the prompt", blind, func(f *billing.Facts) { f.Shape.BodyBytes, f.Shape.PromptTokens = 1<<20, 2_100 }, 4_150, 4_150, 0, estimate, nil},
		{"text, and what it goes on from", blind, func(f *billing.Facts) { f.Shape.ContinuedTokens = 50 }, 1_300, 1_300, 0, estimate, nil},
		{"text above the credit", blind, func(f *billing.Facts) { f.Credit = 0 }, 0, 0, 0, estimate, []string{billing.FlagCapped}},
		{"no price", blind, func(f *billing.Facts) { f.Price = money.NoPrice }, 50_000, 50_000, 0, estimate, nil},
		{
			"no price, and most of the money is gone", blind, func(f *billing.Facts) { f.Price, f.Borne = money.NoPrice, 92_000 },
			8_000, 8_000, 0, estimate,
			[]string{billing.FlagCapped},
		},
		{"a price, and most of the money is gone", whole, func(f *billing.Facts) { f.Borne = 99_900 }, 700, 700, 0, usage, nil},
		{"no price, and usage", whole, func(f *billing.Facts) { f.Price = money.NoPrice }, 50_000, 50_000, 0, estimate, nil},
		{"no answer", blind, func(f *billing.Facts) { f.Answered = false }, 0, 0, 0, estimate, nil},
		{"no answer and no price", blind, func(f *billing.Facts) { f.Answered, f.Price = false, money.NoPrice }, 0, 0, 0, estimate, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.facts
			if tt.change != nil {
				tt.change(&f)
			}
			c := billing.Bill(f)
			got := fmt.Sprint(c.Billed, c.Expense, c.Disputed, c.Source)
			if want := fmt.Sprint(tt.billed, tt.expense, tt.disputed, tt.source); got != want {
				t.Errorf("billed, expense, disputed, source: %s, want %s", got, want)
			}
			if !slices.Equal(c.Flags, tt.flags) {
				t.Errorf("flags %v, want %v", c.Flags, tt.flags)
			}
			if (c.Settled != nil) != (tt.source == settled && !f.Covered) {
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
