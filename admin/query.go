package admin

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// CheckQuery refuses a query that has other words than these and ledger, or one of them twice: of a misspelt filter, or of one of two, the
// answer would be as if it had not been asked for.
func CheckQuery(r *http.Request, words ...string) error {
	words = append(words, "ledger")
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return bad("the query can't be read: %w", err)
	}
	for _, word := range slices.Sorted(maps.Keys(values)) {
		switch {
		case !slices.Contains(words, word):
			return bad("there is no %q here: the query takes %s", word, strings.Join(words, ", "))
		case len(values[word]) > 1:
			return bad("%s stands in the query %d times, and one is looked at: ask once for each", word, len(values[word]))
		}
	}
	if values.Has("fleet") { // whatever else is not one of them would be this gateway's books alone
		if _, err := strconv.ParseBool(values.Get("fleet")); err != nil {
			return bad("fleet is true or false")
		}
	}
	return nil
}

// one gives the id that a query asks for; empty: for a list. Beside an id it refuses the words of the list, as the one is shown whatever they choose.
func one(values url.Values, list ...string) (id string, err error) {
	if !values.Has("id") {
		return "", nil
	}
	if id = values.Get("id"); id == "" { // which is all of them, where they are looked for
		return "", bad("the id is empty")
	}
	for _, word := range list {
		if values.Get(word) != "" {
			return "", bad("%s is for the list: leave it out, or the id", word)
		}
	}
	return id, nil
}

// flag reads a word that is true, false, or not there.
func flag(values url.Values, name string) (bool, error) {
	switch said := values.Get(name); {
	case !values.Has(name), said == "false":
		return false, nil
	case said == "true":
		return true, nil
	}
	return false, bad("%s is true or false", name)
}

// limit reads how many are asked for, one at the least; without the word it is another number.
func limit(values url.Values, without int) (int, error) {
	if values.Get("limit") == "" {
		return without, nil
	}
	n, err := strconv.Atoi(values.Get("limit"))
	if err != nil || n < 1 {
		return 0, bad("limit is a whole number above zero")
	}
	return n, nil
}

// checkTexts says which of the query's values is no text for the journal.
func checkTexts(values url.Values, names ...string) error {
	for _, name := range names {
		if s := values.Get(name); len(s) > maxWords || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return bad("%s is at most %d bytes of text on one line", name, maxWords)
		}
	}
	return nil
}

// maxWords bounds what an operator may say, in bytes.
const maxWords = 256
