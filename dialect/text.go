package dialect

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The strings of JSON, as they stand in it. raw is what stands between the quotes, where it is not said otherwise.

// inner gives what stands between the quotes of a string; nothing for another value.
func inner(raw []byte) []byte {
	if len(raw) < 2 || raw[0] != '"' {
		return nil
	}
	return raw[1 : len(raw)-1]
}

// plain tells whether what stands in a string is what it says: ASCII without escapes.
func plain(raw []byte) bool {
	for _, c := range raw {
		if c >= utf8.RuneSelf || c == '\\' {
			return false
		}
	}
	return true
}

// unquote decodes what stands between the quotes of a JSON string. It is not ok when that is not Unicode: broken UTF-8, or half of a
// surrogate pair; nor when the string is none.
func unquote(raw []byte) (text []byte, ok bool) {
	if !utf8.Valid(raw) {
		return nil, false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw, true
	}
	if halves(raw) {
		return nil, false
	}
	quoted := make([]byte, 0, len(raw)+2)
	quoted = append(append(append(quoted, '"'), raw...), '"')
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

// halves tells whether an escaped surrogate stands there without its other half, or an escape is cut off: what a seeker has found was
// not checked.
func halves(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		switch {
		case i == len(raw):
			return true
		case raw[i] != 'u':
			continue
		case i+5 > len(raw):
			return true
		}
		switch unit := hex(raw[i+1 : i+5]); {
		case unit >= 0xdc00 && unit < 0xe000:
			return true
		case unit >= 0xd800 && unit < 0xdc00:
			low := i + 5
			if low+6 > len(raw) || raw[low] != '\\' || raw[low+1] != 'u' {
				return true
			}
			if unit := hex(raw[low+2 : low+6]); unit < 0xdc00 || unit >= 0xe000 {
				return true
			}
			i = low + 5
		default:
			i += 4
		}
	}
	return false
}

func hex(b []byte) uint64 {
	n, err := strconv.ParseUint(string(b), 16, 32)
	if err != nil {
		return math.MaxUint64
	}
	return n
}

// fold gives a key in small letters and without escapes, and whether it stands so. One that is longer than any that matters is
// empty.
func fold(raw []byte) (key []byte, exact bool) {
	exact = true
	for _, c := range raw {
		if c == '\\' || c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			exact = false
		}
	}
	switch {
	case exact:
		return raw, true
	case len(raw) > 6*len("previous_response_id"):
		return nil, false
	}
	name, ok := unquote(raw)
	if !ok {
		return nil, false
	}
	return bytes.ToLower(bytes.ToUpper(name)), false // a long s is an s to who reads JSON without regard to case, and a kelvin a k
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

// stringEnd gives the end of the string whose opening quote is b[i], or -1, as skipString does: of JSON that has been checked.
func stringEnd(b []byte, i int) int {
	i++
	n := bytes.IndexByte(b[i:], '"')
	if n > 0 && b[i+n-1] == '\\' {
		n = quoteAfter(b[i:], n)
	}
	if n < 0 {
		return -1
	}
	return i + n + 1
}

// quoteAfter gives the place of the quote that ends the string in which b begins, where the first one, at i, is escaped or has a
// backslash that is so; -1: there is none.
func quoteAfter(b []byte, i int) int {
	for {
		slashes := 0
		for i-1-slashes >= 0 && b[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
		n := bytes.IndexByte(b[i+1:], '"')
		if n < 0 {
			return -1
		}
		i += 1 + n
	}
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

func quoted(s string) string {
	b, _ := json.Marshal(s) // strings always encode
	return string(b)
}

// word gives a string of at most 64 letters, digits, dots, dashes and underscores that begins with a letter, else what
// was there before: these words go into logs and metrics, and strangers write them.
func word(raw []byte, before string) string {
	if len(raw) < 3 || len(raw) > 66 || raw[0] != '"' || raw[1]|0x20 < 'a' || raw[1]|0x20 > 'z' {
		return before
	}
	raw = raw[1 : len(raw)-1]
	for _, c := range raw {
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' {
			continue
		}
		return before
	}
	return string(raw)
}

// says tells whether data has a member of a name, given with its quotes, whose value does not begin with a byte. It looks
// at bytes alone, so what it finds may stand anywhere; what it does not find is not there. In the text of an answer quotes
// are escaped, so it finds nothing there.
func says(data []byte, quoted string, but byte) bool {
	for {
		i := bytes.Index(data, []byte(quoted))
		if i < 0 {
			return false
		}
		data = data[i+len(quoted):]
		if i = space(data, 0); i < len(data) && data[i] == ':' {
			if i = space(data, i+1); i < len(data) && data[i] != but {
				return true
			}
		}
	}
}
