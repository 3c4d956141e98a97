package member

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxGlob = 256

// checkGlob says what is wrong with a glob of models.
func checkGlob(glob string) error {
	if glob == "" || len(glob) > maxGlob || strings.ContainsFunc(glob, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("%q is not a glob of models: expected 1 to %d bytes of text, such as gpt-5, openai/* or *", glob, maxGlob)
	}
	return nil
}

// CheckNewGlob says what is wrong with one that somebody has just written: also a comma, which is in no model's id and was to part two globs.
func CheckNewGlob(glob string) error {
	if err := checkGlob(glob); err != nil {
		return err
	}
	if strings.Contains(glob, ",") {
		return fmt.Errorf("%q has a comma in it: expected spaces between models, or in JSON a list of them", glob)
	}
	return nil
}

// match says whether a model id fits a glob. A * stands for any run of characters, slashes too (ids such as
// "openai/gpt-5" have them); a ? stands for one; all else for itself, brackets too (ids such as "opus[1m]" have them).
//
// Ids come from strangers, so the time is bounded by the product of both lengths: on a mismatch only the last * takes one
// character more, since an earlier one could gain nothing that the last can't.
func match(glob, id string) bool {
	g, i := 0, 0
	star, taken := -1, 0 // where the last * stands, and how far into id it reaches
	for i < len(id) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, taken = g, i
			g++
		case g < len(glob) && glob[g] == '?':
			_, n := utf8.DecodeRuneInString(id[i:])
			g, i = g+1, i+n
		case g < len(glob) && glob[g] == id[i]:
			g, i = g+1, i+1
		case star >= 0:
			_, n := utf8.DecodeRuneInString(id[taken:])
			taken += n
			g, i = star+1, taken
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
}
