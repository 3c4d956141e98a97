package dialect

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// maxDepth is how deep values may be nested. encoding/json draws the line at the same place.
const maxDepth = 10_000

// nest is how deep a walk is, and in what: a bit for each level, set where it is an object.
type nest struct {
	near  [4]uint64
	far   []uint64 // the levels that near has no room for
	depth int
}

func (n *nest) push(object bool) {
	if n.depth == 64*(len(n.near)+len(n.far)) {
		n.far = append(n.far, 0)
	}
	word, bit := n.word(n.depth), uint64(1)<<(n.depth&63)
	if object {
		*word |= bit
	} else {
		*word &^= bit
	}
	n.depth++
}

func (n *nest) object() bool { return *n.word(n.depth - 1)>>((n.depth-1)&63)&1 == 1 }

// word has the bit of a level.
func (n *nest) word(level int) *uint64 {
	if i := level >> 6; i >= len(n.near) {
		return &n.far[i-len(n.near)]
	}
	return &n.near[level>>6&3]
}

// skip gives the end of the value that begins at b[i], or -1 at a fault.
func skip(b []byte, i int, f *facts) int {
	if i >= len(b) {
		return -1
	}
	if b[i] != '{' && b[i] != '[' {
		return skipScalar(b, i, f)
	}
	var n nest
	for i >= 0 && i < len(b) {
		// A value begins at b[i].
		if c := b[i]; c != '{' && c != '[' {
			i = skipScalar(b, i, f)
		} else {
			if n.depth == maxDepth {
				return -1
			}
			n.push(c == '{')
			if f != nil {
				f.open(c == '{')
			}
			i = space(b, i+1)
			if i >= len(b) || b[i] != c+2 { // '}' is '{'+2, ']' is '['+2: else it is an empty one
				if c == '{' {
					i = enter(b, i, f)
				}
				continue
			}
		}
		// One has ended before b[i]: what it is in may end too, until there is a comma.
		if i = n.shut(b, i, f); i < 0 || n.depth == 0 {
			return i
		}
		if i = space(b, i+1); n.object() {
			i = enter(b, i, f)
		}
	}
	return -1
}

// shut closes what ends at b[i] and right behind it. It gives the place of the comma that follows, or the end where all is closed, or -1 at
// a fault.
func (n *nest) shut(b []byte, i int, f *facts) int {
	for i >= 0 && n.depth > 0 {
		i = space(b, i)
		switch object := n.object(); {
		case i >= len(b):
			return -1
		case b[i] == ',':
			return i
		case object && b[i] != '}', !object && b[i] != ']':
			return -1
		}
		if f != nil {
			f.close()
		}
		i++
		n.depth--
	}
	return i
}

// enter goes over the key at b[i] to the value.
func enter(b []byte, i int, f *facts) int {
	end := skipKey(b, i)
	if f != nil && end > 0 {
		f.name(b[i:end])
	}
	return end
}

// skipKey gives the beginning of the value whose key begins at b[i], or -1.
func skipKey(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if i = skipString(b, i); i < 0 {
		return -1
	}
	if i = space(b, i); i >= len(b) || b[i] != ':' {
		return -1
	}
	return space(b, i+1)
}

func skipScalar(b []byte, i int, f *facts) int {
	switch c := b[i]; {
	case c == '"':
		end := skipString(b, i)
		if f != nil && end > 0 {
			f.text(b[i:end])
		}
		return end
	case c == '-' || c >= '0' && c <= '9':
		if f != nil {
			f.number()
		}
		return skipNumber(b, i)
	case c == 't':
		return skipWord(b, i, "true")
	case c == 'f':
		return skipWord(b, i, "false")
	case c == 'n':
		return skipWord(b, i, "null")
	}
	return -1
}

func skipWord(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	switch end := skipDigits(b, i); {
	case end == i, b[i] == '0' && end > i+1:
		return -1
	default:
		i = end
	}
	if i < len(b) && b[i] == '.' {
		end := skipDigits(b, i+1)
		if end == i+1 {
			return -1
		}
		i = end
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		end := skipDigits(b, i)
		if end == i {
			return -1
		}
		i = end
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

// nearString is how much of a string is looked at word by word, in bytes, before it counts as a long one. Most strings are short,
// but most bytes are in long ones.
const nearString = 64

// skipString gives the end of the string whose opening quote is b[i], or -1. It looks at eight bytes at a time for what
// may not simply be passed: a quote, a backslash, a control character. (In such a word the lowest byte that is marked is
// rightly so, the ones above it may be marked by a borrow.)
func skipString(b []byte, i int) int {
	i++
	for far := i + nearString; i < far; {
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			quote, slash := x^('"'*ones), x^('\\'*ones)
			marks := ((x-0x20*ones)&^x | (quote-ones)&^quote | (slash-ones)&^slash) & highs
			if marks != 0 {
				i += bits.TrailingZeros64(marks) >> 3
				break
			}
			if i += 8; i >= far {
				return skipLong(b, i)
			}
		}
		if i >= len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = skipEscape(b, i); i < 0 {
				return -1
			}
		case c < 0x20:
			return -1
		default: // in the last seven bytes
			i++
		}
	}
	return skipLong(b, i)
}

const ones, highs = 0x0101010101010101, 0x8080808080808080

// longPiece is how much of a long string is taken at once, in bytes: it is gone over three times, and has to stay in the
// processor's nearest cache meanwhile.
const longPiece = 16 << 10

// skipLong gives the end of the string that goes on at b[i], or -1. What it looks for it finds by vector code: the quote, then the
// escapes before it, one of which may be the quote's own.
func skipLong(b []byte, i int) int {
	for i < len(b) {
		piece := b[i:min(len(b), i+longPiece)]
		end := bytes.IndexByte(piece, '"')
		quoted := end >= 0
		if quoted {
			piece = piece[:end]
		}
		if hasControl(piece) {
			return -1
		}
		at := 0
		for at < len(piece) {
			n := bytes.IndexByte(piece[at:], '\\')
			if n < 0 {
				at = len(piece)
				break
			}
			next := skipEscape(b, i+at+n)
			if next < 0 {
				return -1
			}
			at = next - i
		}
		if quoted && at == len(piece) {
			return i + at + 1
		}
		i += at // past the piece where an escape was, such as that of the quote
	}
	return -1
}

// hasControl tells whether one of the bytes is a control character, which no string may have as it stands.
func hasControl(b []byte) bool {
	var marks uint64
	for len(b) >= 32 {
		w, x, y, z := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
		marks |= (w-0x20*ones)&^w | (x-0x20*ones)&^x | (y-0x20*ones)&^y | (z-0x20*ones)&^z
		b = b[32:]
	}
	for _, c := range b {
		if c < 0x20 {
			return true
		}
	}
	return marks&highs != 0
}

func skipEscape(b []byte, i int) int {
	if i+1 >= len(b) {
		return -1
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 > len(b) {
			return -1
		}
		for _, c := range b[i+2 : i+6] {
			if !isHex(c) {
				return -1
			}
		}
		return i + 6
	}
	return -1
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}
