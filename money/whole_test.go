package money

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestWhole(t *testing.T) {
	for raw, want := range map[string]int64{
		"0": 0, "7": 7, "9223372036854775807": math.MaxInt64,
		"4096.0": 4096, "4096.000": 4096, "1e3": 1000, "1E+3": 1000, "4.096e3": 4096, "4.0960e3": 4096, "40960e-1": 4096, "0.5e1": 5,
		"0.0": 0, "-0": 0, "-0.0": 0, "0e5": 0, "0.000e-7": 0, "9007199254740992.0": 1 << 53, "1e15": 1e15, "9.007199254740992e15": 1 << 53,
		"2147483647.0": math.MaxInt32, "1" + strings.Repeat("0", 300) + "e-300": 1,
	} {
		if got, ok := Whole([]byte(raw)); !ok || got != want {
			t.Errorf("%s: %d %v", raw, got, ok)
		}
	}
	for _, raw := range []string{
		"-1", "-1.0", "-1e3", "0.5", "1.5", "4096.1", "1e-3", "1e16", "9007199254740993.0", "9223372036854775808", "1e400", "1e99999999999999999999",
		"1e-99999999999999999999", "4096.00000000000000000001", "4095.99999999999999999999", "null", "true", `"5"`, "{}", "[5]",
		strings.Repeat("9", 400) + ".0",
	} {
		if got, ok := Whole([]byte(raw)); ok {
			t.Errorf("%.40s: %d", raw, got)
		}
	}
}

// FuzzWhole holds the numbers that are taken against exact arithmetic, and against the floats that most parsers make of
// them.
func FuzzWhole(f *testing.F) {
	for _, seed := range []string{"0", "4096.0", "1e3", "40960e-1", "-1", "9007199254740992.0", "0.0000e3", "1.5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) == 0 || strings.ContainsAny(raw, "\"{[ntf \t\r\n") || !json.Valid([]byte(raw)) {
			return
		}
		got, ok := Whole([]byte(raw))
		if i := strings.IndexAny(raw, "eE"); i >= 0 && len(raw)-i > 5 {
			return // exact arithmetic would take the memory for all the zeros
		}
		value, _ := new(big.Rat).SetString(raw)
		fits := value.Sign() >= 0 && raw[0] != '-' && value.IsInt() && value.Num().IsInt64() && value.Num().Int64() <= maxExact
		if fits && !ok && value.Sign() > 0 {
			t.Fatalf("%s is refused", raw)
		}
		if ok && (!value.IsInt() || value.Num().Int64() != got) {
			t.Fatalf("%s is read as %d", raw, got)
		}
		var float float64
		if ok && strings.ContainsAny(raw, ".eE") && (json.Unmarshal([]byte(raw), &float) != nil || float != float64(got)) {
			t.Fatalf("%s is read as %d, but elsewhere as %v", raw, got, float)
		}
	})
}
