package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

var errMore = errors.New("expected one object, and nothing after it")

// object reads what a request says: one JSON object of v's members, each once, as of two that differ one would be as if it had not been said.
// Where nothing is said it is io.EOF. Those that are null are named: they are in v as if they had not been said.
func object(w http.ResponseWriter, r *http.Request, most int64, v any) (nulls []string, err error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errMore
	}
	return once(raw)
}

// once refuses an object in which a member stands twice, also in another case: the decoder takes that for the same. It names those that are null.
func once(raw []byte) (nulls []string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return nil, err
	}
	var all []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		word, _ := name.(string)
		if slices.ContainsFunc(all, func(other string) bool { return strings.EqualFold(word, other) }) {
			return nil, bad("%s stands in the body twice: say it once", word)
		}
		all = append(all, word)
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		if string(value) == "null" {
			nulls = append(nulls, word)
		}
	}
	return nulls, nil
}
