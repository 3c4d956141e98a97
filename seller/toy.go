package seller

import (
	"strings"
	"unicode/utf8"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// answer is what the model says to a request. The same charge always gets the same answer.
type answer struct {
	*request
	model   string // the id that it is sold under
	id      string // for the ids of the API, without its prefix
	created int64  // seconds since 1970
	pieces  []string
	cut     bool // by the limit
	usage   money.Tokens
}

const (
	maxEcho     = 20 // words
	maxEchoWord = 40 // bytes
)

// speak gives the toy's answer in pieces, each of which counts as a token, and cuts it at the request's limit.
func (a *answer) speak() {
	text := "This is the toy model of a TokenBuddy seller, and no model has read this."
	if echo := echo(a.said); echo != "" {
		text += " You said: " + echo
	}
	a.pieces = strings.SplitAfter(text, " ")
	if a.limit > 0 && int64(len(a.pieces)) > a.limit {
		a.pieces, a.cut = a.pieces[:a.limit], true
	}
	a.usage.Completion = int64(len(a.pieces) * a.choices)
}

// text gives the whole answer.
func (a *answer) text() string { return strings.Join(a.pieces, "") }

// finish gives one of two words: how a whole answer ended, or one that the limit cut.
func (a *answer) finish(whole, cut string) string {
	if a.cut {
		return cut
	}
	return whole
}

// echo gives the first words of what was said.
func echo(said string) string {
	if len(said) > 4096 {
		said = said[:4096]
	}
	words := strings.Fields(strings.ToValidUTF8(said, ""))
	more := len(words) > maxEcho
	words = words[:min(len(words), maxEcho)]
	for i, word := range words {
		for len(word) > maxEchoWord {
			_, last := utf8.DecodeLastRuneInString(word)
			word = word[:len(word)-last]
		}
		words[i] = word
	}
	if more {
		words = append(words, "…")
	}
	return strings.Join(words, " ")
}
