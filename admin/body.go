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
// Where nothing is said it is io.EOF.
func object(w http.ResponseWriter, r *http.Request, most int64, v any) error {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errMore
	}
	return once(raw)
}

// once refuses an object in which a member stands twice, also in another case: the decoder takes that for the same.
func once(raw []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return err
	}
	var all []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		word, _ := name.(string)
		if slices.ContainsFunc(all, func(other string) bool { return strings.EqualFold(word, other) }) {
			return bad("%s stands in the body twice: say it once", word)
		}
		all = append(all, word)
		if err := decoder.Decode(new(json.RawMessage)); err != nil {
			return err
		}
	}
	return nil
}
