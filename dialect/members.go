package dialect

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
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
	"messages", "input", "prompt", "system", "instructions", "tools", "mcp_servers", "conversation", "service_tier", "speed", "inference_geo",
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

// fold gives a key in small letters and without escapes, and whether it stands so. One that is longer than any that matters is
// empty.
func fold(raw []byte) (key []byte, exact bool) {
	exact = true
	for _, c := range raw {
		if c == '\\' || c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			exact = false
		}
	}
	switch {
	case exact:
		return raw, true
	case len(raw) > 6*len("previous_response_id"):
		return nil, false
	}
	name, ok := unquote(raw)
	if !ok {
		return nil, false
	}
	return bytes.ToLower(bytes.ToUpper(name)), false // a long s is an s to who reads JSON without regard to case, and a kelvin a k
}

// plain tells whether what stands in a string is what it says: ASCII without escapes.
func plain(raw []byte) bool {
	for _, c := range raw {
		if c >= utf8.RuneSelf || c == '\\' {
			return false
		}
	}
	return true
}

// unquote decodes what stands between the quotes of a JSON string. It is not ok when that is not Unicode: broken UTF-8, or half of a
// surrogate pair; nor when the string is none.
func unquote(raw []byte) (text []byte, ok bool) {
	if !utf8.Valid(raw) {
		return nil, false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw, true
	}
	if halves(raw) {
		return nil, false
	}
	quoted := make([]byte, 0, len(raw)+2)
	quoted = append(append(append(quoted, '"'), raw...), '"')
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

// halves tells whether an escaped surrogate stands there without its other half, or an escape is cut off: what a seeker has found was
// not checked.
func halves(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		switch {
		case i == len(raw):
			return true
		case raw[i] != 'u':
			continue
		case i+5 > len(raw):
			return true
		}
		switch unit := hex(raw[i+1 : i+5]); {
		case unit >= 0xdc00 && unit < 0xe000:
			return true
		case unit >= 0xd800 && unit < 0xdc00:
			low := i + 5
			if low+6 > len(raw) || raw[low] != '\\' || raw[low+1] != 'u' {
				return true
			}
			if unit := hex(raw[low+2 : low+6]); unit < 0xdc00 || unit >= 0xe000 {
				return true
			}
			i = low + 5
		default:
			i += 4
		}
	}
	return false
}

func hex(b []byte) uint64 {
	n, err := strconv.ParseUint(string(b), 16, 32)
	if err != nil {
		return math.MaxUint64
	}
	return n
}
