package dialect

import (
	"math"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Class is a class of usage, or a set of them.
type Class uint16

// The classes, in the order of money.Tokens. WebSearches are calls, the others tokens.
const (
	ClassPrompt Class = 1 << iota
	ClassCompletion
	ClassCacheRead
	ClassCacheWrite
	ClassCacheWrite1h
	ClassAudioIn
	ClassImageIn
	ClassAudioOut
	ClassImageOut
	ClassReasoning
	ClassWebSearches

	// ClassWholes are the two that contain all other tokens.
	ClassWholes = ClassPrompt | ClassCompletion
	outputs     = ClassCompletion | ClassAudioOut | ClassImageOut | ClassReasoning | ClassWebSearches
)

// Usage is what an answer has said so far, for good, of what it used. A class that is not Known is zero in Tokens: it was not
// said, in a number that can't be read, or only by a placeholder.
type Usage struct {
	money.Tokens
	Known Class
	// Partial: a part of the prompt or the completion was said in a number that can't be read, so that it falls under the whole.
	Partial bool
}

// Fill gives the usage with estimates for the prompt and the completion where they are not known. Parts that are known stay,
// no larger than what they are parts of.
func (u Usage) Fill(prompt, completion int64) money.Tokens {
	t := u.Tokens
	if u.Known&ClassPrompt == 0 {
		t.Prompt = prompt
	}
	if u.Known&ClassCompletion == 0 {
		t.Completion = completion
	}
	return fit(t)
}

// fit cuts parts down to what they are parts of.
func fit(t money.Tokens) money.Tokens {
	t.CacheRead = min(t.CacheRead, t.Prompt)
	t.CacheWrite = min(t.CacheWrite, t.Prompt-t.CacheRead)
	t.CacheWrite1h = min(t.CacheWrite1h, t.CacheWrite)
	t.AudioIn = min(t.AudioIn, t.Prompt)
	t.ImageIn = min(t.ImageIn, t.Prompt-t.AudioIn)
	t.AudioOut = min(t.AudioOut, t.Completion)
	t.ImageOut = min(t.ImageOut, t.Completion-t.AudioOut)
	t.Reasoning = min(t.Reasoning, t.Completion)
	return t
}

// usage is what has been read of how many tokens an answer took. A count that was not said, or makes no sense, is unknown.
type usage struct {
	tokens money.Tokens
	known  Class
	odd    Class // was said last in a number that can't be read
	apart  bool  // the prompt is said without its cached parts, as the messages API does
}

// maxTokens is more than any answer takes; a larger count is no count.
const maxTokens = 1_000_000_000_000

// set takes a number; null says nothing, and what else can't be read makes the class unknown.
func (u *usage) set(c Class, to *int64, raw []byte) {
	if string(raw) == "null" {
		return
	}
	*to, u.known = 0, u.known&^c
	if n := digits(raw); n >= 0 && n <= maxTokens {
		*to, u.known, u.odd = n, u.known|c, u.odd&^c
	} else if len(raw) > 0 {
		u.odd |= c
	}
}

// replace reads a usage object of the OpenAI APIs over what was read before. One that says nothing leaves it as it is. Chat,
// completions and embeddings say prompt_tokens and completion_tokens, responses say input_tokens and output_tokens.
func (u *usage) replace(raw []byte) {
	var next, hit usage
	said, total := false, int64(-1)
	walk(raw, func(key, value []byte) {
		switch string(key) {
		case "prompt_tokens", "input_tokens":
			said = said || !empty(value)
			next.set(ClassPrompt, &next.tokens.Prompt, value)
		case "completion_tokens", "output_tokens":
			said = said || !empty(value)
			next.set(ClassCompletion, &next.tokens.Completion, value)
		case "prompt_tokens_details", "input_tokens_details":
			next.promptDetails(value)
		case "completion_tokens_details", "output_tokens_details":
			next.completionDetails(value)
		case "total_tokens":
			total = digits(value)
		case "prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens": // other names for it, that count without the first
			hit.set(ClassCacheRead, &hit.tokens.CacheRead, value)
		case "cache_creation_input_tokens":
			hit.set(ClassCacheWrite, &hit.tokens.CacheWrite, value)
		case "server_tool_use", "server_tool_use_details":
			next.set(ClassWebSearches, &next.tokens.WebSearches, member(value, "web_search_requests"))
		case "server_side_tool_usage_details":
			next.set(ClassWebSearches, &next.tokens.WebSearches, member(value, "web_search_calls"))
		}
	})
	if !said {
		return
	}
	next.addReasoning(total)
	if next.known&ClassCacheRead == 0 {
		next.tokens.CacheRead, next.known = hit.tokens.CacheRead, next.known|hit.known&ClassCacheRead
	}
	if next.known&ClassCacheWrite == 0 {
		next.tokens.CacheWrite, next.known = hit.tokens.CacheWrite, next.known|hit.known&ClassCacheWrite
	}
	next.addCached(total)
	*u = next
}

// addReasoning adds the reasoning to a completion that leaves it out, as that of xAI's chat does: then it is the total that has it.
func (u *usage) addReasoning(total int64) {
	const wholes = ClassWholes | ClassReasoning
	if t := &u.tokens; u.known&wholes == wholes && total == t.Prompt+t.Completion+t.Reasoning {
		t.Completion += t.Reasoning
	}
}

// addCached adds the cached parts to a prompt that leaves them out, as that of a gateway does which passes Anthropic's on: then it is the
// total that has them, and where not all of them are named, a part that is larger than the whole tells it.
func (u *usage) addCached(total int64) {
	t := &u.tokens
	prompt, parts := total-t.Completion, t.CacheRead+t.CacheWrite
	if u.known&ClassWholes == ClassWholes && (prompt == t.Prompt+parts || parts > t.Prompt && prompt > t.Prompt+parts) && prompt <= maxTokens {
		t.Prompt = prompt
	}
}

func (u *usage) promptDetails(raw []byte) {
	walk(raw, func(key, value []byte) {
		switch string(key) {
		case "cached_tokens":
			u.set(ClassCacheRead, &u.tokens.CacheRead, value)
		case "cache_write_tokens", "cache_creation_tokens":
			u.set(ClassCacheWrite, &u.tokens.CacheWrite, value)
		case "audio_tokens":
			u.set(ClassAudioIn, &u.tokens.AudioIn, value)
		case "image_tokens":
			u.set(ClassImageIn, &u.tokens.ImageIn, value)
		}
	})
}

func (u *usage) completionDetails(raw []byte) {
	walk(raw, func(key, value []byte) {
		switch string(key) {
		case "reasoning_tokens", "thinking_tokens":
			u.set(ClassReasoning, &u.tokens.Reasoning, value)
		case "audio_tokens":
			u.set(ClassAudioOut, &u.tokens.AudioOut, value)
		case "image_tokens":
			u.set(ClassImageOut, &u.tokens.ImageOut, value)
		}
	})
}

// merge reads a usage object of the messages API: each count it names takes the place of the one before.
func (u *usage) merge(raw []byte) {
	walk(raw, func(key, value []byte) {
		switch string(key) {
		case "input_tokens":
			u.apart = true
			u.set(ClassPrompt, &u.tokens.Prompt, value)
		case "output_tokens":
			u.set(ClassCompletion, &u.tokens.Completion, value)
		case "cache_read_input_tokens":
			u.set(ClassCacheRead, &u.tokens.CacheRead, value)
		case "cache_creation_input_tokens":
			u.set(ClassCacheWrite, &u.tokens.CacheWrite, value)
		case "cache_creation":
			u.set(ClassCacheWrite1h, &u.tokens.CacheWrite1h, member(value, "ephemeral_1h_input_tokens"))
		case "output_tokens_details":
			u.completionDetails(value)
		case "server_tool_use":
			u.set(ClassWebSearches, &u.tokens.WebSearches, member(value, "web_search_requests"))
		}
	})
}

// forgetOutputs drops what is only a placeholder as long as the answer goes on.
func (u *usage) forgetOutputs() {
	t := &u.tokens
	t.Completion, t.AudioOut, t.ImageOut, t.Reasoning, t.WebSearches = 0, 0, 0, 0, 0
	u.known &^= outputs
}

// start reads the usage of a message_start. Its completion is a placeholder, and so is a prompt of nothing.
func (u *usage) start(raw []byte) {
	u.merge(raw)
	u.forgetOutputs()
	if u.tokens.Prompt+u.tokens.CacheRead+u.tokens.CacheWrite == 0 {
		u.known &^= ClassPrompt | ClassCacheRead | ClassCacheWrite | ClassCacheWrite1h
	}
}

// counts gives the usage in one form: the prompt is all of it, and parts are no larger than what they are parts of. said is
// what of the answer has been seen: with words, a completion of no tokens is none that can be believed.
func (u usage) counts(promptOnly bool, said Output) Usage {
	t := u.tokens
	if u.apart {
		t.Prompt += t.CacheRead + t.CacheWrite
	}
	known := u.known
	switch {
	case promptOnly:
		t.Completion, known = 0, known|ClassCompletion
	case known&ClassCompletion != 0 && t.Completion == 0 && said.Text > 0:
		known &^= ClassCompletion
	}
	if known&ClassPrompt == 0 {
		t.Prompt = 0
	}
	whole := t
	if known&ClassPrompt == 0 {
		whole.Prompt = math.MaxInt64
	}
	if known&ClassCompletion == 0 {
		whole.Completion = math.MaxInt64
	}
	whole = fit(whole)
	whole.Prompt, whole.Completion = t.Prompt, t.Completion
	return Usage{Tokens: whole, Known: known, Partial: u.odd&^ClassWholes != 0}
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

// search notes web searches that were seen and not said in a usage object.
func (u *usage) search(seen int64) {
	if seen > u.tokens.WebSearches {
		u.tokens.WebSearches, u.known = seen, u.known|ClassWebSearches
	}
}
