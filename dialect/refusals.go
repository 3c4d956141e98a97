package dialect

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// InvalidRequest refuses a request that can't be read or does not say what it must. Param names the member, or is empty.
func InvalidRequest(param, message string) *Refusal {
	return &Refusal{
		Status: http.StatusBadRequest, Code: invalidRequest, Type: invalidRequest, AnthropicType: invalidRequest,
		Message: message, Param: param, NoRetry: true,
	}
}

// TermsUnpriced refuses a request for terms whose price is not known to whoever has the account that would be billed.
func TermsUnpriced(member string) *Refusal {
	return InvalidRequest(member, "The member "+member+" asks for terms that have no price here, so that what they cost could not be counted. "+
		"Leave it out, or ask whoever runs this gateway to name their price (price_on).")
}

const invalidRequest = "invalid_request_error"

// InvalidKey refuses a caller without a key, or with one that is nobody's. Its words leave out the name of the header that Anthropic's clients
// send a key in: where Claude Code finds that in an error, it has its user log in, and shows nothing of what was said.
func InvalidKey() *Refusal {
	return &Refusal{
		Status: http.StatusUnauthorized, Code: "invalid_api_key", Type: invalidRequest, AnthropicType: "authentication_error",
		Message: "No valid key came with the request. Send the one that you have for this gateway, as Authorization: Bearer <key>.", NoRetry: true,
	}
}

// BudgetSpent refuses a member whose budget does not cover the request.
func BudgetSpent() *Refusal {
	return &Refusal{
		Status: http.StatusPaymentRequired, Code: "insufficient_quota", Type: "insufficient_quota", AnthropicType: "billing_error",
		Message: "Your budget does not cover this request. Ask whoever runs this gateway.", NoRetry: true,
	}
}

