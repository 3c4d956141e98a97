package export

import (
	"encoding/json"
	"io"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// jsonLines writes each entry as the JSON that it is stored as, on a line of its own: its hash can be checked on it.
type jsonLines struct {
	out     io.Writer
	encoder *json.Encoder
}

func newJSONLines(w io.Writer) jsonLines { return jsonLines{w, json.NewEncoder(w)} }

func (j jsonLines) Entry(e *ledger.Entry) error { return j.encoder.Encode(e) }

// Line is part of [Liner].
func (j jsonLines) Line(raw []byte) error {
	if _, err := j.out.Write(raw); err != nil {
		return err
	}
	_, err := j.out.Write(lineEnd)
	return err
}

var lineEnd = []byte("\n")

func (jsonLines) End([]ledger.Account) error { return nil }
