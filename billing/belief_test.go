package billing_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// highest is what a usage that can be true costs at the most, by the contract: the prompt's tokens up to the body's bytes and 2,000,
// or what may come from elsewhere, and the limit.
func highest(s billing.Shape, p money.Price) money.Micros {
	prompt, output, searches := max(s.BodyBytes, s.PromptTokens+s.ContinuedTokens, s.BodyBytes/3+1+s.ContinuedTokens)+2_000, int64(131_072), int64(0)
	switch {
	case s.BodyBytes == 0:
		prompt = 1_000_000
	case s.HostedTools:
		prompt += 1_000_000
	case !s.PromptWhole:
		prompt += 200_000
	}
	if s.MaxOutput > 0 {
		output = s.MaxOutput
	}
	if output *= max(s.Answers, 1); s.NoCompletion || s.Free {
		output = 0
	}
	if s.HostedTools {
		searches = 100
	}
	p.Input = p.DearestInput()
	p.Output = max(p.Output, p.AudioOut.Or(-1), p.ImageOut.Or(-1), p.Reasoning.Or(-1))
	cost, _ := money.Price{Input: p.Input, Output: p.Output, WebSearch: p.WebSearch}.Cost(money.Tokens{Prompt: prompt, Completion: output, WebSearches: searches})
	return cost
}

func drawFacts(t *rapid.T) billing.Facts {
	f := billing.Facts{
		Shape: drawShape(t), Price: drawPrice(t), Answered: rapid.Bool().Draw(t, "answered"), Whole: rapid.Bool().Draw(t, "end"),
		Usage: billing.Usage{
			Tokens: drawTokens(t), PromptKnown: rapid.Bool().Draw(t, "promptKnown"), CompletionKnown: rapid.Bool().Draw(t, "completionKnown"),
			Partial: rapid.Bool().Draw(t, "partial"),
		},
		AnswerText: rapid.Int64Range(0, 1<<30).Draw(t, "text"), AnswerMedia: rapid.Int64Range(0, 10_000).Draw(t, "media"),
		Credit: money.Micros(rapid.Int64Range(0, int64(money.Max)).Draw(t, "credit")),
		Paid:   money.Micros(rapid.Int64Range(0, 100*int64(money.USD)).Draw(t, "paid")),
	}
	f.Borne = money.Micros(rapid.Int64Range(0, int64(f.Paid)).Draw(t, "borne"))
	f.Guessed = money.Micros(rapid.Int64Range(0, 100*int64(money.USD)).Draw(t, "guessed"))
	f.Returned = money.Micros(rapid.Int64Range(0, int64(min(f.Guessed, f.Borne))).Draw(t, "returned"))
	if rapid.Bool().Draw(t, "settles") {
		said := drawTokens(t)
		f.Settlement = &wire.Settlement{SettlementID: "s", BilledMicros: new(money.Micros(rapid.Int64Range(-5, int64(money.Max)).Draw(t, "billed")))}
		if rapid.Bool().Draw(t, "counts") {
			f.Settlement.PromptTokens, f.Settlement.CompletionTokens, f.Settlement.CacheReadTokens = &said.Prompt, &said.Completion, &said.CacheRead
		}
	}
	return f
}

// TestNobodyBearsMoreThanIsBelieved, whatever a seller says.
func TestNobodyBearsMoreThanIsBelieved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t)
		c := billing.Bill(f)
		bound, can := billing.Bound(f.Shape, f.Price), highest(f.Shape, f.Price)
		if f.Shape.Free {
			counted := f.Shape
			counted.Free, counted.NoCompletion = false, true
			bound = billing.Bound(counted, f.Price)
		}
		if f.Shape.HostedTools && !f.Price.WebSearch.Named() { // what searches cost is not known, and that they were made may be said
			can = can.Add(35_000 * money.Micros(min(max(f.Usage.Tokens.WebSearches, 0), 100)))
		}
		most := max(bound, can+max(can/100, 100))
		silent := !f.Usage.PromptKnown && !f.Usage.CompletionKnown
		if silent && f.Settlement != nil && f.Settlement.PromptTokens == nil && !f.Shape.NoCompletion && !f.Shape.HostedTools {
			most = bound
		}
		_, priced := f.Price.Cost(money.Tokens{Prompt: 1, Completion: 1})
		if _, embeds := f.Price.Cost(money.Tokens{Prompt: 1}); f.Shape.NoCompletion || f.Shape.Free {
			priced = embeds
		}
		if !priced {
			most = max(f.Paid-f.Borne+f.Returned, billing.PriceUnknown)
		}
		switch {
		case c.Expense < 0 || c.Disputed < 0 || c.Billed != c.Expense+c.Disputed:
			t.Fatalf("billed %d, expense %d, disputed %d", c.Billed, c.Expense, c.Disputed)
		case f.Own && f.Usage.Tokens.WebSearches > 0: // a usage with nothing but searches in it is believed there, whatever the tokens cost
		case c.Expense > most || c.Expense > f.Paid:
			t.Fatalf("expense %d, believed are %d, %d were paid: %+v", c.Expense, most, f.Paid, f)
		case c.Billed > f.Credit.Add(f.Guessed):
			t.Fatalf("billed %d of a credit of %d, and %d that were guessed", c.Billed, f.Credit, f.Guessed)
		case (c.Disputed > 0) != slices.Contains(c.Flags, billing.FlagOverbilled):
			t.Fatalf("disputed %d, flags %v", c.Disputed, c.Flags)
		case c.Settled == nil && c.Source == billing.SourceEstimate && c.Expense > max(bound, billing.PriceUnknown) && !f.Usage.PromptKnown && !f.Usage.CompletionKnown &&
			f.Usage.Tokens.WebSearches == 0:
			t.Fatalf("an estimate of %d above the bound, %d", c.Expense, bound)
		}
	})
}

