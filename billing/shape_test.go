package billing_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

func TestBoundAndLikely(t *testing.T) {
	dear := price
	dear.CacheWrite1h, dear.Reasoning = money.At(4_000_000), money.At(20_000_000)
	plain := billing.Shape{BodyBytes: 3_000, PromptWhole: true, MaxOutput: 100}
	for _, tt := range []struct {
		name          string
		shape         billing.Shape
		price         money.Price
		typical       int64
		bound, likely money.Micros
	}{
		{"a third of the bytes, and the limit", plain, price, billing.NotSeen, 3_000, 3_000},
		{"the bytes are rounded up", billing.Shape{BodyBytes: 3_001, MaxOutput: 100}, price, billing.NotSeen, 3_002, 3_002},
		{"media in their places", billing.Shape{BodyBytes: 1 << 20, PromptTokens: 2_100, MaxOutput: 100}, price, billing.NotSeen, 5_200, 5_200},
		{"what it goes on from", billing.Shape{BodyBytes: 3_000, ContinuedTokens: 500, MaxOutput: 100}, price, billing.NotSeen, 4_000, 4_000},
		{"no limit", billing.Shape{BodyBytes: 3_000}, price, billing.NotSeen, 83_920, 83_920},
		{"no limit, and short answers", billing.Shape{BodyBytes: 3_000}, price, 50, 83_920, 2_500},
		{"no limit, and long answers", billing.Shape{BodyBytes: 3_000}, price, 50_000, 83_920, 502_000},
		{"a high limit", billing.Shape{BodyBytes: 3_000, MaxOutput: 64_000}, price, billing.NotSeen, 642_000, 83_920},
		{"a high limit that is passed on", billing.Shape{BodyBytes: 3_000, PassedOutput: 64_000}, price, billing.NotSeen, 642_000, 83_920},
		{"a low limit that is passed on", billing.Shape{BodyBytes: 3_000, PassedOutput: 100}, price, billing.NotSeen, 83_920, 83_920},
		{"a high limit, and short answers", billing.Shape{BodyBytes: 3_000, MaxOutput: 64_000}, price, 50, 642_000, 2_500},
		{"answers longer than the limit", plain, price, 400, 3_000, 3_000},
		{"four answers", billing.Shape{BodyBytes: 3_000, MaxOutput: 100, Answers: 4}, price, 50, 6_000, 4_000},
		{"the dearest classes", plain, dear, billing.NotSeen, 4_000 + 2_000, 3_000},
		{"the dearest where the plain ones are free", plain, money.Price{CacheWrite: 4_000_000, Reasoning: money.At(20_000_000)}, billing.NotSeen, 4_000 + 2_000, 0},
		{"embeddings", billing.Shape{BodyBytes: 3_000, NoCompletion: true}, price, billing.NotSeen, 2_000, 2_000},
		{"embeddings need no price of an answer", billing.Shape{BodyBytes: 3_000, NoCompletion: true}, money.Price{Input: 1_000_000, Output: money.Unknown}, 9, 1_000, 1_000},
		{"counting", billing.Shape{BodyBytes: 3_000, Free: true}, price, billing.NotSeen, 0, 0},
		{"no price", plain, money.NoPrice, billing.NotSeen, billing.PriceUnknown, billing.PriceUnknown},
		{"a price of a half", plain, money.Price{Input: 1, Output: money.Unknown}, billing.NotSeen, billing.PriceUnknown, billing.PriceUnknown},
		{"for nothing", plain, money.Price{}, billing.NotSeen, 0, 0},
		{"past counting", billing.Shape{BodyBytes: math.MaxInt64, ContinuedTokens: math.MaxInt64, MaxOutput: math.MaxInt64, Answers: math.MaxInt64}, price, 0, money.Max, money.Max},
		{"answers past counting", billing.Shape{BodyBytes: 3_000, MaxOutput: 1 << 62, Answers: 4}, price, 0, money.Max, 2_000 + 4*10}, // 2^64 tokens
		{"below zero", billing.Shape{BodyBytes: -5, PromptTokens: -5, ContinuedTokens: -5, MaxOutput: -5, Answers: -5}, price, 1, 81_920, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := billing.Bound(tt.shape, tt.price); got != tt.bound {
				t.Errorf("bound %d, want %d", int64(got), int64(tt.bound))
			}
			if got := billing.Likely(tt.shape, tt.typical, tt.price); got != tt.likely {
				t.Errorf("likely %d, want %d", int64(got), int64(tt.likely))
			}
		})
	}
}

// TestLikelyIsNeverAboveTheBound, for any request at any price, but where neither it nor the model's habit keeps it short.
func TestLikelyIsNeverAboveTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, p := drawShape(t), drawPrice(t)
		bound := billing.Bound(s, p)
		typical := rapid.Int64Range(-1, 1<<20).Draw(t, "typical")
		likely := billing.Likely(s, typical, p)
		if likely < 0 || likely > money.Max || bound > money.Max || likely > bound && (s.MaxOutput > 0 || typical <= billing.UsualOutput) {
			t.Fatalf("likely %d, bound %d", int64(likely), int64(bound))
		}
	})
}

func drawShape(t *rapid.T) billing.Shape {
	return billing.Shape{
		BodyBytes:       rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 400_000)).Draw(t, "bytes"),
		PromptTokens:    rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 200_000)).Draw(t, "prompt"),
		ContinuedTokens: rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 300_000)).Draw(t, "continued"),
		PromptWhole:     rapid.Bool().Draw(t, "whole"),
		HostedTools:     rapid.Bool().Draw(t, "tools"),
		MaxOutput:       rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 200_000)).Draw(t, "limit"),
		Answers:         rapid.Int64Range(0, 5).Draw(t, "answers"),
		NoCompletion:    rapid.IntRange(0, 7).Draw(t, "embeddings") == 0,
		Free:            rapid.IntRange(0, 7).Draw(t, "free") == 0,
	}
}

func drawPrice(t *rapid.T) money.Price {
	amount := rapid.OneOf(rapid.Just(money.Unknown), rapid.Map(rapid.Int64Range(0, 100_000_000), func(n int64) money.Micros { return money.Micros(n) }))
	own := rapid.Map(amount, money.At)
	return money.Price{
		Input: amount.Draw(t, "input"), Output: amount.Draw(t, "output"),
		CacheRead: amount.Draw(t, "cacheRead"), CacheWrite: amount.Draw(t, "cacheWrite"), CacheWrite1h: own.Draw(t, "cacheWrite1h"),
		AudioIn: own.Draw(t, "audioIn"), ImageIn: own.Draw(t, "imageIn"), AudioOut: own.Draw(t, "audioOut"),
		ImageOut: own.Draw(t, "imageOut"), Reasoning: own.Draw(t, "reasoning"), WebSearch: own.Draw(t, "webSearch"),
	}
}

func drawTokens(t *rapid.T) money.Tokens {
	n := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(-2, 1_000), rapid.Int64Range(0, 1<<41))
	return money.Tokens{
		Prompt: n.Draw(t, "promptTokens"), Completion: n.Draw(t, "completionTokens"), CacheRead: n.Draw(t, "read"), CacheWrite: n.Draw(t, "written"),
		CacheWrite1h: n.Draw(t, "written1h"), AudioIn: n.Draw(t, "heard"), ImageIn: n.Draw(t, "seen"), AudioOut: n.Draw(t, "said"),
		ImageOut: n.Draw(t, "drawn"), Reasoning: n.Draw(t, "thought"), WebSearches: n.Draw(t, "searches"),
	}
}
