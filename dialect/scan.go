package dialect

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Request is what the top level of a request says, and what is seen of its prompt on the way.
type Request struct {
	Model                string   // as asked for, before any alias
	ModelStart, ModelEnd int      // the body's bytes that say it, their quotes included
	InsertAt             int      // right after the opening brace: another member and a comma may be put in there
	Models               []string // every other model that the request names, beside model and in its tools; each once
	Fallbacks            []string // of Models, those that may serve the request in the place of Model

	Stream             bool
	IncludeUsage       bool  // a stream's usage is asked for, in chat and completions (see AskUsage)
	MaxOutput          int64 // the asked limit of completion tokens; 0 when there is none
	Headers            bool  // it has headers in its body, which a proxy sends to the provider behind it
	PassedOutput       int64 // where there is none: a limit that is passed on to a provider behind the one that is asked, which may take it, or pass it over
	N                  int64 // how many answers to a prompt are asked for, at least 1
	Answers            int64 // how many are made: n or best_of, times the number of prompts; at least 1
	RequestID          string
	HasRequestID       bool     // the client has named one itself, readable or not: none may be added
	PromptCacheKey     string   // empty when there is none, or none that can be read
	PreviousResponseID string   // the answer that this goes on from: in messages that of a thread
	Thread             bool     // messages: the seller is to keep the conversation, under the id of its answer
	Containers         []string // those at the seller in which code is to run, each once; none: in a new one

	// PromptTokens is the most that the visible prompt is taken to be: a third of the body's bytes; for an image in its place
	// (by URL too) 2,000 instead, for a document one for 16 of its bytes, for audio one for 256; and 32,000 each, at most 200,000,
	// for what is not in the body: a file by URL or id, a stored prompt, a conversation, a hosted tool. What PreviousResponseID
	// goes on from is not in it.
	PromptTokens int64
	// PromptWhole: all of the prompt is in the body, so that it can't be more tokens than the body has bytes.
	PromptWhole bool
	// Tools: the request brings tools, of whatever kind.
	Tools bool
	// HostedTools: tools run at the server (web search, code, MCP), whose results become part of the prompt.
	HostedTools bool
	// Terms are those that the request asks for in the place of the model's own.
	Terms []Term
	// Sealed: the request carries what only its maker can read or check (encrypted reasoning, the signature of thinking), or
	// items by an id of its maker's. See WrongSeller.
	Sealed bool

	system, turns        span // the members that Opening reads
	streamOptions, usage span // stream_options, and the include_usage in it; empty where it is missing
	requestID            span // the member with its quotes, from the name's to the end of its value; empty where it is missing
}

// maxModel is how long a model's name may be: it is kept with each entry of the ledger.
const maxModel = 512

// Scan reads the top level of a request's body, in one pass and without decoding the rest. The refusal says which member
// is wrong, and never what stands in it.
func (e *Endpoint) Scan(body []byte) (*Request, *Refusal) {
	s := scanner{body: body, endpoint: e, request: &Request{N: 1, ModelStart: -1}}
	whole := s.walk()
	switch {
	case s.refusal != nil:
		return nil, s.refusal
	case bytes.HasPrefix(body, []byte(byteOrderMark)):
		return nil, InvalidRequest("", "The request body begins with a byte order mark. Send JSON without one.")
	case !whole:
		return nil, InvalidRequest("", "The request body is not one JSON object, whole and alone.")
	case s.request.ModelStart < 0:
		return nil, InvalidRequest("model", "The member model is missing. Name the model to be asked.")
	}
	s.request.InsertAt = bytes.IndexByte(body, '{') + 1
	s.conclude()
	if s.refusal != nil {
		return nil, s.refusal
	}
	return s.request, nil
}

// walk takes one member after the other, and tells whether the body is one object, whole and alone.
func (s *scanner) walk() bool {
	b := s.body
	end := object(b, space(b, 0), func(key span, i int) int {
		s.facts.begin(key.of(b), s.endpoint.api)
		end := skip(b, i, &s.facts)
		if end >= 0 {
			s.member(key, span{i, end})
		}
		return end
	})
	return end >= 0 && space(b, end) == len(b)
}

// conclude says what is known once all members have been seen.
func (s *scanner) conclude() {
	r, f := s.request, &s.facts
	r.Models = slices.DeleteFunc(r.Models, func(name string) bool { return name == r.Model })
	r.Fallbacks = slices.Clip(r.Models)
	for _, raw := range f.models {
		s.names(raw)
	}
	for _, raw := range f.containers {
		s.contained(readable(raw))
	}
	if strings.HasSuffix(r.Model, ":online") { // OpenRouter's way to ask for a web search
		f.hosted++
	}
	r.Tools = f.tools > 0
	r.HostedTools = f.hostedTools() > 0
	r.PromptWhole = !f.remote && !r.HostedTools && r.PreviousResponseID == ""
	r.Sealed = f.sealed
	r.PromptTokens = f.promptTokens(len(s.body))
	if r.MaxOutput > 0 {
		r.MaxOutput = max(r.MaxOutput, s.passedLimit)
	} else {
		r.PassedOutput = s.passedLimit
	}
	r.Answers = max(r.N, s.bestOf)
	if prompts := f.prompts(); r.Answers > math.MaxInt64/prompts {
		r.Answers = math.MaxInt64
	} else {
		r.Answers *= prompts
	}
}

// twice is what is wrong with a member that may be there once.
const twice = "is there twice (perhaps in another spelling). Send it once."

