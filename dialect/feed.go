package dialect

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// inner gives what stands between the quotes of a string; nothing for another value.
func inner(raw []byte) []byte {
	if len(raw) < 2 || raw[0] != '"' {
		return nil
	}
	return raw[1 : len(raw)-1]
}

// feed decodes up to limit bytes of what stands in a string into the hash, behind a mark.
func (c *conversation) feed(text, mark []byte, limit int) {
	limit = min(limit, c.left)
	if len(text) == 0 || limit == 0 {
		return
	}
	c.begin(mark)
	text = text[:min(len(text), longestText(limit))]
	rest := c.left - limit
	c.left = limit
	for len(text) > 0 && c.left > 0 {
		if text[0] == '\\' {
			char, n := unescape(text)
			c.character(char)
			text = text[n:]
			continue
		}
		n := c.run(text)
		text = text[n:]
	}
	c.left += rest
}

// longestText is how long so many bytes of text may be as they stand: a byte is made of six at most.
func longestText(n int) int { return 6*n + len(`\ud83d\ude00`) }

func (c *conversation) begin(mark []byte) {
	c.any = true
	c.room(len(mark))
	c.pending += copy(c.scratch[c.pending:], mark)
}

// room makes sure that n bytes have room in scratch.
func (c *conversation) room(n int) {
	if len(c.scratch)-c.pending < n {
		c.flush()
	}
}

func (c *conversation) flush() {
	_, _ = c.hash.Write(c.scratch[:c.pending]) // a hash takes all
	c.pending = 0
}

func (c *conversation) character(r rune) {
	c.room(utf8.UTFMax)
	c.count(min(utf8.EncodeRune(c.scratch[c.pending:], r), c.left))
}

func (c *conversation) count(n int) {
	c.pending += n
	c.left -= n
}

// run takes text up to its first escape, or as much as there is room for, and tells how much that was. Code has an escape
// every few bytes: it copies eight bytes at a time and keeps those before the escape.
func (c *conversation) run(text []byte) (n int) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	c.room(8)
	to := c.scratch[c.pending:min(len(c.scratch), c.pending+c.left)]
	for ; n+8 <= len(text) && n+8 <= len(to); n += 8 {
		x := binary.LittleEndian.Uint64(text[n:])
		binary.LittleEndian.PutUint64(to[n:], x)
		slash := x ^ ('\\' * ones)
		if marks := (slash - ones) &^ slash & highs; marks != 0 {
			n += bits.TrailingZeros64(marks) >> 3
			c.count(n)
			return n
		}
	}
	for ; n < len(text) && n < len(to) && text[n] != '\\'; n++ {
		to[n] = text[n]
	}
	c.count(n)
	return n
}

// unescape decodes the escape at the beginning of b, which is n bytes long. Half of a surrogate pair is U+FFFD.
func unescape(b []byte) (char rune, n int) {
	const short, long = len(`\n`), len(`\u000a`)
	if len(b) < short {
		return utf8.RuneError, len(b)
	}
	switch b[1] {
	case 'b':
		return '\b', short
	case 'f':
		return '\f', short
	case 'n':
		return '\n', short
	case 'r':
		return '\r', short
	case 't':
		return '\t', short
	case 'u':
	default:
		return rune(b[1]), short
	}
	if len(b) < long {
		return utf8.RuneError, len(b)
	}
	char = rune(hex(b[2:long]))
	if !utf16.IsSurrogate(char) {
		return char, long
	}
	if len(b) >= 2*long && b[long] == '\\' && b[long+1] == 'u' {
		if pair := utf16.DecodeRune(char, rune(hex(b[long+2:2*long]))); pair != utf8.RuneError {
			return pair, 2 * long
		}
	}
	return utf8.RuneError, long
}
