package dialect

import (
	"bytes"
	"unicode/utf8"
)

// The members of a request that decide what it costs, who serves it, or what becomes of it. None of them may be there
// twice or under another spelling, whatever the API: two parsers that disagree would let one request be checked and
// another one be served.
const (
	memberModel = iota
	memberStream
	memberMaxTokens
	memberMaxCompletionTokens
	memberMaxOutputTokens
	memberN
	memberBackground
	memberPromptCacheKey
	memberPreviousResponseID
	memberRequestID
	memberBestOf
	memberStreamOptions
	memberModels
	memberFallbacks
	memberCount

	noMember = -1
)

var memberNames = [memberCount]string{
	"model", "stream", "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "background", "prompt_cache_key",
	"previous_response_id", "requestId", "best_of", "stream_options", "models", "fallbacks",
}

// promptNames are those that are the prompt, or bring more into it, or say on which terms it is served. None of them may be there twice
// either; in which spelling it is there once makes no difference here.
var promptNames = [...]string{
	"messages", "input", "prompt", "system", "instructions", "tools", "mcp_servers", "conversation", "thread", "container", "service_tier", "speed",
	"inference_geo",
}

// twinRequestID is the other spelling of requestId, which sellers take as well.
const twinRequestID = "request_id"

// known finds the member that matters that a key, as it stands, may be taken for; exact when it is spelled as it should be.
func known(raw []byte) (which int, exact bool) {
	for which := range memberNames {
		if string(raw) == memberNames[which] {
			return which, true
		}
	}
	if string(raw) == twinRequestID {
		return memberRequestID, true
	}
	if len(raw) == 0 {
		return noMember, false
	}
	switch c := raw[0]; c | 0x20 {
	case 'm', 's', 'n', 'b', 'p', 'r', 'f': // how they begin
	default:
		if c < utf8.RuneSelf && c != '\\' {
			return noMember, false
		}
	}
	name := raw
	if bytes.IndexByte(raw, '\\') >= 0 {
		name, _ = unquote(raw)
	}
	for _, m := range spellings {
		if bytes.EqualFold(name, m.name) {
			return m.which, false
		}
	}
	return noMember, false
}

// spelling is one that a key is held against, whatever its case.
type spelling struct {
	name  []byte
	which int
}

var spellings = func() []spelling {
	list := []spelling{{[]byte(twinRequestID), memberRequestID}}
	for which, name := range memberNames {
		list = append(list, spelling{[]byte(name), which})
	}
	return list
}()
