package dialect

import (
	"bytes"
	"strconv"
)

// Request is what the top level of a request says.
type Request struct {
	Model                string // as asked for, before any alias
	ModelStart, ModelEnd int    // the body's bytes that say it, their quotes included
	InsertAt             int    // right after the opening brace: another member and a comma may be put in there

	Stream             bool
	MaxOutput          int64 // the asked limit of completion tokens; 0 when there is none
	N                  int64 // how many answers are asked for, at least 1
	RequestID          string
	HasRequestID       bool   // the client has named one itself, readable or not: none may be added
	PromptCacheKey     string // empty when there is none, or none that can be read
	PreviousResponseID string

	// PromptTokens is an estimate: a third of the body's bytes. Each piece of media in base64 counts 2,000 instead.
	PromptTokens int64

	system, turns span // the members that Opening reads
}

// maxModel is how long a model's name may be: it is kept with each entry of the ledger.
const maxModel = 512

// Scan reads the top level of a request's body, in one pass and without decoding the rest. The refusal says which member
// is wrong, and never what stands in it.
func (e *Endpoint) Scan(body []byte) (*Request, *Refusal) {
	s := scanner{body: body, endpoint: e, request: &Request{N: 1, ModelStart: -1}}
	whole := walkSpans(body, &s.media, s.member)
	switch {
	case s.refusal != nil:
		return nil, s.refusal
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return nil, InvalidRequest("", "The request body begins with a byte order mark. Send JSON without one.")
	case !whole:
		return nil, InvalidRequest("", "The request body is not one JSON object, whole and alone.")
	case s.request.ModelStart < 0:
		return nil, InvalidRequest("model", "The member model is missing. Name the model to be asked.")
	}
	s.request.InsertAt = bytes.IndexByte(body, '{') + 1
	s.request.PromptTokens = s.media.promptTokens(len(body))
	return s.request, nil
}

type scanner struct {
	body     []byte
	endpoint *Endpoint
	request  *Request
	media    media
	seen     uint32
	refusal  *Refusal // the first thing that is wrong
}

func (s *scanner) member(key, value span) {
	if s.refusal != nil {
		return
	}
	name := key.of(s.body)
	which, exact := known(name)
	if which == noMember {
		s.checkName(name)
		s.opening(name, value)
		return
	}
	member := memberNames[which]
	switch {
	case s.seen&(1<<which) != 0:
		s.refuse(member, "is there twice (perhaps in another spelling). Send it once.")
		return
	case !exact:
		s.refuse(member, "is spelled in another way (other case, or with escapes). Write it exactly so.")
		return
	}
	s.seen |= 1 << which
	if s.endpoint.api.asks&(1<<which) != 0 {
		s.take(which, value)
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
	n, ok := whole(raw)
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
