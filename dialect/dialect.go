// Package dialect owns the model APIs that clients speak: where a request says what, what of an answer stream is content
// and what its last event, where usage stands, and what an error looks like.
//
// It reads bytes and never writes them again: a request is scanned at its top level, an answer is looked at event by
// event, and both go on as they came.
package dialect

import "strings"

// Protocol names one of the APIs, as sellers and the ledger write it.
type Protocol string

// The protocols.
const (
	ChatCompletions Protocol = "chat_completions"
	Responses       Protocol = "responses"
	Messages        Protocol = "messages"
	Completions     Protocol = "completions"
	Embeddings      Protocol = "embeddings"
)

// Protocols lists all of them.
var Protocols = []Protocol{ChatCompletions, Responses, Messages, Completions, Embeddings}

// Shape says whose errors and lists a caller understands.
type Shape uint8

// The shapes.
const (
	OpenAI Shape = iota
	Anthropic
)

// ModelsPath is where a client asks which models there are: all of them here, one below it.
const ModelsPath = "/v1/models"

// Endpoint is one path of an API.
type Endpoint struct {
	Path     string
	Protocol Protocol
	Shape    Shape

	api        *api
	promptOnly bool // the answer has no completion tokens
	free       bool
}

// api is what sets one protocol apart from another. Each has a file of its own.
type api struct {
	asks    uint32 // the members of a request that are read: 1<<memberModel and so on
	system  string // the member that has the system text; empty where the turns have it
	turns   string // the member that has the conversation
	prompts string // the member that has a prompt or a list of them; empty where there is one prompt
	stream
}

// stream is how an API's streams speak.
type stream struct {
	event  func(v *Events, name, data []byte)     // looks at one whole event
	kinds  func(kind []byte) bool                 // tells whether a kind of event is this API's alone; nil: its events have none
	marks  map[string]bool                        // paths of what is wanted from an event that is too long to be held
	mark   func(v *Events, path string, b []byte) // takes such a value
	tells  map[string]telling                     // what of an event is what the answer says
	close  func(v *Events, o *oversized)          // such an event has come to its end
	broken func(v *Events, shutdown bool) []byte  // says that the stream broke
}

var endpoints = func() map[string]*Endpoint {
	m := make(map[string]*Endpoint)
	for _, list := range [][]*Endpoint{chatEndpoints, responsesEndpoints, messagesEndpoints, completionsEndpoints, embeddingsEndpoints} {
		for _, e := range list {
			m[e.Path] = e
		}
	}
	return m
}()

// Lookup gives the endpoint at a path; nil when no API has it.
func Lookup(path string) *Endpoint { return endpoints[path] }

// EndsInAPI tells whether a URL, without its query, is that of one API, such as https://openrouter.ai/api/v1/chat/completions, and not of
// what all of them stand below.
func EndsInAPI(url string) bool {
	url = strings.TrimRight(url, "/")
	if i := strings.LastIndex(url, "/v1/"); i >= 0 && Lookup(url[i:]) != nil {
		return true
	}
	return strings.HasSuffix(url, "/chat/completions")
}

// Free tells whether the path costs nothing where the seller says nothing else: it counts tokens and makes no answer.
func (e *Endpoint) Free() bool { return e.free }

// NoCompletion tells whether answers have no completion tokens: embeddings, and what is Free.
func (e *Endpoint) NoCompletion() bool { return e.promptOnly }
