// Package plain writes what strangers have named so that a terminal and a line bear it: nothing in it moves a cursor, and it does not go on
// for ever.
package plain

import (
	"strconv"
	"strings"
	"unicode"
)

// longestName is how much of a name is shown.
const longestName = 60

// Name is a name as a terminal may show it: names come from strangers, and a terminal obeys what it can't print.
func Name(name string) string {
	if name == "" {
		return "-"
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		name = strconv.Quote(name)
	}
	if runes := []rune(name); len(runes) > longestName {
		return string(runes[:longestName-1]) + "…"
	}
	return name
}

// Whole is Name for what is copied: nothing is cut off.
func Whole(s string) string {
	if len([]rune(s)) <= longestName {
		return Name(s)
	}
	var parts strings.Builder
	for _, r := range s {
		if r > ' ' && r <= '~' {
			parts.WriteRune(r)
		} else {
			parts.WriteByte('?')
		}
	}
	return parts.String()
}

// Words is a text of ours, on one line. What it quotes may be a stranger's.
func Words(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
