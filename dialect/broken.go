package dialect

import (
	"bytes"
	"net/http"
	"strconv"
)

// What a client is told when its stream broke. Clients decide by these words, and by the type that goes with them, whether to ask
// again: "server error", "connection reset" and "retry your request" are such words for several agents.
const (
	upstreamBroke = "Server error: the answer broke off before its end, as the connection to the upstream seller was lost " +
		"(connection reset). Please retry your request."
	shutdownBroke = "Server error: service unavailable. The answer broke off before its end, as this gateway is being restarted " +
		"(connection reset). Please retry your request."
)

func breakMessage(shutdown bool) string {
	if shutdown {
		return shutdownBroke
	}
	return upstreamBroke
}

// Break gives the error event, its blank line included, that tells the client in the API's own shape that the stream broke:
// because the gateway shuts down, or at the seller.
func (v *Events) Break(shutdown bool) []byte { return v.endpoint.api.broken(v, shutdown) }

const serverError = "server_error"

// maxShown bounds what of a seller's message is shown in an event, in bytes.
const maxShown = 4 << 10

// ErrorEvent gives a seller's own error, the status and body of an answer, as the error event of a stream, for a client that has
// had the status 200 already. What the body does not say goes by the status.
func (e *Endpoint) ErrorEvent(status int, body []byte) []byte {
	said := e.statusWords(status)
	var read func(b []byte, levels int)
	read = func(b []byte, levels int) {
		walk(b, func(key, value []byte) {
			switch string(key) {
			case "error":
				if levels > 0 {
					read(value, levels-1)
				}
				fallthrough
			case "message":
				if text := readable(value); text != "" && len(text) <= maxShown {
					said.message = text
				}
			case "type":
				if t := word(value, ""); t != "" && t != "error" {
					said.kind = t
				}
			case "code":
				said.code = word(value, said.code)
			}
		})
	}
	read(bytes.TrimPrefix(body, []byte(byteOrderMark)), 1)
	switch {
	case e.Shape == Anthropic:
		return messageError(said.kind, said.message)
	case e.Protocol == Responses:
		return responseError(said.kind, said.code, said.message, 0)
	}
	return chunkError(said.kind, said.code, said.message)
}

// errorWords are what an error event says.
type errorWords struct{ kind, code, message string }

// statusWords is what an error's status alone says. Clients go by these words as they go by the status: whether to ask again.
func (e *Endpoint) statusWords(status int) errorWords {
	said := errorWords{kind: serverError, code: serverError, message: "The upstream seller failed."}
	anthropic := "api_error"
	switch {
	case status == http.StatusTooManyRequests:
		said = errorWords{kind: "rate_limit_error", code: "rate_limit_exceeded", message: "The upstream seller has had too many requests."}
		anthropic = said.kind
	case status >= 400 && status <= 499:
		said = errorWords{kind: invalidRequest, code: invalidRequest, message: "The upstream seller refused the request."}
		anthropic = invalidRequest
		if status == http.StatusNotFound {
			anthropic = "not_found_error"
		}
	case status == 529, status == http.StatusServiceUnavailable:
		anthropic = "overloaded_error"
	case status == http.StatusGatewayTimeout:
		anthropic = "timeout_error"
	}
	if e.Shape == Anthropic {
		said.kind = anthropic
	}
	return said
}

// chunkError gives the error event of chat and completions.
func chunkError(kind, code, message string) []byte {
	return []byte(`data: {"error":{"message":` + quoted(message) + `,"type":` + quoted(kind) +
		`,"param":null,"code":` + quoted(code) + `}}` + "\n\n")
}

// messageError gives that of messages.
func messageError(kind, message string) []byte {
	return []byte("event: error\n" +
		`data: {"type":"error","error":{"type":` + quoted(kind) + `,"message":` + quoted(message) + `}}` + "\n\n")
}

// responseError gives that of responses. Its members stand at its top level, as the API describes it, and once more under error,
// as the API really sends it: the SDKs raise an error for that alone.
func responseError(kind, code, message string, sequence int64) []byte {
	text := quoted(message)
	return []byte("event: error\n" +
		`data: {"type":"error","code":` + quoted(code) + `,"message":` + text + `,"param":null,"sequence_number":` +
		strconv.FormatInt(sequence, 10) +
		`,"error":{"type":` + quoted(kind) + `,"code":` + quoted(code) + `,"message":` + text + `,"param":null}}` + "\n\n")
}

func (v *Events) chunkBreak(shutdown bool) []byte {
	return chunkError(serverError, serverError, breakMessage(shutdown))
}

// messageBreak says overloaded where the gateway itself is what can't go on: asked again, another one may.
func (v *Events) messageBreak(shutdown bool) []byte {
	kind := "api_error"
	if shutdown {
		kind = "overloaded_error"
	}
	return messageError(kind, breakMessage(shutdown))
}

func (v *Events) responseBreak(shutdown bool) []byte {
	return responseError(serverError, serverError, breakMessage(shutdown), v.sequence+1)
}
