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
		{
			"and no further, by all together", whole,
			func(f *billing.Facts) { f.Price, f.Borne, f.Settlement = money.NoPrice, 92_000, settlement("s", 9_000) },
			9_000, 8_000, 1_000, settled,
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
			"a class below zero", whole, func(f *billing.Facts) { f.Usage.Tokens.Completion = -1 }, // 100 and 100
			1_200, 1_200, 0, estimate,
			[]string{billing.FlagUsageImplausible},
		},
		{"usage when the body's length is unknown", whole, func(f *billing.Facts) { f.Shape.BodyBytes, f.Usage.Tokens.Prompt = 0, 1_000 }, 2_500, 2_500, 0, usage, nil},
		{"usage that is final of a cut answer", cut, nil, 700, 700, 0, estimate, nil},
		{"the prompt's alone", cut, func(f *billing.Facts) { f.Usage.CompletionKnown, f.Usage.Tokens.Prompt = false, 30 }, 1_060, 1_060, 0, estimate, nil},
		{"text", blind, nil, 1_200, 1_200, 0, estimate, nil},
		{"text of a cut answer", blind, func(f *billing.Facts) { f.Whole, f.AnswerText = false, 4 }, 210, 210, 0, estimate, nil},
		{"never above the bound", blind, func(f *billing.Facts) { f.AnswerText = 1 << 50 }, 1_200, 1_200, 0, estimate, nil},
		{"an image in the answer", blind, func(f *billing.Facts) { f.Shape.MaxOutput, f.AnswerText, f.AnswerMedia = 0, 0, 2_000 }, 20_200, 20_200, 0, estimate, nil},
		{"an image in the prompt", blind, func(f *billing.Facts) { f.Shape.BodyBytes, f.Shape.PromptTokens = 1<<20, 2_100 }, 4_150, 4_150, 0, estimate, nil},
		{"text above the credit", blind, func(f *billing.Facts) { f.Credit = 0 }, 0, 0, 0, estimate, []string{billing.FlagCapped}},
		{"no price", blind, func(f *billing.Facts) { f.Price = money.NoPrice }, 50_000, 50_000, 0, estimate, nil},
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
	own := money.Tokens{Prompt: 10, Completion: 5, CacheRead: 2}
	said := settlement("s", 1)
	said.PromptTokens, said.CacheReadTokens = new(int64(7)), new(int64(1)<<50)
	for _, tt := range []struct {
		name  string
		facts billing.Facts
		want  money.Tokens
	}{
		{"of the answer", billing.Facts{Usage: billing.Usage{Tokens: own, PromptKnown: true, CompletionKnown: true}, Settlement: said, Credit: 1}, own},
		{"of the settlement", billing.Facts{Settlement: said, Credit: 1}, money.Tokens{Prompt: 7, CacheRead: 1 << 40}},
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
