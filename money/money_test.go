package money

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for s, want := range map[string]Micros{
		"5": 5 * USD, "0.10": 100_000, "0": 0, "0.25": 250_000, "0.000001": 1, "1.5": 1_500_000, "007": 7 * USD,
		"00000000005": 5 * USD, "1000000000": Max, "1000000000.000000": Max, "999999999.999999": Max - 1, "0.123456": 123_456,
	} {
		if got, err := Parse(s); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "$", "$5", "$0.25", ".", ".5", "5.", "-1", "+1", "1e3", "1,5", "1_000", " 5", "5 ", "0.0000001", "1.2.3", "$$5", "5$", "five", "٥",
		"0x10", "NaN", "Inf", "1.-5", "1.f", "$-1",
	} {
		if got, err := Parse(s); err == nil || got != 0 || !strings.Contains(err.Error(), "write a decimal number") {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"1000000000.000001", "9999999999", "10000000000", "99999999999999999999", "9223372036855"} {
		if got, err := Parse(s); err == nil || got != 0 || !strings.Contains(err.Error(), "more than the largest amount") {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
}

func TestString(t *testing.T) {
	for m, want := range map[Micros]string{
		0: "0.00", USD: "1.00", -USD: "-1.00", 125: "0.000125", -125: "-0.000125", 100_000: "0.10", 1_230_000: "1.23",
		1_234_000: "1.234", 10 * USD: "10.00", Max: "1000000000.00",
		math.MaxInt64: "9223372036854.775807", math.MinInt64: "-9223372036854.775808",
	} {
		if got := m.String(); got != want {
			t.Errorf("%d: %s, want %s", int64(m), got, want)
		}
	}
}

func TestAdd(t *testing.T) {
	for _, tc := range []struct{ a, b, want Micros }{
		{1, 2, 3},
		{-1, 1, 0},
		{1, -5, -4},
		{-1, -2, -3},
		{math.MaxInt64, 1, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{math.MinInt64, -1, math.MinInt64},
		{math.MinInt64, math.MinInt64, math.MinInt64},
		{math.MinInt64, math.MaxInt64, -1},
		{math.MaxInt64, -1, math.MaxInt64 - 1},
	} {
		if got := tc.a.Add(tc.b); got != tc.want {
			t.Errorf("%d + %d = %d, want %d", int64(tc.a), int64(tc.b), int64(got), int64(tc.want))
		}
	}
}

func TestPart(t *testing.T) {
	for _, tc := range []struct{ m, part, whole, want Micros }{
		{100, 1, 3, 33},
		{-100, 1, 3, -33},
		{100, 3, 3, 100},
		{100, 0, 3, 0},
		{100, 0, 0, 0},
		{100, 3, 0, 0},
		{math.MaxInt64, Max, Max, math.MaxInt64},
		{math.MinInt64, Max, Max, math.MinInt64},
		{math.MaxInt64, Max, math.MaxInt64, Max},
	} {
		if got := tc.m.Part(tc.part, tc.whole); got != tc.want {
			t.Errorf("%d of %d in %d is %d, want %d", int64(tc.m), int64(tc.part), int64(tc.whole), int64(got), int64(tc.want))
		}
	}
}

func TestCost(t *testing.T) {
	price := Price{Input: 1_250_000, Output: 10_000_000, CacheRead: 125_000, CacheWrite: 0}
	partly := Price{Input: 1_000_000, Output: 2_000_000, CacheRead: Unknown, CacheWrite: Unknown}
	classes := Price{
		Input: 1_000_000, Output: 10_000_000, CacheRead: 500_000, CacheWrite: 2_000_000, CacheWrite1h: At(3_000_000),
		AudioIn: At(7_000_000), ImageIn: At(8_000_000), AudioOut: At(20_000_000), ImageOut: At(30_000_000), Reasoning: At(40_000_000),
		WebSearch: At(10_000_000),
	}
	for name, tc := range map[string]struct {
		price  Price
		tokens Tokens
		want   Micros // -1: not known
	}{
		"nothing":                  {price, Tokens{}, 0},
		"plain":                    {price, Tokens{Prompt: 1000, Completion: 100}, 2250},
		"cached is part of it":     {price, Tokens{Prompt: 1000, CacheRead: 400}, 800},
		"written is part of it":    {price, Tokens{Prompt: 1000, CacheWrite: 1000}, 0},
		"rounded up":               {price, Tokens{Prompt: 1}, 2},
		"rounded up once":          {Price{Input: 400_000, Output: 400_000}, Tokens{Prompt: 1, Completion: 1}, 1},
		"exact is not rounded":     {price, Tokens{Prompt: 4}, 5},
		"one token for nothing":    {Price{}, Tokens{Prompt: 5, Completion: 5}, 0},
		"unknown and not used":     {partly, Tokens{Prompt: 10, Completion: 10}, 30},
		"no price of its own":      {partly, Tokens{Prompt: 10, CacheRead: 1, CacheWrite: 2}, 10},
		"nor what contains it":     {Price{Input: Unknown, CacheRead: Unknown}, Tokens{Prompt: 10, CacheRead: 1}, -1},
		"kept for an hour":         {classes, Tokens{Prompt: 10, CacheWrite: 6, CacheWrite1h: 4}, 4 + 2*2 + 4*3},
		"an hour as any":           {partly, Tokens{Prompt: 10, CacheWrite: 6, CacheWrite1h: 4}, 10},
		"more for an hour":         {classes, Tokens{Prompt: 10, CacheWrite: 3, CacheWrite1h: 4}, -1},
		"media in":                 {classes, Tokens{Prompt: 10, AudioIn: 2, ImageIn: 3}, 5 + 2*7 + 3*8},
		"media in, kept an hour":   {classes, Tokens{Prompt: 10, AudioIn: 8, CacheWrite: 6, CacheWrite1h: 4}, 8*7 + 2*3},
		"media in, cached":         {classes, Tokens{Prompt: 10, AudioIn: 8, CacheRead: 10}, 8*7 + 1}, // 2 at half a micro
		"media out":                {classes, Tokens{Completion: 10, AudioOut: 2, ImageOut: 3, Reasoning: 1}, 4*10 + 2*20 + 3*30 + 40},
		"thought aloud":            {classes, Tokens{Completion: 10, AudioOut: 8, Reasoning: 10}, 8*20 + 2*40},
		"media without a price":    {partly, Tokens{Prompt: 10, AudioIn: 2, Completion: 5, ImageOut: 5}, 10 + 10},
		"more media than prompt":   {classes, Tokens{Prompt: 10, AudioIn: 6, ImageIn: 6}, -1},
		"more media than answer":   {classes, Tokens{Completion: 10, AudioOut: 11}, -1},
		"both more than answer":    {classes, Tokens{Completion: 10, AudioOut: 6, ImageOut: 6}, -1},
		"more audio than prompt":   {classes, Tokens{Prompt: 10, AudioIn: 11}, -1},
		"more cached than prompt":  {classes, Tokens{Prompt: 10, CacheRead: 11}, -1},
		"cached for nothing":       {Price{Input: 1_000_000}, Tokens{Prompt: 3, CacheRead: 2}, 1},
		"more thought than answer": {classes, Tokens{Completion: 10, Reasoning: 11}, -1},
		"five searches":            {classes, Tokens{Prompt: 1, WebSearches: 5}, 1 + 50_000},
		"searches without a price": {partly, Tokens{Prompt: 1, WebSearches: 5}, 1},
		"searches past counting":   {classes, Tokens{WebSearches: math.MaxInt64}, math.MaxInt64},
		"searches that wrap":       {classes, Tokens{WebSearches: 1 << 61}, math.MaxInt64}, // times a thousand: zero
		"no price":                 {NoPrice, Tokens{Prompt: 1}, -1},
		"no price, nothing used":   {NoPrice, Tokens{}, 0},
		"all cached, no input":     {Price{Input: Unknown, CacheRead: 1_000_000}, Tokens{Prompt: 3, CacheRead: 3}, 3},
		"negative":                 {price, Tokens{Prompt: -1}, -1},
		"negative completion":      {price, Tokens{Completion: -1}, -1},
		"negative part":            {price, Tokens{Prompt: 5, CacheRead: -1}, -1},
		"parts above the whole":    {price, Tokens{Prompt: 5, CacheRead: 3, CacheWrite: 3}, -1},
		"parts that wrap around":   {price, Tokens{Prompt: 5, CacheRead: math.MaxInt64, CacheWrite: math.MaxInt64}, -1},
		"a sum past 64 bits":       {Price{Input: 1 << 31, Output: 1 << 31}, Tokens{Prompt: 1 << 32, Completion: 1 << 32}, 18_446_744_073_710},
		"rounded past 64 bits":     {Price{Input: 1<<32 - 1}, Tokens{Prompt: 1<<32 + 1}, 18_446_744_073_710}, // 2^64-1 over a million
		"past a signed count":      {Price{Input: 3_000_000}, Tokens{Prompt: 1 << 62}, math.MaxInt64},
		"the least past counting":  {Price{Input: 4_000_000}, Tokens{Prompt: 1 << 62}, math.MaxInt64}, // 2^64 micros
		"more than can be counted": {Price{Input: math.MaxInt64}, Tokens{Prompt: math.MaxInt64}, math.MaxInt64},
	} {
		got, known := tc.price.Cost(tc.tokens)
		if known != (tc.want >= 0) || known && got != tc.want || !known && got != 0 {
			t.Errorf("%s: %d, %v; want %d", name, int64(got), known, int64(tc.want))
		}
	}
}

func TestOwnPrice(t *testing.T) {
	var price Price
	if cost, known := price.Cost(Tokens{Prompt: 1, AudioIn: 1}); cost != 0 || !known || price.AudioIn.Named() {
		t.Error("a model for nothing is not for nothing")
	}
	price.Input = 5_000_000
	if cost, _ := price.Cost(Tokens{Prompt: 3, AudioIn: 1, CacheWrite: 1, CacheWrite1h: 1}); cost != 10 { // CacheWrite is named, and zero
		t.Errorf("what nobody has named is free: %d", int64(cost))
	}
	if At(Unknown).Named() || At(0) == (Own{}) || At(7).Or(1) != 7 || At(-1).Or(1) != 1 {
		t.Error("zero is a price, Unknown is none")
	}
	for _, p := range []Price{NoPrice, {Input: 1, Output: 2, CacheWrite1h: At(0), WebSearch: At(9)}} {
		raw, err := json.Marshal(p)
		var again Price
		if err == nil {
			err = json.Unmarshal(raw, &again)
		}
		if err != nil || again != p {
			t.Errorf("%v becomes %s, then %v: %v", p, raw, again, err)
		}
	}
	var old Price
	if err := json.Unmarshal([]byte(`{"Input":1,"Output":2,"CacheRead":-1,"CacheWrite":-1}`), &old); err != nil || old.Reasoning.Named() {
		t.Errorf("an old record names a price: %v, %v", old, err)
	}
	for _, broken := range []string{`"1"`, `1.5`, `{}`} {
		if err := json.Unmarshal([]byte(`{"AudioIn":`+broken+`}`), &old); err == nil {
			t.Errorf("%s is read as a price", broken)
		}
	}
	if got := (Price{Input: 3, CacheWrite: 4, AudioIn: At(9)}).DearestInput(); got != 9 {
		t.Errorf("the dearest is %d", int64(got))
	}
	if got := NoPrice.DearestInput(); got != Unknown {
		t.Errorf("the dearest of none is %d", int64(got))
	}
	asked, searched := Tokens{Prompt: 1}, Tokens{Prompt: 1, WebSearches: 1}
	if NoPrice.Covers(asked) || !price.Covers(asked) || price.Covers(searched) || !(Price{WebSearch: At(0)}).Covers(searched) {
		t.Error("what has no price is covered, or what has one is not")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"5", "0.10", "$0.25", "1000000000.000001", "-1", "1e3", "0.0000001", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := Parse(s)
		if err != nil {
			return
		}
		if m < 0 || m > Max {
			t.Fatalf("%q is %d", s, int64(m))
		}
		exact, ok := new(big.Rat).SetString(s)
		if !ok || exact.Cmp(big.NewRat(int64(m), int64(USD))) != 0 {
			t.Fatalf("%q was read as %d micros", s, int64(m))
		}
		if again, err := Parse(m.String()); err != nil || again != m {
			t.Fatalf("%q: %s was read as %d, %v", s, m, int64(again), err)
		}
	})
}

func FuzzString(f *testing.F) {
	for _, m := range []int64{0, 1, -1, int64(USD), math.MaxInt64, math.MinInt64} {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, m int64) {
		s := Micros(m).String()
		exact, ok := new(big.Rat).SetString(s)
		if !ok || exact.Cmp(big.NewRat(m, int64(USD))) != 0 {
			t.Fatalf("%d is written %s", m, s)
		}
		if m >= 0 && m <= int64(Max) {
			if got, err := Parse(s); err != nil || int64(got) != m {
				t.Fatalf("%s was read as %d, %v", s, int64(got), err)
			}
		}
	})
}

func FuzzCost(f *testing.F) {
	f.Add(int64(1_250_000), int64(10_000_000), int64(125_000), int64(0), int64(1000), int64(100), int64(10), int64(5))
	f.Add(int64(-1), int64(math.MaxInt64), int64(-1), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(0), int64(math.MaxInt64))
	f.Add(int64(1), int64(1), int64(1), int64(1), int64(5), int64(0), int64(math.MaxInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, input, output, read, written, prompt, completion, cacheRead, cacheWrite int64) {
		p := Price{Input: Micros(input), Output: Micros(output), CacheRead: Micros(read), CacheWrite: Micros(written)}
		got, known := p.Cost(Tokens{Prompt: prompt, Completion: completion, CacheRead: cacheRead, CacheWrite: cacheWrite})
		want, wantKnown := bigCost(p, prompt, completion, cacheRead, cacheWrite)
		if got != want || known != wantKnown {
			t.Fatalf("%d, %v; want %d, %v", int64(got), known, int64(want), wantKnown)
		}
	})
}

// bigCost is Cost in arithmetic that can't overflow.
func bigCost(p Price, prompt, completion, cacheRead, cacheWrite int64) (Micros, bool) {
	plain := new(big.Int).Sub(big.NewInt(prompt), big.NewInt(cacheRead))
	plain.Sub(plain, big.NewInt(cacheWrite))
	orInput := func(m Micros) Micros {
		if m < 0 {
			return p.Input
		}
		return m
	}
	sum := new(big.Int)
	for _, c := range []struct {
		tokens *big.Int
		price  Micros
	}{
		{plain, p.Input},
		{big.NewInt(cacheRead), orInput(p.CacheRead)},
		{big.NewInt(cacheWrite), orInput(p.CacheWrite)},
		{big.NewInt(completion), p.Output},
	} {
		if c.tokens.Sign() < 0 || prompt < 0 || c.tokens.Sign() > 0 && c.price < 0 {
			return 0, false
		}
		if c.tokens.Sign() > 0 {
			sum.Add(sum, new(big.Int).Mul(c.tokens, big.NewInt(int64(c.price))))
		}
	}
	sum.Add(sum, big.NewInt(999_999))
	sum.Quo(sum, big.NewInt(1_000_000))
	if !sum.IsInt64() {
		return math.MaxInt64, true
	}
	return Micros(sum.Int64()), true
}

func BenchmarkCost(b *testing.B) {
	p := Price{Input: 1_250_000, Output: 10_000_000, CacheRead: 125_000}
	b.ReportAllocs()
	for b.Loop() {
		if _, known := p.Cost(Tokens{Prompt: 12345, Completion: 678, CacheRead: 9000}); !known {
			b.Fatal("not known")
		}
	}
}
