package dialect

import (
	"math"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// usage is what has been read of how many tokens an answer took. A count that was not said, or makes no sense, is unknown.
type usage struct {
	prompt, completion, read, write int64
}

const unknown = -1

// noUsage is what is known before anything has been read.
var noUsage = usage{unknown, unknown, unknown, unknown}

// maxTokens is more than any answer takes; a larger count is no count.
const maxTokens = 1_000_000_000_000

// replace reads a usage object of the OpenAI APIs over what was read before. One that says nothing leaves it as it is.
// Chat, completions and embeddings say prompt_tokens and completion_tokens, responses say input_tokens and output_tokens.
func (u *usage) replace(raw []byte) {
	next := noUsage
	hit := int64(unknown)
	walk(raw, func(key, value []byte) {
		switch string(key) {
		case "prompt_tokens", "input_tokens":
			next.prompt = count(value)
		case "completion_tokens", "output_tokens":
			next.completion = count(value)
		case "prompt_tokens_details", "input_tokens_details":
			walk(value, func(key, value []byte) {
				switch string(key) {
				case "cached_tokens":
					next.read = count(value)
				case "cache_write_tokens":
					next.write = count(value)
				}
			})
		case "prompt_cache_hit_tokens": // DeepSeek's own name for it
			hit = count(value)
		}
	})
	if next.prompt == unknown && next.completion == unknown {
		return
	}
	if next.read == unknown {
		next.read = hit
	}
	*u = next
}

// merge reads a usage object of the messages API: each count it names takes the place of the one before.
func (u *usage) merge(raw []byte) {
	set := func(to *int64, value []byte) {
		if n := count(value); n != unknown {
			*to = n
		}
	}
	walk(raw, func(key, value []byte) {
		switch string(key) {
		case "input_tokens":
			set(&u.prompt, value)
		case "output_tokens":
			set(&u.completion, value)
		case "cache_read_input_tokens":
			set(&u.read, value)
		case "cache_creation_input_tokens":
			set(&u.write, value)
		}
	})
}

// tokens gives the counts in one form: the prompt is all of it, the cached parts are within it.
func (u usage) tokens(e *Endpoint) (money.Tokens, bool) {
	if u.prompt == unknown || u.completion == unknown && !e.promptOnly {
		return money.Tokens{}, false
	}
	t := money.Tokens{Prompt: u.prompt, Completion: max(u.completion, 0), CacheRead: max(u.read, 0), CacheWrite: max(u.write, 0)}
	if e.Protocol == Messages {
		t.Prompt += t.CacheRead + t.CacheWrite
	}
	t.CacheRead = min(t.CacheRead, t.Prompt)
	t.CacheWrite = min(t.CacheWrite, t.Prompt-t.CacheRead)
	return t, true
}

// count reads a number of tokens. What is negative, fractional, absurd or no number at all is unknown.
func count(raw []byte) int64 {
	if n := digits(raw); n <= maxTokens {
		return n
	}
	return unknown
}

// digits reads a number that is written in digits alone, else -1.
func digits(raw []byte) int64 {
	if len(raw) == 0 || len(raw) > len("9223372036854775807") {
		return -1
	}
	var n int64
	for _, c := range raw {
		if c < '0' || c > '9' || n > (math.MaxInt64-9)/10 {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