type scanner struct {
	body     []byte
	endpoint *Endpoint
	request  *Request
	facts    facts
	seen     uint32
	prompt   uint32 // of promptNames
	bestOf   int64
	// passedLimit is an output limit that is passed on to a provider behind the one that is asked: it may be in the place of the request's.
	passedLimit int64
	refusal     *Refusal // the first thing that is wrong
}

func (s *scanner) member(key, value span) {
	if s.refusal != nil {
		return
	}
	name := key.of(s.body)
	which, exact := known(name)
	if which == noMember {
		s.checkName(name)
		s.once(name)
		s.opening(name, value)
		s.remote(name, value.of(s.body))
		return
	}
	member := memberNames[which]
	switch {
	case s.seen&(1<<which) != 0:
		s.refuse(member, twice)
		return
	case !exact:
		s.refuse(member, "is spelled in another way (other case, or with escapes). Write it exactly so.")
		return
	}
	s.seen |= 1 << which
	if which == memberRequestID {
		s.request.requestID = span{key.start - 1, value.end}
	}
	if s.endpoint.api.asks&(1<<which) != 0 {
		s.take(which, value)
	}
}

// once refuses a second one of a member that is the prompt, or brings more into it, or says on which terms it is served: one parser takes the
// first, another one the last.
func (s *scanner) once(name []byte) {
	key, _ := fold(name)
	i := slices.Index(promptNames[:], string(key))
	switch {
	case i < 0:
	case s.prompt&(1<<i) != 0:
		s.refuse(promptNames[i], twice)
	default:
		s.prompt |= 1 << i
	}
}

// opening notes where that stands which tells a conversation from others.
func (s *scanner) opening(name []byte, value span) {
	switch a := s.endpoint.api; {
	case len(name) == 0:
	case string(name) == a.system:
		s.request.system = value
	case string(name) == a.turns:
		s.request.turns = value
	}
}

// take reads the value of a member that this API knows.
func (s *scanner) take(which int, value span) {
	r, raw := s.request, value.of(s.body)
	switch which {
	case memberModel:
		s.model(value)
	case memberStream:
		r.Stream = s.flag("stream", raw)
	case memberBackground:
		if s.flag("background", raw) {
			s.refuse("background", "can't be true here: what runs after the answer can't be metered.")
		}
	case memberMaxTokens, memberMaxCompletionTokens, memberMaxOutputTokens:
		r.MaxOutput = max(r.MaxOutput, s.limit(memberNames[which], raw))
	case memberN:
		r.N = max(1, s.integer("n", raw, 1))
	case memberPromptCacheKey:
		r.PromptCacheKey = readable(raw)
	case memberPreviousResponseID:
		r.PreviousResponseID = s.text("previous_response_id", raw)
	case memberRequestID:
		r.HasRequestID, r.RequestID = true, readable(raw)
	case memberBestOf:
		s.bestOf = max(s.bestOf, s.integer("best_of", raw, 0))
	case memberStreamOptions:
		s.streamOptions(value)
	case memberModels, memberFallbacks:
		s.models(raw)
	}
}

func (s *scanner) model(value span) {
	raw := value.of(s.body)
	r := s.request
	r.ModelStart, r.ModelEnd = value.start, value.end
	if raw[0] != '"' {
		s.refuse("model", "must be a string.")
		return
	}
	switch r.Model = s.text("model", raw); {
	case s.refusal != nil:
	case r.Model == "":
		s.refuse("model", "is empty. Name the model to be asked.")
	case len(r.Model) > maxModel:
		s.refuse("model", "is longer than "+strconv.Itoa(maxModel)+" bytes.")
	}
}

func (s *scanner) flag(name string, raw []byte) bool {
	switch string(raw) {
	case "true":
		return true
	case "false", "null":
	default:
		s.refuse(name, "must be true, false or null.")
	}
	return false
}

// limit reads an output limit. Some clients and servers write no limit as -1.
func (s *scanner) limit(name string, raw []byte) int64 {
	if string(raw) == "-1" {
		return 0
	}
	return s.integer(name, raw, 0)
}

func (s *scanner) integer(name string, raw []byte, least int64) int64 {
	if string(raw) == "null" {
		return 0
	}
	n, ok := money.Whole(raw)
	if !ok || n < least {
		s.refuse(name, "must be a whole number of at least "+strconv.FormatInt(least, 10)+", or null.")
		return 0
	}
	return n
}

// text decodes a string; one that is null or missing is empty.
func (s *scanner) text(name string, raw []byte) string {
	if string(raw) == "null" {
		return ""
	}
	if raw[0] != '"' {
		s.refuse(name, "must be a string or null.")
		return ""
	}
	text, ok := unquote(raw[1 : len(raw)-1])
	if !ok {
		s.refuse(name, "is not valid Unicode.")
	}
	return string(text)
}

// readable decodes a string that decides neither what is served nor what it costs: one that can't be read, or another
// value, is empty, and the seller's to judge.
func readable(raw []byte) string {
	text, ok := unquote(inner(raw))
	if !ok {
		return ""
	}
	return string(text)
}

// checkName refuses names that parsers read in different ways, so that one of them may be seen as a member that matters.
func (s *scanner) checkName(raw []byte) {
	if !plain(raw) {
		if name, ok := unquote(raw); !ok || bytes.IndexByte(name, 0) >= 0 {
			s.refusal = InvalidRequest("", "A member of the request has a name that is not valid Unicode, or has a NUL in it.")
		}
	}
}

func (s *scanner) refuse(name, what string) {
	if s.refusal == nil {
		s.refusal = InvalidRequest(name, "The member "+name+" "+what)
	}
}
