package money

import (
	"bytes"
	"strconv"
	"strings"
)

// maxExact is up to where every parser reads a number with a point or an exponent as the same integer.
const maxExact = 1 << 53

// Whole reads a JSON number that is an integer and not negative, however it is spelled: 4096, 4096.0, 4.096e3. Programs
// whose numbers are all floats write such ones. It goes by the digits: what only rounds to an integer is none.
func Whole(raw []byte) (int64, bool) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, n >= 0
	}
	mantissa, exponent := raw, 0
	if i := bytes.IndexAny(raw, "eE"); i >= 0 {
		e, err := strconv.Atoi(string(raw[i+1:]))
		if err != nil {
			return 0, false
		}
		mantissa, exponent = raw[:i], e
	}
	before, after, _ := bytes.Cut(mantissa, []byte("."))
	all := string(before) + string(after)
	digits := strings.TrimRight(all, "0")
	exponent += len(all) - len(digits) - len(after)
	switch {
	case digits == "":
		return 0, true
	case exponent < 0, exponent > len("9007199254740992"):
		return 0, false
	}
	n, err := strconv.ParseInt(digits+strings.Repeat("0", exponent), 10, 64)
	return n, err == nil && n >= 0 && n <= maxExact
}
