package seller

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// form is how an API writes its errors.
type form uint8

const (
	formOpenAI form = iota
	formAnthropic
)

// refusal is an error answer. Its message never holds anything of the request.
type refusal struct {
	status  int
	code    string
	param   string
	message string
	balance *money.Micros // what is left on the token

	settlement *wire.Settlement // what was billed all the same
}

// write sends the refusal in the shape of the API.
func (f *refusal) write(w http.ResponseWriter, as form) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if f.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	if f.balance != nil {
		h.Set(wire.HeaderPrefix+"Balance-Micros", strconv.FormatInt(int64(*f.balance), 10))
	}
	if f.settlement != nil {
		f.settlement.SetHeader(h)
	}
	var param *string
	if f.param != "" {
		param = &f.param
	}
	var body any
	if as == formAnthropic {
		id := h.Get(wire.HeaderRequestID)
		h.Set("Request-Id", id)
		said := map[string]any{"type": f.anthropicType(), "message": f.message, "code": f.code}
		switch f.code { // where SDKs look for it
		case codeThreadNotFound:
			said["details"] = map[string]any{"error_code": f.code}
		case codeThreadUnsupported:
			said["details"] = map[string]any{"error_code": f.code, "unsupported": []string{"thread"}}
		}
		body = map[string]any{"type": "error", "error": said, "request_id": id}
	} else {
		body = map[string]any{"error": map[string]any{"message": f.message, "type": f.openAIType(), "param": param, "code": f.code}}
	}
	data, _ := json.Marshal(body) // texts always encode
	w.WriteHeader(f.status)
	_, _ = w.Write(data)
}

func (f *refusal) openAIType() string {
	switch {
	case f.status == http.StatusPaymentRequired && f.code != "payment_refused":
		return "insufficient_funds"
	case f.status >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}

func (f *refusal) anthropicType() string {
	switch f.status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "billing_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusServiceUnavailable:
		return "overloaded_error"
	case http.StatusGatewayTimeout:
		return "timeout_error"
	}
	if f.status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}

func invalid(param, message string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request_error", param: param, message: message}
}

// overlongUnpaid is a status after which a gateway asks another seller, and buys nothing here.
func overlongUnpaid() *refusal {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, code: "request_too_large",
		message: "this model is known to answer at more length than the limit that is asked, and that may be more than the token bears: use a token of more credit",
	}
}

// responseUnknown has the buyer's client send the whole conversation.
func responseUnknown(message string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "previous_response_not_found", param: "previous_response_id", message: message}
}

const (
	codeThreadNotFound    = "thread_not_found"
	codeThreadUnsupported = "thread_unsupported_request"
)

// threadUnknown is the same for a thread of messages.
func threadUnknown(message string) *refusal {
	return &refusal{status: http.StatusNotFound, code: codeThreadNotFound, message: message}
}

func tooEarly() *refusal {
	return &refusal{status: http.StatusTooEarly, code: "too_early", message: "this came before the TLS handshake was complete: send it again"}
}

func unauthorized() *refusal {
	return &refusal{
		status: http.StatusUnauthorized, code: "invalid_api_key",
		message: "no token, or one that is unknown or has expired: buy one, and send it as Authorization: Bearer <token>",
	}
}

func insufficientFunds(balance money.Micros) *refusal {
	return &refusal{
		status: http.StatusPaymentRequired, code: "insufficient_funds", balance: &balance,
		message: "what is left on the token is less than the least this request can cost",
	}
}

func modelNotFound() *refusal {
	return &refusal{status: http.StatusNotFound, code: "model_not_found", param: "model", message: "this seller does not have this model"}
}

func tooLarge() *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, code: "request_too_large", message: "the body is too large"}
}

func late() *refusal {
	return &refusal{status: http.StatusRequestTimeout, code: "request_timeout", message: "the body did not come in time"}
}

func conflict(message string) *refusal {
	return &refusal{status: http.StatusConflict, code: "idempotency_conflict", message: message}
}

func unavailable(message string) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: "unavailable", message: message}
}

func pastDeadline() *refusal {
	return &refusal{
		status: http.StatusGatewayTimeout, code: "deadline_exceeded",
		message: "the answer would not be done in the time the request has left; nothing was billed",
	}
}
