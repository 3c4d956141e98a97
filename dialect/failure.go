package dialect

import (
	"bytes"
	"net/http"
)

// Failure is the error that a stream said of itself.
type Failure struct {
	Status int    // as an HTTP status, 400 to 599; 0 when none was said
	Type   string // its type and code, where they are short plain words
	Code   string

	rank        int  // which member the status is from
	model       bool // the message begins by naming a model
	wrongSeller bool // it is about what another seller has made
	options     bool // it names stream_options
}

// ClientFault tells whether the request is at fault and not the seller, so that another one would say the same: a 4xx
// status or the type invalid_request_error. Excepted are the statuses that are about the seller, its load or our account
// with it (401 to 404, 408, 425, 429), and credit that is spent.
func (f *Failure) ClientFault() bool {
	for _, word := range []string{f.Type, f.Code} {
		switch word {
		case "insufficient_quota", "insufficient_funds", "insufficient_balance":
			return false
		}
	}
	switch {
	case f.Status >= 401 && f.Status <= 404, f.Status == 408, f.Status == 425, f.Status == 429:
		return false
	case f.Status >= 400 && f.Status < 500:
		return true
	}
	return f.Type == "invalid_request_error" || f.Code == "invalid_request_error"
}

// ModelNotFound tells whether the seller says that it does not have the model: in so many words, or as not_found_error without
// another code and with a message that begins with the model, as the messages API puts it (model: …) and Ollama (model '…' not
// found). That something else was not found, or that a sentence in the message may mean a model, is not enough: the seller would
// be left out for what it has.
func (f *Failure) ModelNotFound() bool {
	const modelNotFound = "model_not_found"
	return f.Code == modelNotFound || f.Type == modelNotFound || f.Type == "not_found_error" && f.model
}

// SaysModelNotFound is Failure.ModelNotFound for an answer that is not a stream: a 404 with its body.
func SaysModelNotFound(status int, body []byte) bool {
	if status != http.StatusNotFound {
		return false
	}
	var f Failure
	f.read(body, 1)
	return f.ModelNotFound()
}

// read takes what an event, or an error object in it, says. Errors stand at the top level, under error, and under
// response.error.
func (f *Failure) read(b []byte, levels int) {
	walk(b, func(key, value []byte) {
		switch string(key) {
		case "error", "response":
			if levels > 0 {
				f.read(value, levels-1)
			}
		case "status_code":
			f.status(value, 3)
		case "status":
			f.status(value, 2)
		case "code":
			f.status(value, 1)
			f.Code = word(value, f.Code)
			f.wrongSeller = f.wrongSeller || wrongSellerCodes[string(value)]
		case "message":
			f.model = f.model || namesModel(value)
			f.wrongSeller = f.wrongSeller || saysWrongSeller(value)
			f.options = f.options || namesStreamOptions(value)
		case "upstream_error", "detail":
			f.wrongSeller = f.wrongSeller || saysWrongSeller(value)
			f.options = f.options || namesStreamOptions(value)
		case "param":
			f.options = f.options || namesStreamOptions(value)
		case "type":
			// At the top level it is the event's own.
			if t := word(value, ""); t != "" && t != "error" && !bytes.HasPrefix(value, []byte(`"response.`)) {
				f.Type = t
			}
		}
	})
}

// namesModel tells whether a message begins by naming a model.
func namesModel(message []byte) bool {
	rest, ok := bytes.CutPrefix(message, []byte(`"model`))
	return ok && len(rest) > 1 && (rest[0] == ':' || rest[0] == ' ' && (rest[1] == '\'' || rest[1] == '\\' || rest[1] == '`'))
}

func (f *Failure) status(raw []byte, rank int) {
	if n := digits(bytes.Trim(raw, `"`)); n >= 400 && n <= 599 && rank >= f.rank {
		f.Status, f.rank = int(n), rank
	}
}

// NamesStreamOptions tells whether a seller refuses a request because of its stream_options: it may be asked again without.
func NamesStreamOptions(status int, body []byte) bool {
	if status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
		return false
	}
	return namesStreamOptions(body)
}

// NamesStreamOptions is that of the error that a stream said of itself, or an answer whose status said nothing of one.
func (f *Failure) NamesStreamOptions() bool {
	switch f.Status {
	case 0, http.StatusBadRequest, http.StatusUnprocessableEntity:
		return f.options
	}
	return false
}

// SaysNoStreamOptions is Failure.NamesStreamOptions for a body that is no answer, though its status is 2xx.
func SaysNoStreamOptions(body []byte) bool {
	var f Failure
	f.read(bytes.TrimPrefix(body, []byte(byteOrderMark)), 1)
	return f.NamesStreamOptions()
}

func namesStreamOptions(words []byte) bool {
	return bytes.Contains(words, []byte("stream_options")) || bytes.Contains(words, []byte("include_usage")) ||
		bytes.Contains(words, []byte("streamOptions"))
}
