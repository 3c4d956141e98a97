package export

import (
	"encoding/json"
	"io"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// jsonLines writes each entry as the JSON that it is stored as, on a line of its own: its hash can be checked on it.
type jsonLines struct{ encoder *json.Encoder }

func newJSONLines(w io.Writer) jsonLines { return jsonLines{json.NewEncoder(w)} }

func (j jsonLines) Entry(e *ledger.Entry) error { return j.encoder.Encode(e) }

func (jsonLines) End([]ledger.Account) error { return nil }
