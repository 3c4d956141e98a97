package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// plainSkipString is skipString byte by byte.
func plainSkipString(b []byte, i int) int {
	for i++; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = skipEscape(b, i); i < 0 {
				return -1
			}
		case c < 0x20:
			return -1
		default:
			i++
		}
	}
	return -1
}

// TestSkipLong: whatever stands at whatever place of a long string is seen, at the borders of the pieces too.
func TestSkipLong(t *testing.T) {
	for _, at := range []int{0, 1, nearString - 9, nearString - 1, nearString, nearString + 1, 200, longPiece + nearString - 2, longPiece + nearString - 1, longPiece + nearString, 2*longPiece + nearString + 31} {
		for _, what := range []string{`"`, `\"`, `\\`, `\\"`, `\\\"`, `\n`, `\u00e9`, `\u00g9`, `\u00`, `\x`, `\`, "\n", "\x00", "\x1f", "\x7f", "é", "\xff", `\"\"`, `a\`} {
			for _, rest := range []string{"", `"`, `abc"`, strings.Repeat("z", 3*longPiece) + `"`} {
				b := []byte(`"` + strings.Repeat("a", at) + what + rest)
				want := plainSkipString(b, 0)
				if got := skipString(b, 0); got != want {
					t.Fatalf("%q after %d bytes, before %d: the end is %d, want %d", what, at, len(rest), got, want)
				}
			}
		}
	}
}

// FuzzSkipString holds the strings that are passed against encoding/json, and against a look at each byte: as they are, and
// made long.
func FuzzSkipString(f *testing.F) {
	for _, seed := range []string{`abc`, `a\"b`, `\\`, `\\\"`, `é\u00e9\ud83d`, "a\nb", `\x`, `"`, `x"y`, `\u12`} {
		f.Add([]byte(seed), uint16(100), uint64(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, long uint16, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 1))
		for _, fill := range []int{0, int(long), random.IntN(3 * longPiece)} {
			b := []byte{'"'}
			for piece := range bytes.SplitSeq(text, []byte("|")) {
				b = append(append(b, bytes.Repeat([]byte{'f'}, fill)...), piece...)
			}
			b = append(b, '"')
			end := skipString(b, 0)
			if want := plainSkipString(b, 0); end != want {
				t.Fatalf("%q, filled with %d: the end is %d, want %d", text, fill, end, want)
			}
			if end >= 0 && stringEnd(b, 0) != end {
				t.Fatalf("%q, filled with %d: the end is %d, want %d", text, fill, stringEnd(b, 0), end)
			}
			if end == len(b) != json.Valid(b) {
				t.Fatalf("%q, filled with %d: the end is %d of %d, encoding/json takes it: %v", text, fill, end, len(b), json.Valid(b))
			}
		}
	})
}

func BenchmarkSkipString(b *testing.B) {
	for _, n := range []int{3, 8, 20, 45, 100, 1000, 100_000} {
		short := []byte(strings.Repeat(`"`+strings.Repeat("a", n)+`"`, 1<<20/n))
		b.Run(fmt.Sprintf("each-%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(short)))
			for b.Loop() {
				for i := 0; i < len(short); {
					i = skipString(short, i)
				}
			}
		})
		lines := []byte(`"` + strings.Repeat(strings.Repeat("a", n)+`\n`, 1<<20/n) + `"`)
		b.Run(fmt.Sprintf("lines-%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(lines)))
			for b.Loop() {
				if skipString(lines, 0) != len(lines) {
					b.Fatal("it has not come to the end")
				}
			}
		})
	}
}
