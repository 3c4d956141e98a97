package wire

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// SettlementEvent is the value of the event field of a settlement in an event stream.
const SettlementEvent = "tokenbuddy.settlement"

// maxID bounds the ids in a settlement, in bytes. A longer one is no settlement.
const maxID = 256

// Settlement is how a seller says what a request cost. A count that the seller did not name is nil.
type Settlement struct {
	SettlementID     string        `json:"settlementId"`
	RequestID        string        `json:"requestId,omitempty"`
	BilledMicros     *money.Micros `json:"billedMicros"`
	BalanceMicros    *money.Micros `json:"balanceMicros,omitempty"`
	PromptTokens     *int64        `json:"promptTokens,omitempty"`
	CompletionTokens *int64        `json:"completionTokens,omitempty"`
	CacheReadTokens  *int64        `json:"cacheReadTokens,omitempty"`
}

// ParseSettlement reads the data of a settlement event. Numbers are whole and written in digits alone, and no error quotes
// the data.
func ParseSettlement(data []byte) (Settlement, error) {
	s, ok := plainSettlement(data)
	if !ok {
		s = Settlement{}
		if err := Decode(data, &s); err != nil {
			return Settlement{}, fmt.Errorf("settlement: %w", err)
		}
	}
	if err := s.check(); err != nil {
		return Settlement{}, err
	}
	return s, nil
}

func (s Settlement) check() error {
	switch {
	case s.BilledMicros == nil:
		return fmt.Errorf("settlement: billedMicros is missing")
	case *s.BilledMicros < 0 || *s.BilledMicros > money.Max:
		return fmt.Errorf("settlement: billedMicros is out of range")
	case s.BalanceMicros != nil && (*s.BalanceMicros < 0 || *s.BalanceMicros > money.Max):
		return fmt.Errorf("settlement: balanceMicros is out of range")
	case len(s.SettlementID) > maxID || len(s.RequestID) > maxID:
		return fmt.Errorf("settlement: settlementId or requestId is too long")
	}
	for _, n := range []*int64{s.PromptTokens, s.CompletionTokens, s.CacheReadTokens} {
		if n != nil && *n < 0 {
			return fmt.Errorf("settlement: a count of tokens is negative")
		}
	}
	return nil
}

const (
	headerSettlementID     = HeaderPrefix + "Settlement-Id"
	headerBilled           = HeaderPrefix + "Billed-Micros"
	headerBalance          = HeaderPrefix + "Balance-Micros"
	headerPromptTokens     = HeaderPrefix + "Prompt-Tokens"
	headerCompletionTokens = HeaderPrefix + "Completion-Tokens"
	headerCacheReadTokens  = HeaderPrefix + "Cache-Read-Tokens"
)

// SettlementFromHeader reads a settlement from the headers of a response. There is none (ok is false, err nil) without
// the header that says what was billed. A header that stands twice makes it none that can be believed.
func SettlementFromHeader(h http.Header) (s Settlement, ok bool, err error) {
	if h.Get(headerBilled) == "" {
		return Settlement{}, false, nil
	}
	if len(h[headerSettlementID]) > 1 {
		return Settlement{}, false, fmt.Errorf("settlement: header %s stands twice", headerSettlementID)
	}
	room := new(numbers)
	s.SettlementID = h.Get(headerSettlementID)
	for i, name := range microsHeaders {
		n, said, err := wholeHeader(h, name)
		if err != nil {
			return Settlement{}, false, err
		}
		if room.micros[i] = money.Micros(n); said {
			*s.micros()[i] = &room.micros[i]
		}
	}
	for i, name := range tokenHeaders {
		n, said, err := wholeHeader(h, name)
		if err != nil {
			return Settlement{}, false, err
		}
		if room.tokens[i] = n; said {
			*s.tokens()[i] = &room.tokens[i]
		}
	}
	if err := s.check(); err != nil {
		return Settlement{}, false, err
	}
	return s, true, nil
}

// numbers are all that a settlement points to, as one object.
type numbers struct {
	micros [2]money.Micros
	tokens [3]int64
}

func (s *Settlement) micros() [2]**money.Micros {
	return [...]**money.Micros{&s.BilledMicros, &s.BalanceMicros}
}

func (s *Settlement) tokens() [3]**int64 {
	return [...]**int64{&s.PromptTokens, &s.CompletionTokens, &s.CacheReadTokens}
}

// The headers of numbers, in the order of micros and of tokens.
var (
	microsHeaders = [...]string{headerBilled, headerBalance}
	tokenHeaders  = [...]string{headerPromptTokens, headerCompletionTokens, headerCacheReadTokens}
)

// wholeHeader reads the whole number of a header; said is false where there is none.
func wholeHeader(h http.Header, name string) (n int64, said bool, err error) {
	v := h.Get(name)
	if v == "" {
		return 0, false, nil
	}
	n, ok := whole(v)
	if !ok || len(h[name]) > 1 {
		return 0, false, fmt.Errorf("settlement: header %s is not one whole number", name)
	}
	return n, true, nil
}

// BalanceFromHeader reads what a seller says is left on the token, on an answer that need not carry a settlement. It is
// nil when nothing that makes sense is said.
func BalanceFromHeader(h http.Header) *money.Micros {
	n, ok := whole(h.Get(headerBalance))
	if !ok || n < 0 || money.Micros(n) > money.Max || len(h[headerBalance]) > 1 {
		return nil
	}
	return new(money.Micros(n))
}

// whole reads an integer as JSON would write it.
func whole(v string) (int64, bool) {
	n, err := strconv.ParseInt(v, 10, 64)
	return n, err == nil && v[0] != '+'
}

// SetHeader writes the settlement as the headers of a response.
func (s Settlement) SetHeader(h http.Header) {
	set := func(name string, n int64) { h.Set(name, strconv.FormatInt(n, 10)) }
	if s.SettlementID != "" {
		h.Set(headerSettlementID, s.SettlementID)
	}
	if s.BilledMicros != nil {
		set(headerBilled, int64(*s.BilledMicros))
	}
	if s.BalanceMicros != nil {
		set(headerBalance, int64(*s.BalanceMicros))
	}
	if s.PromptTokens != nil {
		set(headerPromptTokens, *s.PromptTokens)
	}
	if s.CompletionTokens != nil {
		set(headerCompletionTokens, *s.CompletionTokens)
	}
	if s.CacheReadTokens != nil {
		set(headerCacheReadTokens, *s.CacheReadTokens)
	}
}

// Event gives the settlement as an event of a stream, its blank line included.
func (s Settlement) Event() []byte {
	data, _ := json.Marshal(s) // strings and integers always encode
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", SettlementEvent, data)
}
