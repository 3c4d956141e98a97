package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// NDJSON is asked for, as Accept, by clients that want to be told how far a long reading is.
const NDJSON = "application/x-ndjson"

// Line is one of the lines that such a client gets: how far it is, and at last what was found.
type Line struct {
	Done   uint64          `json:"done,omitempty"`
	Total  uint64          `json:"total,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// progressPause is how often a client is told.
const progressPause = 100 * time.Millisecond

// read answers with what a long reading of the ledger finds. Who asks for NDJSON is told meanwhile how far it is, and so with
// status 200 whatever is found.
func read(w http.ResponseWriter, r *http.Request, find func(ledger.Progress) (status int, found any, err error)) error {
	if !strings.Contains(r.Header.Get("Accept"), NDJSON) {
		status, found, err := find(nil)
		if err != nil {
			return err
		}
		return answer(w, status, found)
	}
	out, flush := json.NewEncoder(w), http.NewResponseController(w).Flush
	told, begun := time.Now(), false
	tell := func(line Line) error {
		if !begun {
			w.Header().Set("Content-Type", NDJSON)
			begun = true
		}
		told = time.Now()
		if err := out.Encode(line); err != nil {
			return err
		}
		return flush()
	}
	_, found, err := find(func(done, total uint64) {
		if time.Since(told) >= progressPause {
			_ = tell(Line{Done: done, Total: total}) // a client that has gone ends the reading by the request's context
		}
	})
	var result json.RawMessage
	if err == nil {
		result, err = json.Marshal(found)
	}
	switch {
	case err != nil && begun:
		panic(http.ErrAbortHandler)
	case err != nil:
		return err
	}
	return tell(Line{Result: result})
}
