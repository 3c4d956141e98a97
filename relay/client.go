package relay

import (
	"errors"
	"net/http"
)

// client is the writing side.
type client struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// flush sends b at once. It is false when the client takes no more.
func (c client) flush(b []byte) bool {
	if len(b) > 0 {
		if _, err := c.w.Write(b); err != nil {
			return false
		}
	}
	// Some modules' writers hold back what they are given to its end, and can't be told otherwise: that is no hang-up.
	err := c.rc.Flush()
	return err == nil || errors.Is(err, http.ErrNotSupported)
}
