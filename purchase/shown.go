package purchase

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What others write (payment methods, operators) is shown in terminals, logs and answers, and kept in the books: as far as it can be.

const (
	maxLink = 2 << 10 // bytes
	maxText = 500     // bytes
)

// secureLink gives a link that can be shown to a human; none where it is not https, or hides something.
func secureLink(link string) string {
	u, err := url.Parse(link)
	if err != nil || len(link) > maxLink || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	for i := range len(link) {
		if link[i] <= ' ' || link[i] > '~' {
			return ""
		}
	}
	return link
}

// legible gives a text without what can't be seen or moves the cursor, cut to a number of bytes.
func legible(s string, most int) string {
	s = strings.ToValidUTF8(s, " ")
	if len(s) > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

// words is the text of a method's error, as far as it can be shown. The error itself goes no further: whether it is another one, and what is
// in it, is code of the method, too.
type words string

func (w words) Error() string { return string(w) }

func shown(err error) error { return words(legible(err.Error(), maxText)) }
