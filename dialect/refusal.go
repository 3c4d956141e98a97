package dialect

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Refusal is an answer of the gateway's own: why a request is not served. It is written in the shape of the API that was
// called, so that the caller's SDK raises the error type it has for the case.
type Refusal struct {
	Status        int
	Code          string // OpenAI's code
	Type          string // OpenAI's type
	AnthropicType string
	Message       string
	Param         string        // OpenAI: the member at fault; empty for null
	NoRetry       bool          // trying again can't better it
	RetryAfter    time.Duration // when it can: how long to wait; 0 says nothing of it
}

// Error makes a refusal an error.
func (r *Refusal) Error() string { return r.Message }

// InvalidRequest refuses a request that can't be read or does not say what it must. Param names the member, or is empty.
func InvalidRequest(param, message string) *Refusal {
	return &Refusal{
		Status: http.StatusBadRequest, Code: invalidRequest, Type: invalidRequest, AnthropicType: invalidRequest,
		Message: message, Param: param, NoRetry: true,
	}
}

const invalidRequest = "invalid_request_error"

// InvalidKey refuses a caller without a key, or with one that is nobody's.
func InvalidKey() *Refusal {
	return &Refusal{
		Status: http.StatusUnauthorized, Code: "invalid_api_key", Type: invalidRequest, AnthropicType: "authentication_error",
		Message: "No valid key came with the request. Send yours as Authorization: Bearer <key>, or as x-api-key.", NoRetry: true,
	}
}

// BudgetSpent refuses a member whose budget does not cover the request.
func BudgetSpent() *Refusal {
	return &Refusal{
		Status: http.StatusPaymentRequired, Code: "insufficient_quota", Type: "insufficient_quota", AnthropicType: "billing_error",
		Message: "Your budget does not cover this request. Ask whoever runs this gateway.", NoRetry: true,
	}
}

// ModelNotAllowed refuses a model that the member may not use.
func ModelNotAllowed(model string) *Refusal {
	return &Refusal{
		Status: http.StatusForbidden, Code: "model_not_allowed", Type: invalidRequest, AnthropicType: "permission_error",
		Message: "You may not use " + modelName(model) + ". GET " + ModelsPath + " lists those you may.", Param: "model", NoRetry: true,
	}
}

// ModelNotFound refuses a model that no seller has for this API.
func ModelNotFound(model string) *Refusal {
	return &Refusal{
		Status: http.StatusNotFound, Code: "model_not_found", Type: invalidRequest, AnthropicType: "not_found_error",
		Message: "No seller has " + modelName(model) + " for this API. GET " + ModelsPath + " lists what there is.", Param: "model",
		NoRetry: true,
	}
}

// TooLarge refuses a body of more bytes than limit.
func TooLarge(limit int64) *Refusal {
	return &Refusal{
		Status: http.StatusRequestEntityTooLarge, Code: "request_too_large", Type: invalidRequest, AnthropicType: "request_too_large",
		Message: "The request body is larger than " + strconv.FormatInt(limit, 10) + " bytes, the most that is taken here.", NoRetry: true,
	}
}

// RateLimited refuses a member who asks too often.
func RateLimited(after time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusTooManyRequests, Code: "rate_limit_exceeded", Type: "rate_limit_error", AnthropicType: "rate_limit_error",
		Message: "You are over your rate of requests.", RetryAfter: atLeastASecond(after),
	}
}

// Upstream says that every attempt failed.
func Upstream(after time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusBadGateway, Code: "upstream_error", Type: "upstream_error", AnthropicType: "api_error",
		Message: "Every seller that was asked failed.", RetryAfter: atLeastASecond(after),
	}
}

// NoSeller says that nothing could be tried.
func NoSeller(after time.Duration) *Refusal {
	return Unavailable(after, "No seller could be asked just now.")
}

// Unavailable is NoSeller for another reason, which the message gives.
func Unavailable(after time.Duration, message string) *Refusal {
	return &Refusal{
		Status: http.StatusServiceUnavailable, Code: "no_seller_available", Type: "server_error", AnthropicType: "overloaded_error",
		Message: message, RetryAfter: atLeastASecond(after),
	}
}

// DeadlineExceeded says that the last attempt ran out of time.
func DeadlineExceeded() *Refusal {
	return &Refusal{
		Status: http.StatusGatewayTimeout, Code: "deadline_exceeded", Type: "server_error", AnthropicType: "timeout_error",
		Message: "No seller answered in time.",
	}
}

// Loop refuses a request that comes from a gateway: two of them point at each other.
func Loop() *Refusal {
	return &Refusal{
		Status: http.StatusLoopDetected, Code: "loop_detected", Type: invalidRequest, AnthropicType: invalidRequest,
		Message: "This request comes from a gateway like this one: one of them has the other, or itself, as a seller.", NoRetry: true,
	}
}

// UpgradeRequired refuses a WebSocket: clients that try one first go on over plain HTTP at once.
func UpgradeRequired() *Refusal {
	return &Refusal{
		Status: http.StatusUpgradeRequired, Code: "upgrade_required", Type: invalidRequest, AnthropicType: invalidRequest,
		Message: "WebSockets are not served here. POST the request over HTTP.", NoRetry: true,
	}
}

// Write sends the refusal. The request's id stands in Anthropic's errors; its X-Request-Id header is the caller's to set.
func (r *Refusal) Write(w http.ResponseWriter, s Shape, requestID string) {
	h := w.Header()
	if r.NoRetry {
		h.Set("X-Should-Retry", "false")
	}
	if r.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(seconds(r.RetryAfter), 10))
	}
	var body any
	if s == Anthropic {
		h.Set("Request-Id", requestID)
		var b anthropicError
		b.Type, b.RequestID = "error", requestID
		b.Error.Type, b.Error.Message = r.AnthropicType, r.Message
		body = b
	} else {
		var b openAIError
		b.Error.Message, b.Error.Type, b.Error.Code = r.Message, r.Type, r.Code
		if r.Param != "" {
			b.Error.Param = &r.Param
		}
		body = b
	}
	writeJSON(w, r.Status, body)
}

type openAIError struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    string  `json:"code"`
	} `json:"error"`
}

type anthropicError struct {
	Type  string `json:"type"`
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
	RequestID string `json:"request_id"`
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, _ := json.Marshal(v) // strings, numbers and booleans always encode
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

func atLeastASecond(d time.Duration) time.Duration { return max(d, time.Second) }

// seconds rounds up, to at least one.
func seconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}

// modelName gives a model's name to be shown in a message, when it is short and plain.
func modelName(model string) string {
	if model == "" || len(model) > 100 {
		return "this model"
	}
	for i := range len(model) {
		if model[i] < '!' || model[i] > '~' {
			return "this model"
		}
	}
	return "the model " + model
}