// recordings are the usages of real answers.
func recordings(t testing.TB) map[string]money.Tokens {
	raw, err := os.ReadFile("../../shared/fixtures/manifest.json")
	if err != nil {
		t.Skip(err)
	}
	type details struct {
		Cached    int64 `json:"cached_tokens"`
		Reasoning int64 `json:"reasoning_tokens"`
	}
	var manifest []struct {
		File  string `json:"file"`
		Usage *struct {
			Prompt     int64   `json:"prompt_tokens"`
			Completion int64   `json:"completion_tokens"`
			Input      int64   `json:"input_tokens"`
			Output     int64   `json:"output_tokens"`
			Read       int64   `json:"cache_read_input_tokens"`
			Written    int64   `json:"cache_creation_input_tokens"`
			OfPrompt   details `json:"prompt_tokens_details"`
			OfAnswer   details `json:"completion_tokens_details"`
			OfInput    details `json:"input_tokens_details"`
			OfOutput   details `json:"output_tokens_details"`
			Server     struct {
				Searches int64 `json:"web_search_requests"`
			} `json:"server_tool_use"`
		} `json:"expected_usage"`
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	usages := map[string]money.Tokens{}
	for _, m := range manifest {
		u := m.Usage
		if u == nil {
			continue
		}
		usages[m.File] = money.Tokens{
			Prompt: u.Prompt + u.Input + u.Read + u.Written, Completion: u.Completion + u.Output,
			CacheRead: u.OfPrompt.Cached + u.OfInput.Cached + u.Read, CacheWrite: u.Written,
			Reasoning: u.OfAnswer.Reasoning + u.OfOutput.Reasoning, WebSearches: u.Server.Searches,
		}
	}
	if len(usages) < 40 {
		t.Fatalf("there are %d usages", len(usages))
	}
	return usages
}

// TestHonestBillsAreNeverDisputed, by what real answers have used, at any price and for any request that can have been answered so.
func TestHonestBillsAreNeverDisputed(t *testing.T) {
	usages := recordings(t)
	names := make([]string, 0, len(usages))
	for name := range usages {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "recording")
		used := usages[name]
		written := used.Completion
		if used.Reasoning > used.Completion { // not counted among them
			written += used.Reasoning
		}
		s := billing.Shape{PromptWhole: true, BodyBytes: max(used.Prompt*rapid.Int64Range(1, 6).Draw(t, "bytes"), 60)}
		for _, tool := range []string{"web-search", "mcp", "code-interpreter", "pause-turn"} {
			if strings.Contains(name, tool) {
				s.PromptWhole, s.HostedTools, s.BodyBytes, s.PromptTokens = false, true, 600, 32_200
			}
		}
		if rapid.Bool().Draw(t, "limited") {
			s.MaxOutput = written + rapid.Int64Range(1, 5_000).Draw(t, "limit")
		}
		amount := rapid.Map(rapid.Int64Range(1, 100_000_000), func(n int64) money.Micros { return money.Micros(n) })
		p := money.Price{
			Input: amount.Draw(t, "input"), Output: amount.Draw(t, "output"), CacheRead: amount.Draw(t, "read"), CacheWrite: amount.Draw(t, "write"),
		}
		if s.HostedTools {
			p.WebSearch = money.At(amount.Draw(t, "search"))
		}
		spent := used
		spent.Completion = written
		cost, known := p.Cost(spent)
		if !known {
			t.Fatalf("%s: %+v has no cost", name, spent)
		}
		f := billing.Facts{
			Shape: s, Price: p, Answered: true, Whole: rapid.Bool().Draw(t, "whole"), Usage: billing.Usage{Tokens: used, PromptKnown: true, CompletionKnown: true}, AnswerText: 4 * used.Completion,
			Credit: cost + money.USD, Paid: cost + money.USD,
			Settlement: &wire.Settlement{SettlementID: "s", BilledMicros: new(cost + money.Micros(rapid.IntRange(0, 10).Draw(t, "rounded")))},
		}
		if rapid.Bool().Draw(t, "silent") && used.WebSearches == 0 { // the settlement says it instead
			f.Usage = billing.Usage{}
			f.Settlement.PromptTokens, f.Settlement.CompletionTokens, f.Settlement.CacheReadTokens = &spent.Prompt, &spent.Completion, &spent.CacheRead
		}
		if c := billing.Bill(f); c.Disputed != 0 || c.Expense != c.Billed || c.Source != billing.SourceSettlement {
			t.Fatalf("%s: of %d are %d disputed: %+v", name, c.Billed, c.Disputed, f)
		}
	})
}
