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

// TestWords: what we say is on one line, and so is what we quote.
func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"paid, not granted – ä": "paid, not granted – ä", "two\nlines\x7f": "two lines ", "a\u009b2Jb": "a 2Jb", "\u202edca": " dca", "a\u2028b": "a b",
	} {
		if got := Words(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
