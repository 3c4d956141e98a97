package ledger_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
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
	// 100 prompt tokens and 50 of the answer cost 700 micros.
	whole := ledger.Facts{
		RequestID: "r1", ClientID: "c1", PromptBytes: 400, AnswerBytes: 300, Answered: true, Whole: true,
		Usage: money.Tokens{Prompt: 100, Completion: 50}, UsageKnown: true, Price: price, Credit: 100_000,
	}
	cut := whole
	cut.Whole = false
	blind := whole // no usage: 400/4 = 100 and 300/3 = 100 tokens cost 1,200
	blind.UsageKnown, blind.Usage = false, money.Tokens{}
	const settled, usage, estimate = ledger.SourceSettlement, ledger.SourceUsage, ledger.SourceEstimate

	for _, tt := range []struct {
		name                      string
		facts                     ledger.Facts
		change                    func(*ledger.Facts)
		billed, expense, disputed money.Micros
		source                    ledger.Source
		flags                     []string
	}{
		{"settlement", whole, func(f *ledger.Facts) { f.Settlement = settlement("s", 700) }, 700, 700, 0, settled, nil},
		{
			"replayed settlement that covers a retry", whole,
			func(f *ledger.Facts) { f.Replayed, f.Covered, f.Settlement = true, true, settlement("s", 5) },
			0, 0, 0, settled,
			[]string{ledger.FlagSettlementReplayed},
		},
		{"settlement without an id", whole, func(f *ledger.Facts) { f.Settlement = settlement("", 700) }, 700, 700, 0, settled, nil},
		{"settlement below the cost", whole, func(f *ledger.Facts) { f.Settlement = settlement("s", 1) }, 1, 1, 0, settled, nil},
		{"settlement of nothing", whole, func(f *ledger.Facts) { f.Settlement = settlement("s", 0) }, 0, 0, 0, settled, nil},
		{"settlement of all the credit", whole, func(f *ledger.Facts) { f.Credit, f.Settlement = 700, settlement("s", 700) }, 700, 700, 0, settled, nil},
		{
			"settlement though no answer came", whole,
			func(f *ledger.Facts) { f.Answered, f.Whole, f.Settlement = false, false, settlement("s", 9) },
			9, 9, 0, settled, nil,
		},
		{"settlement names the request", whole, func(f *ledger.Facts) { f.Settlement = named(settlement("s", 650), "r1") }, 650, 650, 0, settled, nil},
		{"settlement names the client's id", whole, func(f *ledger.Facts) { f.Settlement = named(settlement("s", 650), "c1") }, 650, 650, 0, settled, nil},
		{
			"settlement of another request", whole, func(f *ledger.Facts) { f.Settlement = named(settlement("s", 650), "r2") },
			700, 700, 0, usage,
			[]string{ledger.FlagSettlementRefused},
		},
		{
			"negative settlement", whole, func(f *ledger.Facts) { f.Settlement = settlement("s", -1) },
			700, 700, 0, usage,
			[]string{ledger.FlagSettlementRefused},
		},
		{
			"settlement without an amount", whole, func(f *ledger.Facts) { f.Settlement = &wire.Settlement{SettlementID: "s"} },
			700, 700, 0, usage,
			[]string{ledger.FlagSettlementRefused},
		},
		{
			"settlement above the credit", whole, func(f *ledger.Facts) { f.Credit, f.Settlement = 800, settlement("s", 801) },
			700, 700, 0, usage,
			[]string{ledger.FlagSettlementRefused},
		},
		{
			"replayed settlement", whole, func(f *ledger.Facts) { f.Replayed, f.Settlement = true, settlement("s", 5) },
			700, 700, 0, usage,
			[]string{ledger.FlagSettlementReplayed},
		},
		{"overbilled by just a hundred micros", whole, func(f *ledger.Facts) { f.Settlement = settlement("s", 800) }, 800, 800, 0, settled, nil},
		{
			"overbilled", whole, func(f *ledger.Facts) { f.Settlement = settlement("s", 801) },
			801, 700, 101, settled,
			[]string{ledger.FlagOverbilled},
		},
		{
			"overbilled by just one percent", whole,
			func(f *ledger.Facts) {
				f.PromptBytes, f.Usage.Prompt, f.Settlement = 0, 10_000, settlement("s", 20_705)
			},
			20_705, 20_705, 0, settled, nil,
		},
		{
			"overbilled by more than one percent", whole,
			func(f *ledger.Facts) {
				f.PromptBytes, f.Usage.Prompt, f.Settlement = 0, 10_000, settlement("s", 20_706)
			},
			20_706, 20_500, 206, settled,
			[]string{ledger.FlagOverbilled},
		},
		{"a class without a price is not compared", whole, func(f *ledger.Facts) { f.Price.Output, f.Settlement = money.Unknown, settlement("s", 9_000) }, 9_000, 9_000, 0, settled, nil},
		{"a cut answer is not compared", cut, func(f *ledger.Facts) { f.Settlement = settlement("s", 9_000) }, 9_000, 9_000, 0, settled, nil},
		{"the seller's own counts are not compared", blind, func(f *ledger.Facts) { f.Settlement = counted(settlement("s", 9_000), 1, 1, 0) }, 9_000, 9_000, 0, settled, nil},
		{
			"prompt tokens above the body's bytes do not justify it", whole, // 99 and 50 tokens cost 698
			func(f *ledger.Facts) { f.PromptBytes, f.Usage.Prompt, f.Settlement = 99, 4_250, settlement("s", 9_000) },
			9_000, 698, 8_302, settled,
			[]string{ledger.FlagUsageImplausible, ledger.FlagOverbilled},
		},
		{
			"nor do cached ones", whole, // 60, of them 20 cached, and 50 tokens
			func(f *ledger.Facts) {
				f.PromptBytes, f.Usage.Prompt, f.Usage.CacheRead, f.Settlement = 60, 140, 100, settlement("s", 9_000)
			},
			9_000, 600, 8_400, settled,
			[]string{ledger.FlagUsageImplausible, ledger.FlagOverbilled},
		},
		{
			"they are harmless where the settlement is small", whole, func(f *ledger.Facts) { f.PromptBytes, f.Settlement = 99, settlement("s", 700) },
			700, 700, 0, settled,
			[]string{ledger.FlagUsageImplausible},
		},
		{
			"a prompt that goes on from another is larger than its body", whole,
			func(f *ledger.Facts) { f.Continued, f.PromptBytes, f.Settlement = true, 9, settlement("s", 700) },
			700, 700, 0, settled, nil,
		},
		{
			"a usage that contradicts itself is not compared", whole,
			func(f *ledger.Facts) { f.Usage.CacheRead, f.Settlement = 101, settlement("s", 9_000) },
			9_000, 9_000, 0, settled,
			[]string{ledger.FlagUsageImplausible},
		},
		{"usage", whole, nil, 700, 700, 0, usage, nil},
		{"usage with cached tokens", whole, func(f *ledger.Facts) { f.Usage.CacheRead = 40 }, 660, 660, 0, usage, nil},
		{"usage of nothing", whole, func(f *ledger.Facts) { f.Usage = money.Tokens{} }, 0, 0, 0, usage, nil},
		{"usage above the credit", whole, func(f *ledger.Facts) { f.Credit = 699 }, 699, 699, 0, usage, []string{ledger.FlagCapped}},
		{"usage of a class without a price", whole, func(f *ledger.Facts) { f.Price.Output = money.Unknown }, 50_000, 50_000, 0, estimate, nil},
		{
			"usage above the body's bytes", whole, func(f *ledger.Facts) { f.PromptBytes = 99 }, // 24 and 100 tokens
			1_048, 1_048, 0, estimate, []string{ledger.FlagUsageImplausible},
		},
		{
			"usage with parts above the whole", whole, func(f *ledger.Facts) { f.Usage.CacheRead = 101 },
			1_200, 1_200, 0, estimate,
			[]string{ledger.FlagUsageImplausible},
		},
		{
			"negative usage", whole, func(f *ledger.Facts) { f.Usage.Completion = -1 },
			1_200, 1_200, 0, estimate,
			[]string{ledger.FlagUsageImplausible},
		},
		{"usage when the body's length is unknown", whole, func(f *ledger.Facts) { f.PromptBytes, f.Usage.Prompt = 0, 1_000 }, 2_500, 2_500, 0, usage, nil},
		{"usage seen of a cut answer", cut, nil, 700, 700, 0, estimate, nil},
		{"bytes", blind, nil, 1_200, 1_200, 0, estimate, nil},
		{"bytes of a cut answer", blind, func(f *ledger.Facts) { f.Whole, f.AnswerBytes = false, 3 }, 210, 210, 0, estimate, nil},
		{"bytes above the credit", blind, func(f *ledger.Facts) { f.Credit = 0 }, 0, 0, 0, estimate, []string{ledger.FlagCapped}},
		{"no price", blind, func(f *ledger.Facts) { f.Price = money.NoPrice }, 50_000, 50_000, 0, estimate, nil},
		{"no price, and usage", whole, func(f *ledger.Facts) { f.Price = money.NoPrice }, 50_000, 50_000, 0, estimate, nil},
		{"no answer", blind, func(f *ledger.Facts) { f.Answered = false }, 0, 0, 0, estimate, nil},
		{"no answer and no price", blind, func(f *ledger.Facts) { f.Answered, f.Price = false, money.NoPrice }, 0, 0, 0, estimate, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.facts
			if tt.change != nil {
				tt.change(&f)
			}
			c := ledger.Bill(f)
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
		facts ledger.Facts
		want  money.Tokens
	}{
		{"of the answer", ledger.Facts{Usage: own, UsageKnown: true, Settlement: said, Credit: 1}, own},
		{"of the settlement", ledger.Facts{Settlement: said, Credit: 1}, money.Tokens{Prompt: 7, CacheRead: 1 << 40}},
		{"not of a refused settlement", ledger.Facts{Settlement: said}, money.Tokens{}},
		{"implausible ones too", ledger.Facts{Usage: own, UsageKnown: true, PromptBytes: 1}, own},
		{"never below zero", ledger.Facts{Usage: money.Tokens{Prompt: -4, Completion: 3}, UsageKnown: true}, money.Tokens{Completion: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ledger.Bill(tt.facts).Tokens; got != tt.want {
				t.Errorf("tokens %+v, want %+v", got, tt.want)
			}
		})
	}
}
