package plain

import (
	"strings"
	"testing"
)

// TestName: a terminal obeys what it can't print.
func TestName(t *testing.T) {
	for name, want := range map[string]string{
		"ada": "ada", "": "-", "a b": "a b", "\x1b[2J\x1b]0;owned\a": `"\x1b[2J\x1b]0;owned\a"`, "\u202edca": `"\u202edca"`, "two\nlines": `"two\nlines"`,
		strings.Repeat("ä", 100): strings.Repeat("ä", 59) + "…",
	} {
		if got := Name(name); got != want {
			t.Errorf("%q is shown as %s, want %s", name, got, want)
		}
	}
}
