package wire

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFitID is in bytes.
const maxFitID = 128

// FitID tells whether an id that a stranger gives, as that of a request, may stand in headers, logs and books.
func FitID(id string) bool { return id != "" && len(id) <= maxFitID && Printable(id) }

// methodName is what a payment method may be called: sellers know it by that, and an account of the ledger is named after it.
var methodName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// FitMethod tells whether a payment method may have a name.
func FitMethod(name string) bool { return methodName.MatchString(name) }

// Printable tells whether a stranger's text is of printable ASCII alone, so that it may stand in a header as it is. An empty one is.
func Printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// MaxModelID is how long a model's id may be, in bytes.
const MaxModelID = 256

// FitModel tells whether a model's id can be written in a registry's document, a list, a log line and an account's name.
func FitModel(id string) bool { return id != "" && len(id) <= MaxModelID && FitText(id) }

// FitText tells whether a text is UTF-8 that moves no cursor. Unlike one that is Printable it may be in any script.
func FitText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f {
			return false
		} else if c >= utf8.RuneSelf {
			return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
		}
	}
	return true
}
