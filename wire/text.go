package wire

// maxFitID is in bytes.
const maxFitID = 128

// FitID tells whether an id that a stranger gives, as that of a request, may stand in headers, logs and books.
func FitID(id string) bool { return id != "" && len(id) <= maxFitID && Printable(id) }

// Printable tells whether a stranger's text is of printable ASCII alone, so that it may stand in a header as it is. An empty one is.
func Printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
