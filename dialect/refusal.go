package dialect

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
	Detail        string        // Anthropic: the error_code of its details; empty for none
	NoRetry       bool          // trying again can't better it
	RetryAfter    time.Duration // when it can: how long to wait; 0 says nothing of it
	Allow         []string      // 405: the methods that the path has
	Upgrade       string        // 426: the protocol to use instead, which that status must name
}

const (
	// maxGuess is the longest wait that the gateway asks for of its own: nobody knows better when it is worth another try.
	maxGuess = 15 * time.Second
	// maxRetryAfter is the longest wait that stands in a header: some agents sleep any time in silence.
	maxRetryAfter = time.Minute
)

// Asked gives the refusal with a wait that is more than a guess: one that a seller asked for, or the end of a rate, a minute or a
// day. Past a minute there is no header, no retry either, and the message says when.
func (r Refusal) Asked(wait time.Duration) *Refusal {
	r.RetryAfter = atLeastASecond(wait)
	return &r
}

// Final gives the refusal as one that another try can't better: the gateway has waited and asked again itself, or an own account
// is refused.
func (r Refusal) Final() *Refusal {
	r.NoRetry = true
	return &r
}

// Because gives the refusal with another message.
func (r Refusal) Because(message string) *Refusal {
	r.Message = message
	return &r
}

// Error makes a refusal an error.
func (r *Refusal) Error() string { return r.Message }

// Write sends the refusal. The request's id stands in Anthropic's errors; its X-Request-Id header is the caller's to set.
func (r *Refusal) Write(w http.ResponseWriter, s Shape, requestID string) {
	h := w.Header()
	if r.final() {
		h.Set("X-Should-Retry", "false")
	}
	if r.RetryAfter > 0 && r.RetryAfter <= maxRetryAfter {
		h.Set("Retry-After", strconv.FormatInt(seconds(r.RetryAfter), 10))
	}
	if len(r.Allow) > 0 {
		h.Set("Allow", strings.Join(r.Allow, ", "))
	}
	if r.Upgrade != "" {
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", r.Upgrade)
	}
	if s == Anthropic {
		h.Set("Request-Id", requestID)
	}
	writeBody(w, r.Status, r.JSON(s, requestID))
}

// JSON is the body of the refusal.
func (r *Refusal) JSON(s Shape, requestID string) []byte {
	var body any
	if s == Anthropic {
		var b anthropicError
		b.Type, b.RequestID = "error", requestID
		b.Error.Type, b.Error.Message = r.AnthropicType, r.message()
		if r.Detail != "" {
			b.Error.Details = &anthropicDetails{r.Detail}
		}
		body = b
	} else {
		var b openAIError
		b.Error.Message, b.Error.Type, b.Error.Code = r.message(), r.Type, r.Code
		if r.Param != "" {
			b.Error.Param = &r.Param
		}
		body = b
	}
	return encode(body)
}

// final tells whether the client is asked not to try again by itself.
func (r *Refusal) final() bool { return r.NoRetry || r.RetryAfter > maxRetryAfter }

// message is what the client is told, with the time of a wait that is too long for a header.
func (r *Refusal) message() string {
	if r.RetryAfter <= maxRetryAfter {
		return r.Message
	}
	at := time.Now().Add(r.RetryAfter).UTC().Truncate(time.Second)
	return r.Message + " Ask again at " + at.Format(time.RFC3339) + ", in " + roughly(r.RetryAfter) + "."
}

// roughly says a duration in its largest unit.
func roughly(d time.Duration) string {
	n, unit := int64((d+time.Minute-1)/time.Minute), "minute"
	if d > 2*time.Hour {
		n, unit = int64((d+time.Hour-1)/time.Hour), "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.FormatInt(n, 10) + " " + unit
}

// Event gives the refusal as the error event of a stream, for a client that has had the status 200 already.
func (r *Refusal) Event(e *Endpoint) []byte {
	switch {
	case e.Shape == Anthropic:
		return messageError(r.AnthropicType, r.message())
	case e.Protocol == Responses:
		return responseError(r.Type, r.Code, r.message(), 0)
	}
	return chunkError(r.Type, r.Code, r.message())
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
		Type    string            `json:"type"`
		Message string            `json:"message"`
		Details *anthropicDetails `json:"details,omitempty"`
	} `json:"error"`
	RequestID string `json:"request_id"`
}

type anthropicDetails struct {
	ErrorCode string `json:"error_code"`
}

func writeJSON(w http.ResponseWriter, v any) { writeBody(w, http.StatusOK, encode(v)) }

func encode(v any) []byte {
	body, _ := json.Marshal(v) // strings, numbers and booleans always encode
	return body
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	// A cache that knows nothing of keys would show one member's list to another, or an error to all.
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if !slices.Contains(h["Vary"], vary) {
		h.Add("Vary", vary)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// vary are the headers by which answers differ from member to member.
const vary = "Authorization, X-Api-Key"

// guess is a wait that the gateway has thought of itself.
func guess(d time.Duration) time.Duration { return min(atLeastASecond(d), maxGuess) }

func atLeastASecond(d time.Duration) time.Duration { return max(d, time.Second) }

// seconds rounds up, to at least one.
func seconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}
