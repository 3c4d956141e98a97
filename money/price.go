package money

import (
	"encoding/json"
	"math"
	"math/bits"
)

// Unknown stands for a price that nobody has named. It is not zero: zero is a price.
const Unknown Micros = -1

// Price is what a seller asks for a million tokens of each class, and for a thousand web searches. A class without a price of
// its own falls under the class that contains it, which may be Unknown in turn.
type Price struct {
	Input      Micros // prompt tokens that fall under no other class
	Output     Micros // completion tokens that fall under no other class
	CacheRead  Micros // prompt tokens that were read from the seller's cache; Unknown: as Input
	CacheWrite Micros // prompt tokens that were written to it; Unknown: as Input

	CacheWrite1h Own `json:",omitzero"` // those that are kept for an hour; else as CacheWrite
	AudioIn      Own `json:",omitzero"` // prompt tokens that are audio; else as Input
	ImageIn      Own `json:",omitzero"` // prompt tokens that are images; else as Input
	AudioOut     Own `json:",omitzero"` // completion tokens that are audio; else as Output
	ImageOut     Own `json:",omitzero"` // completion tokens that are images; else as Output
	Reasoning    Own `json:",omitzero"` // completion tokens that were thought and not said; else as Output
	WebSearch    Own `json:",omitzero"` // a thousand web searches; no class contains them
}

// Own is a price that a class may have of its own. Its zero value names none: a field that is forgotten is not free.
type Own struct {
	price Micros
	named bool
}

// At names a price. Unknown, and whatever else is below zero, names none.
func At(price Micros) Own {
	if price < 0 {
		return Own{}
	}
	return Own{price, true}
}

// Or gives the price that was named, else another one.
func (o Own) Or(other Micros) Micros {
	if o.named {
		return o.price
	}
	return other
}

// Named tells whether there is a price.
func (o Own) Named() bool { return o.named }

// MarshalJSON writes the price as a number of micros, and none as Unknown.
func (o Own) MarshalJSON() ([]byte, error) { return json.Marshal(o.Or(Unknown)) }

// UnmarshalJSON reads what MarshalJSON has written.
func (o *Own) UnmarshalJSON(raw []byte) error {
	price := Unknown
	if err := json.Unmarshal(raw, &price); err != nil {
		return err
	}
	*o = At(price)
	return nil
}

// NoPrice is the price of a model that is listed without one.
var NoPrice = Price{Input: Unknown, Output: Unknown, CacheRead: Unknown, CacheWrite: Unknown}

// Tokens counts what an inference used. Prompt and Completion are all of either; the other classes are parts of them.
type Tokens struct {
	Prompt     int64
	Completion int64
	CacheRead  int64 // of the prompt
	CacheWrite int64 // of the prompt

	CacheWrite1h int64 // of CacheWrite
	AudioIn      int64 // of the prompt; some of it may have been cached
	ImageIn      int64 // of the prompt; some of it may have been cached
	AudioOut     int64 // of the completion
	ImageOut     int64 // of the completion
	Reasoning    int64 // of the completion

	WebSearches int64 // calls, no tokens
}

// Consistent tells whether the counts fit each other: none is below zero, and no part is larger than the whole.
func (t Tokens) Consistent() bool {
	return min(t.Prompt, t.Completion, t.CacheRead, t.CacheWrite, t.CacheWrite1h, t.AudioIn, t.ImageIn, t.AudioOut, t.ImageOut,
		t.Reasoning, t.WebSearches) >= 0 &&
		t.CacheWrite <= t.Prompt-t.CacheRead && t.CacheWrite1h <= t.CacheWrite && t.ImageIn <= t.Prompt-t.AudioIn &&
		t.ImageOut <= t.Completion-t.AudioOut && t.Reasoning <= t.Completion
}

// DearestInput is the highest price that a prompt token can have: Unknown where no class of them has one.
func (p Price) DearestInput() Micros {
	return max(p.Input, p.CacheRead, p.CacheWrite, p.CacheWrite1h.Or(Unknown), p.AudioIn.Or(Unknown), p.ImageIn.Or(Unknown))
}

// Cost is tokens times price over all classes, summed in 128 bits and rounded up once, to the micro. It is not known
// when a class that was used has no price, or when the counts are not Consistent. Web searches without a price add nothing: who
// asks whether all that was used has a price asks Covers, too.
func (p Price) Cost(t Tokens) (cost Micros, known bool) {
	if !t.Consistent() {
		return 0, false
	}
	// An API says apart how much was cached and how much was audio: what both may be is taken to be the media.
	media := t.AudioIn + t.ImageIn
	written := min(t.CacheWrite, t.Prompt-media)
	writtenLong := min(t.CacheWrite1h, written)
	read := min(t.CacheRead, t.Prompt-media-written)
	spoken := t.AudioOut + t.ImageOut
	thought := min(t.Reasoning, t.Completion-spoken)
	cacheWrite := p.CacheWrite
	if cacheWrite < 0 {
		cacheWrite = p.Input
	}
	cacheRead := p.CacheRead
	if cacheRead < 0 {
		cacheRead = p.Input
	}
	const million, perCall = 1_000_000, 1_000
	if t.WebSearches > math.MaxInt64/perCall {
		return math.MaxInt64, true
	}
	var hi, lo uint64
	for _, c := range [...]struct {
		tokens int64
		price  Micros
	}{
		{t.Prompt - media - written - read, p.Input},
		{read, cacheRead},
		{written - writtenLong, cacheWrite},
		{writtenLong, p.CacheWrite1h.Or(cacheWrite)},
		{t.AudioIn, p.AudioIn.Or(p.Input)},
		{t.ImageIn, p.ImageIn.Or(p.Input)},
		{t.Completion - spoken - thought, p.Output},
		{t.AudioOut, p.AudioOut.Or(p.Output)},
		{t.ImageOut, p.ImageOut.Or(p.Output)},
		{thought, p.Reasoning.Or(p.Output)},
		{t.WebSearches * perCall, p.WebSearch.Or(0)},
	} {
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

// Covers tells whether all that was used has a price: then a bill can be compared with the cost.
func (p Price) Covers(t Tokens) bool {
	_, known := p.Cost(t)
	return known && (t.WebSearches == 0 || p.WebSearch.Named())
}
