// Package money counts in micros, millionths of a US dollar, and says what tokens cost.
//
// Amounts are signed 64-bit integers from the first byte read to the last one written: no float ever holds money.
package money

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Micros is an amount in millionths of a US dollar.
type Micros int64

// USD is one US dollar.
const USD Micros = 1_000_000

// Max is the largest amount that is taken from a config or a stranger: a billion dollars. Sums of a few of them are far
// from overflowing, so arithmetic on checked amounts needs no guard of its own.
const Max = 1_000_000_000 * USD

// Parse reads a decimal number of dollars with at most six decimals, such as "5" or "0.10". It refuses signs, the dollar's
// too, exponents, and anything above Max.
func Parse(s string) (Micros, error) {
	whole, frac, dot := strings.Cut(s, ".")
	if whole == "" || dot && (frac == "" || len(frac) > 6) || !digits(whole) || !digits(frac) {
		return 0, fmt.Errorf("%q is not an amount in US dollars: write a decimal number with at most six decimals, such as 5 or 0.10", s)
	}
	m, err := strconv.ParseInt(whole+frac+strings.Repeat("0", 6-len(frac)), 10, 64)
	if err != nil || Micros(m) > Max {
		return 0, fmt.Errorf("%q is more than the largest amount, %s dollars", s, Max)
	}
	return Micros(m), nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// String gives the amount in dollars, with two to six decimals: "5.00", "-0.000125".
func (m Micros) String() string {
	s := m.Fixed()
	for i := 0; i < 4 && s[len(s)-1] == '0'; i++ {
		s = s[:len(s)-1]
	}
	return s
}

// Fixed gives the amount in dollars with all six decimals, so that columns of them align: "5.000000", "-0.000125".
func (m Micros) Fixed() string {
	sign, u := "", uint64(m)
	if m < 0 {
		sign, u = "-", -u
	}
	return fmt.Sprintf("%s%d.%06d", sign, u/1_000_000, u%1_000_000)
}

// Add gives the sum, or the nearest end of the range where it would overflow.
func (m Micros) Add(n Micros) Micros {
	sum := m + n
	switch {
	case m > 0 && n > 0 && sum < 0:
		return math.MaxInt64
	case m < 0 && n < 0 && sum >= 0:
		return math.MinInt64
	}
	return sum
}

// Part gives m times part over whole, rounded towards zero: the share of m that part has in whole. It is m where part is
// whole, and zero where either is. Part must be between zero and whole.
func (m Micros) Part(part, whole Micros) Micros {
	if part <= 0 || whole <= 0 {
		return 0
	}
	sign, u := Micros(1), uint64(m)
	if m < 0 {
		sign, u = -1, -u
	}
	hi, lo := bits.Mul64(u, uint64(part))
	quotient, _ := bits.Div64(hi, lo, uint64(whole))
	return sign * Micros(quotient)
}
