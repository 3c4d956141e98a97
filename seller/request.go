package seller

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// maxBody is the largest body of an inference request, in bytes.
const maxBody = 10 << 20

// maxChoices is how many answers one request may ask for.
const maxChoices = 8

// request is what the model has to know of an inference request, whatever the API.
type request struct {
	common
	prompt  []block
	said    string // the last thing that the user said
	limit   int64  // of completion tokens, for each choice; 0: none
	choices int
	inputs  []string // embeddings: a text for each vector
	vectors vectors
}

// common are the members that all APIs have.
type common struct {
	Model         string `json:"model"`
	Stream        bool   `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// block is a part of a prompt that is cached as a whole, such as a message.
type block struct {
	raw    string
	tokens int64
}

// newBlock counts a token for each four bytes of text, and at least one.
func newBlock(raw, text string, other int) block {
	return block{raw: raw, tokens: max(1, int64(len(text)+other)/4)}
}

func promptTokens(prompt []block) (n int64) {
	for _, part := range prompt {
		n += part.tokens
	}
	return n
}

// readBody reads a body of at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *refusal) {
	if refused := uncompressed(r); refused != nil {
		return nil, refused
	}
	var body []byte
	refused := receive(w, r, func() (err error) {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		return err
	})
	return body, refused
}

// uncompressed refuses a body that has a content coding: none is undone here.
func uncompressed(r *http.Request) *refusal {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return &refusal{status: http.StatusUnsupportedMediaType, code: "unsupported_encoding", message: "send the body uncompressed"}
	}
	return nil
}

// receive has a body read in the time that there is for it, and says to the buyer what was wrong with that.
func receive(w http.ResponseWriter, r *http.Request, read func() error) *refusal {
	done := inTime(r, reading, http.NewResponseController(w).SetReadDeadline)
	err := read()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return late() // the server is not to wait for the rest either
	}
	done()
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return tooLarge()
	case errors.Is(err, errNoMemory):
		return unavailable("too many large requests are under way; ask again in a moment")
	case err != nil:
		return invalid("", "the body could not be read to its end")
	}
	return nil
}

// timeLeft is what a request says of the time that it has, in milliseconds; false: nothing.
func timeLeft(r *http.Request) (ms int64, said bool) {
	ms, err := strconv.ParseInt(r.Header.Get(wire.HeaderDeadline), 10, 64)
	return ms, err == nil
}

// decode reads a body into v. What it says of an error names members, never values.
func decode(body []byte, v any) *refusal {
	err := json.Unmarshal(body, v)
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return invalid(wrong.Field, "this member has a value of the wrong type")
	}
	return invalid("", "the body is not one JSON object")
}

// requestIDs reads the request's id, and what the request is without it: a repeat differs in nothing else.
func requestIDs(r *http.Request, body []byte) (id string, same digest) {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return "", digest{}
	}
	for _, name := range []string{"request_id", "requestId"} {
		var s string
		if json.Unmarshal(members[name], &s) == nil && s != "" {
			id = s
		}
		delete(members, name)
	}
	if id == "" {
		id = r.Header.Get(wire.HeaderRequestID)
	}
	if !wire.FitID(id) {
		id = ""
	}
	plain, _ := json.Marshal(members) // came from JSON
	return id, hash("request", r.URL.Path, string(plain))
}

// limitOf reads output limits, of which the first that is there counts.
func limitOf(param string, asked ...*int64) (int64, *refusal) {
	for _, n := range asked {
		if n == nil {
			continue
		}
		if *n < 1 {
			return 0, invalid(param, "must be at least 1")
		}
		return *n, nil
	}
	return 0, nil
}

func choicesOf(n *int) (int, *refusal) {
	if n == nil {
		return 1, nil
	}
	if *n < 1 || *n > maxChoices {
		return 0, invalid("n", "must be from 1 to 8")
	}
	return *n, nil
}

// textOf gives the text of a message's content (a string, or a list of parts), and how many bytes of it are none. Those of
// a picture or a file count up to 8,000.
func textOf(content json.RawMessage) (text string, other int) {
	if json.Unmarshal(content, &text) == nil {
		return text, 0
	}
	var parts []json.RawMessage
	if json.Unmarshal(content, &parts) != nil {
		return "", min(len(content), 8000)
	}
	var b strings.Builder
	for _, raw := range parts {
		var part struct {
			Text *string `json:"text"`
		}
		if json.Unmarshal(raw, &part) == nil && part.Text != nil {
			b.WriteString(*part.Text)
		} else {
			other += min(len(raw), 8000)
		}
	}
	return b.String(), other
}

// message is one turn of a conversation.
type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// readMessages gives the blocks of a conversation, and what its user said last.
func readMessages(raws []json.RawMessage) (prompt []block, said string, refused *refusal) {
	for _, raw := range raws {
		var m message
		if json.Unmarshal(raw, &m) != nil {
			return nil, "", invalid("messages", "each message must be an object with a role and a content")
		}
		text, other := textOf(m.Content)
		if len(m.Content) == 0 {
			other = min(len(raw), 8000) // an item that is no message, such as a tool's result
		}
		if m.Role == "user" && text != "" {
			said = text
		}
		prompt = append(prompt, newBlock(string(raw), text, other))
	}
	return prompt, said, nil
}

// withSystem puts the system text, where there is one, before the conversation.
func withSystem(raw json.RawMessage, prompt []block) []block {
	if len(raw) == 0 || string(raw) == "null" {
		return prompt
	}
	text, other := textOf(raw)
	return append([]block{newBlock(string(raw), text, other)}, prompt...)
}
