package wire

import "regexp"

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
