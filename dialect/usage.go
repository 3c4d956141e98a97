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
	// Partial: a part of the prompt or the completion was said in a number that can't be read, so that it falls under the whole, or the
	// total has tokens of which nothing says what they are, so that they fall under nothing.
	Partial bool
	Served  Served
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
	vague  bool  // there is more, which can't be counted
	total  int64 // of all of it, where no part was said; 0: not known
	served Served
	aside  money.Tokens // what making the conversation shorter took, apart as well: the other counts leave it out
}

// maxTokens is more than any answer takes; a larger count is no count.
const maxTokens = 1_000_000_000_000

// set takes a number; null, and one that is missing, say nothing, and what else can't be read makes the class unknown.
func (u *usage) set(c Class, to *int64, raw []byte) {
	if len(raw) == 0 || string(raw) == "null" {
		return
	}
	*to, u.known = 0, u.known&^c
	if n := digits(raw); n >= 0 && n <= maxTokens {
		*to, u.known, u.odd = n, u.known|c, u.odd&^c
	} else {
		u.odd |= c
	}
}

// replace reads a usage object of the OpenAI APIs over what was read before. One that says nothing leaves it as it is. Chat,
// completions and embeddings say prompt_tokens and completion_tokens, responses say input_tokens and output_tokens.
func (u *usage) replace(raw []byte) {
	var next, hit usage
	next.served = u.served
	said, heard, total := false, false, int64(-1)
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
		case "prompt_audio_seconds": // Mistral's prompt leaves out what was heard, which the total has
			heard = !empty(value)
		case "prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens": // other names for it, that count without the first
			hit.set(ClassCacheRead, &hit.tokens.CacheRead, value)
		case "cache_creation_input_tokens":
			hit.set(ClassCacheWrite, &hit.tokens.CacheWrite, value)
		case "server_tool_use", "server_tool_use_details":
			next.set(ClassWebSearches, &next.tokens.WebSearches, member(value, "web_search_requests"))
		case "server_side_tool_usage_details":
			next.set(ClassWebSearches, &next.tokens.WebSearches, member(value, "web_search_calls"))
		case "service_tier", "speed", "inference_geo":
			next.served.take(string(key), value)
		}
	})
	u.served = next.served
	if !said {
		if total >= 0 && total <= maxTokens {
			u.total = total
		}
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
	next.addThoughts(total, heard)
	*u = next
}

// addReasoning adds the reasoning to a completion that leaves it out, as that of xAI's chat does: then it is the total that has it, and
// where the total has more as well, a part that is larger than the whole tells it.
func (u *usage) addReasoning(total int64) {
	const wholes = ClassWholes | ClassReasoning
	t := &u.tokens
	rest := total - t.Prompt - t.Completion
	if u.known&wholes == wholes && (rest == t.Reasoning || t.Reasoning > t.Completion && rest > t.Reasoning) {
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

// addThoughts adds to the completion what only the total has, where nothing else can be in it: Gemini's APIs leave out of the completion
// what was thought, and the completion altogether where all of it was. Where it can be something else it is not counted, and no bill is held
// against the rest: the reasoning is named, there are cached parts that it could be with others, or sounds.
func (u *usage) addThoughts(total int64, heard bool) {
	t := &u.tokens
	rest, parts := total-t.Prompt-t.Completion, t.CacheRead+t.CacheWrite
	switch {
	case rest <= 0 || total > maxTokens || u.known&ClassPrompt == 0 || u.odd&ClassWholes != 0:
	case u.known&ClassReasoning != 0 || heard || parts > 0 && rest > parts:
		u.vague = true
	default:
		t.Completion, t.Reasoning = t.Completion+rest, rest
		u.known |= ClassCompletion | ClassReasoning
	}
}

func (u *usage) promptDetails(raw []byte) {
	walk(raw, func(key, value []byte) {
		switch string(key) {
		case "cached_tokens":
			u.set(ClassCacheRead, &u.tokens.CacheRead, value)
		case "cache_write_tokens", "cache_creation_tokens":
			u.set(ClassCacheWrite, &u.tokens.CacheWrite, value)
		case "cache_creation_token_details":
			u.set(ClassCacheWrite1h, &u.tokens.CacheWrite1h, member(value, "ephemeral_1h_input_tokens"))
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
		if string(key) == "iterations" {
			u.shortened(value)
		} else {
			u.count(key, value)
		}
	})
}

// shortened reads the models' runs that an answer took. Those that made the conversation shorter are paid for, and in no other count.
func (u *usage) shortened(runs []byte) {
	if string(runs) == "null" { // nothing is said
		return
	}
	u.aside, u.vague = money.Tokens{}, false
	each(runs, func(run []byte) {
		if string(member(run, "type")) != `"compaction"` {
			return
		}
		var one usage
		walk(run, one.count)
		t, sum := one.tokens, &u.aside
		sum.Prompt += t.Prompt
		sum.Completion += t.Completion
		sum.CacheRead += t.CacheRead
		sum.CacheWrite += t.CacheWrite
		sum.CacheWrite1h += min(t.CacheWrite1h, t.CacheWrite)
		u.vague = u.vague || one.odd != 0
	})
	if t := u.aside; max(t.Prompt, t.Completion, t.CacheRead, t.CacheWrite) > maxTokens {
		u.aside, u.vague = money.Tokens{}, true
	}
}

func (u *usage) count(key, value []byte) {
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
	case "service_tier", "speed", "inference_geo":
		u.served.take(string(key), value)
	}
}

// forgetOutputs drops what is only a placeholder as long as the answer goes on.
func (u *usage) forgetOutputs() {
	t := &u.tokens
	t.Completion, t.AudioOut, t.ImageOut, t.Reasoning, t.WebSearches = 0, 0, 0, 0, 0
	u.aside.Completion = 0
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
	t, known := u.tokens, u.known
	if u.apart {
		t, known = u.withAside()
		t.Prompt += t.CacheRead + t.CacheWrite
	}
	switch {
	case promptOnly:
		if known&ClassPrompt == 0 && u.total > 0 { // as Voyage says it
			t.Prompt, known = u.total, known|ClassPrompt
		}
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
	return Usage{Tokens: whole, Known: known, Partial: u.odd&^ClassWholes != 0 || u.vague, Served: u.served}
}

// withAside gives what is known, class by class, with what making the conversation shorter took.
func (u *usage) withAside() (money.Tokens, Class) {
	t, known := u.tokens, u.known
	add := func(c Class, to *int64, n int64) {
		if n > 0 {
			*to, known = *to+n, known|c
		}
	}
	if known&ClassPrompt != 0 {
		t.Prompt += u.aside.Prompt
	}
	if known&ClassCompletion != 0 {
		t.Completion += u.aside.Completion
	}
	add(ClassCacheRead, &t.CacheRead, u.aside.CacheRead)
	add(ClassCacheWrite, &t.CacheWrite, u.aside.CacheWrite)
	add(ClassCacheWrite1h, &t.CacheWrite1h, u.aside.CacheWrite1h)
	return t, known
}

// search notes web searches that were seen and not said in a usage object.
func (u *usage) search(seen int64) {
	if seen > u.tokens.WebSearches {
		u.tokens.WebSearches, u.known = seen, u.known|ClassWebSearches
	}
}
