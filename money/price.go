package money

import (
	"math"
	"math/bits"
)

// Unknown stands for a price that nobody has named. It is not zero: zero is a price.
const Unknown Micros = -1

// Price is what a seller asks for a million tokens of each class; a class may be Unknown.
type Price struct {
	Input      Micros // prompt tokens that were not cached
	Output     Micros // completion tokens
	CacheRead  Micros // prompt tokens that were read from the seller's cache
	CacheWrite Micros // prompt tokens that were written to it
}

// NoPrice is the price of a model that is listed without one.
var NoPrice = Price{Input: Unknown, Output: Unknown, CacheRead: Unknown, CacheWrite: Unknown}

// Tokens counts what an inference used. Prompt is all of the prompt; CacheRead and CacheWrite are parts of it.
type Tokens struct {
	Prompt     int64
	Completion int64
	CacheRead  int64
	CacheWrite int64
}

// Cost is tokens times price over all classes, summed in 128 bits and rounded up once, to the micro. It is not known
// when a class that was used has no price, or when the counts make no sense (negative, or parts above the whole).
func (p Price) Cost(t Tokens) (cost Micros, known bool) {
	plain := t.Prompt - t.CacheRead - t.CacheWrite
	if t.Prompt < 0 || t.Completion < 0 || t.CacheRead < 0 || t.CacheWrite < 0 || plain < 0 || plain > t.Prompt {
		return 0, false
	}
	var hi, lo uint64
	for _, c := range [...]struct {
		tokens int64
		price  Micros
	}{{plain, p.Input}, {t.CacheRead, p.CacheRead}, {t.CacheWrite, p.CacheWrite}, {t.Completion, p.Output}} {
		if c.tokens == 0 {
			continue
		}
		if c.price < 0 {
			return 0, false
		}
		h, l := bits.Mul64(uint64(c.tokens), uint64(c.price))
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi += h + carry
	}
	const million = 1_000_000
	lo, carry := bits.Add64(lo, million-1, 0)
	hi += carry
	if hi >= million {
		return math.MaxInt64, true
	}
	q, _ := bits.Div64(hi, lo, million)
	if q > math.MaxInt64 {
		return math.MaxInt64, true
	}
	return Micros(q), true
}
