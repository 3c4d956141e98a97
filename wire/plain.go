package wire

import (
	"bytes"
	"math"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// The members of numbers, in the order of Settlement.micros and of Settlement.tokens.
var (
	microsMembers = [...]string{"billedMicros", "balanceMicros"}
	tokenMembers  = [...]string{"promptTokens", "completionTokens", "cacheReadTokens"}
)

// plainSettlement reads a settlement that is written as nearly all are: one flat object, each member under its first name, in
// strings without escapes and numbers. It is not ok where there is anything else, which Decode reads or refuses; where it is, Decode
// gives the same.
func plainSettlement(data []byte) (s Settlement, ok bool) {
	room := new(numbers)
	p := plain{left: data}
	p.take('{')
	for {
		name := p.text()
		p.take(':')
		i, j := slices.Index(microsMembers[:], string(name)), slices.Index(tokenMembers[:], string(name))
		switch {
		case i >= 0:
			room.micros[i] = money.Micros(p.number())
			*s.micros()[i] = &room.micros[i]
		case j >= 0:
			room.tokens[j] = p.number()
			*s.tokens()[j] = &room.tokens[j]
		case string(name) == "settlementId":
			s.SettlementID = string(p.text())
		case string(name) == "requestId":
			s.RequestID = string(p.text())
		default:
			p.bad = true
		}
		if !p.next() {
			return s, !p.bad && len(p.left) == 0
		}
	}
}

// plain reads JSON that is written without a surprise, and gives up at one.
type plain struct {
	left []byte
	bad  bool // there was one
}

func (p *plain) giveUp() { p.left, p.bad = nil, true }

func (p *plain) space() {
	for len(p.left) > 0 && (p.left[0] == ' ' || p.left[0] == '\n' || p.left[0] == '\t' || p.left[0] == '\r') {
		p.left = p.left[1:]
	}
}

// take goes over one character, and the space around it.
func (p *plain) take(c byte) {
	p.space()
	if len(p.left) == 0 || p.left[0] != c {
		p.giveUp()
		return
	}
	p.left = p.left[1:]
	p.space()
}

// next tells whether another member comes.
func (p *plain) next() bool {
	p.space()
	if len(p.left) > 0 && p.left[0] == ',' {
		p.take(',')
		return !p.bad
	}
	p.take('}')
	return false
}

// text reads a string of printable ASCII characters.
func (p *plain) text() []byte {
	if len(p.left) == 0 || p.left[0] != '"' {
		p.giveUp()
		return nil
	}
	n := bytes.IndexByte(p.left[1:], '"')
	if n < 0 || bytes.ContainsFunc(p.left[1:n+1], func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
		p.giveUp()
		return nil
	}
	text := p.left[1 : n+1]
	p.left = p.left[n+2:]
	return text
}

// number reads a whole number that is not negative, nor near what 64 bits hold.
func (p *plain) number() (n int64) {
	digits := 0
	for ; digits < len(p.left) && p.left[digits] >= '0' && p.left[digits] <= '9' && n < math.MaxInt64/10; digits++ {
		n = 10*n + int64(p.left[digits]-'0')
	}
	if digits == 0 || digits > 1 && p.left[0] == '0' {
		p.giveUp()
		return 0
	}
	p.left = p.left[digits:]
	return n
}