// BudgetHeld refuses a member whose budget does not cover the request as long as others of the same member are under way: another
// try may find it free.
func BudgetHeld() *Refusal {
	return &Refusal{
		Status: http.StatusPaymentRequired, Code: "insufficient_quota", Type: "insufficient_quota", AnthropicType: "billing_error",
		Message: "Your budget does not cover this request beside those of yours that are under way. Ask again when they are done.",
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

// ModelNotChosen is ModelNotFound where sellers have the model that are not asked, as whoever runs the gateway has chosen another one.
func ModelNotChosen(model string) *Refusal {
	return ModelNotFound(model).Because("The one seller that this gateway keeps to has not " + modelName(model) + " for this API. Ask whoever runs it.")
}

// ModelNotAsked is ModelNotFound where sellers have the model that are not asked, as whoever runs the gateway has chosen one that is not there,
// or nobody: a sentence says which, without a capital.
func ModelNotAsked(model, chosen string) *Refusal {
	return ModelNotFound(model).Because("Nobody is asked for " + modelName(model) + ": " + chosen + " Ask whoever runs it.")
}

// ModelNotKept is ModelNotFound where sellers have the model that do not know the response, or the container, from which the request goes on.
func ModelNotKept(model string) *Refusal {
	return ModelNotFound(model).Because("The seller that made the response, or the container, has not " + modelName(model) + " for this API. Send the whole conversation, without previous_response_id or container.")
}

// TooLarge refuses a body of more bytes than limit.
func TooLarge(limit int64) *Refusal {
	return &Refusal{
		Status: http.StatusRequestEntityTooLarge, Code: "request_too_large", Type: invalidRequest, AnthropicType: "request_too_large",
		Message: "The request body is larger than " + strconv.FormatInt(limit, 10) + " bytes, the most that is taken here.", NoRetry: true,
	}
}

// UnknownEncoding refuses a body whose Content-Encoding is not taken here.
func UnknownEncoding() *Refusal {
	return &Refusal{
		Status: http.StatusUnsupportedMediaType, Code: invalidRequest, Type: invalidRequest, AnthropicType: invalidRequest,
		Message: "This Content-Encoding is not taken here: send gzip, zstd, br or none.", NoRetry: true,
	}
}

// notServed refuses a path of the model APIs that is not served here.
func notServed(path string) *Refusal {
	return &Refusal{
		Status: http.StatusNotFound, Code: "not_found", Type: invalidRequest, AnthropicType: "not_found_error",
		Message: "There is no " + pathName(path) + " here. There are " + servedPaths + ". The base URL of an OpenAI client ends in /v1, that of an " +
			"Anthropic client does not.", NoRetry: true,
	}
}

const servedPaths = "/v1/chat/completions, /v1/responses, /v1/responses/compact, /v1/messages, /v1/messages/count_tokens, /v1/completions, " +
	"/v1/embeddings (POST), and " + ModelsPath + ", " + KeyPath + " (GET)"

// methodNotAllowed refuses a method that a path does not have.
func methodNotAllowed(path string, allow []string) *Refusal {
	return &Refusal{
		Status: http.StatusMethodNotAllowed, Code: "not_found", Type: invalidRequest, AnthropicType: "not_found_error",
		Message: "Only " + strings.Join(allow, ", ") + " is served at " + pathName(path) + ".", NoRetry: true, Allow: allow,
	}
}

// ResponseNotFound refuses what is about a stored response that nobody here has made, or that is another member's. param is
// previous_response_id, or empty where the path named it.
func ResponseNotFound(param string) *Refusal {
	return &Refusal{
		Status: http.StatusNotFound, Code: "response_not_found", Type: invalidRequest, AnthropicType: "not_found_error",
		Message: "No response of yours with this id is known here.", Param: param, NoRetry: true,
	}
}

// ThreadNotFound refuses what goes on from a message that nobody here has said in a thread, or that is another member's. Its detail is
// the word after which SDKs send the whole conversation.
func ThreadNotFound() *Refusal {
	return &Refusal{
		Status: http.StatusNotFound, Code: "thread_not_found", Type: invalidRequest, AnthropicType: "not_found_error", Detail: "thread_not_found",
		Message: "No message of yours with this id is known here as one of a thread. Send the whole conversation.", NoRetry: true,
	}
}

// RateLimited refuses a member who asks too often.
func RateLimited(after time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusTooManyRequests, Code: "rate_limit_exceeded", Type: "rate_limit_error", AnthropicType: "rate_limit_error",
		Message: "You are over your rate of requests.", RetryAfter: atLeastASecond(after),
	}
}

// FleetUnavailable refuses while nobody can tell whether a budget bears a request: mostly the fleet's store is away and nothing is set
// aside here, but the gateway may also be one that the fleet does not believe any more.
func FleetUnavailable(after time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusServiceUnavailable, Code: "fleet_unavailable", Type: "server_error", AnthropicType: "overloaded_error",
		Message: "This gateway can't find out now whether your budget covers the request. Try again in a moment.", RetryAfter: guess(after),
	}
}

// Upstream says that every attempt failed. The wait is the gateway's guess, at most 15 s, as in NoSeller and Unavailable; see Asked.
func Upstream(after time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusBadGateway, Code: "upstream_error", Type: "upstream_error", AnthropicType: "api_error",
		Message: "Every seller that was asked failed.", RetryAfter: guess(after),
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
		Message: message, RetryAfter: guess(after),
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
		Message: "WebSockets are not served here. POST the request over HTTP.", NoRetry: true, Upgrade: "HTTP/1.1",
	}
}

// TooEarly refuses what somebody else may have copied and sent, as its client's handshake is not complete: the client sends it again by
// itself when that is.
func TooEarly() *Refusal {
	return &Refusal{
		Status: http.StatusTooEarly, Code: "too_early", Type: invalidRequest, AnthropicType: invalidRequest,
		Message: "This request came before the TLS handshake was complete, when anybody could repeat it. Send it again.",
	}
}

// pathName gives a path to be shown in a message.
func pathName(path string) string {
	if !showable(path) {
		return "such path"
	}
	return path
}

// modelName gives a model's name to be shown in a message.
func modelName(model string) string {
	if !showable(model) {
		return "this model"
	}
	return "the model " + model
}

// showable tells whether a client's word is short and plain.
func showable(word string) bool {
	return word != "" && len(word) <= 100 && !strings.ContainsFunc(word, func(r rune) bool { return r < '!' || r > '~' })
}
