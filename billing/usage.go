package billing

import "github.com/tokenbuddy/caddy-tokenbuddy/money"

// Usage is what an answer says it has used, as far as that is final.
type Usage struct {
	Tokens          money.Tokens
	PromptKnown     bool // Tokens.Prompt was read, and is no placeholder
	CompletionKnown bool // Tokens.Completion was read, and is no placeholder
	CacheReadKnown  bool // Tokens.CacheRead was read: it is shown, also where it is none

	// Partial: a part of them could not be read. It falls under the class that contains it, and no bill is compared with the cost.
	Partial bool
}

// complete tells whether all is known that the cost goes by.
func (u Usage) complete() bool { return u.PromptKnown && u.CompletionKnown && !u.Partial }

// usable gives what of the usage can be used for money, class by class, and tells whether some of it can't be true.
func (f *Facts) usable() (u Usage, implausible bool) {
	u = f.Usage
	t := &u.Tokens
	if t.Reasoning > t.Completion && t.Completion >= 0 { // some APIs do not count among what was written what was thought
		t.Completion = plus(t.Completion, t.Reasoning)
	}
	if f.Shape.NoCompletion {
		implausible = u.CompletionKnown && t.Completion != 0
		u.CompletionKnown, t.Completion, t.AudioOut, t.ImageOut, t.Reasoning = true, 0, 0, 0, 0
	}
	if u.PromptKnown && t.Prompt < 0 {
		u.PromptKnown, implausible = false, true
	}
	if u.CompletionKnown && (t.Completion < 0 || t.Completion == 0 && f.AnswerText > 0 && !f.Shape.NoCompletion) {
		u.CompletionKnown, implausible = false, true
	}
	if !u.PromptKnown {
		t.Prompt, t.CacheRead, t.CacheWrite, t.CacheWrite1h, t.AudioIn, t.ImageIn = 0, 0, 0, 0, 0, 0
	}
	if !u.CompletionKnown {
		t.Completion, t.AudioOut, t.ImageOut, t.Reasoning = 0, 0, 0, 0
	}
	if !t.Consistent() { // the sums stand, and what contradicts them falls under them
		*t = money.Tokens{Prompt: t.Prompt, Completion: t.Completion}
		u.Partial, implausible = true, true
	}
	if !f.Own {
		possible := f.Shape.possible(*t)
		implausible = implausible || possible != *t
		*t = possible
	}
	return u, implausible
}

// possible cuts a usage to what a request of this shape can have used. What came from the cache is the first to be left out, so that
// the seller gets the benefit of the doubt.
func (s Shape) possible(t money.Tokens) money.Tokens {
	if most := s.mostPrompt(); t.Prompt > most {
		t.CacheRead -= min(t.Prompt-most, t.CacheRead)
		t.Prompt = most
		t.CacheWrite = min(t.CacheWrite, t.Prompt-t.CacheRead)
		t.CacheWrite1h = min(t.CacheWrite1h, t.CacheWrite)
		t.AudioIn = min(t.AudioIn, t.Prompt)
		t.ImageIn = min(t.ImageIn, t.Prompt-t.AudioIn)
	}
	if most := s.output(mostOutput); t.Completion > most {
		t.Completion = most
		t.AudioOut = min(t.AudioOut, most)
		t.ImageOut = min(t.ImageOut, most-t.AudioOut)
		t.Reasoning = min(t.Reasoning, most)
	}
	searches := int64(0)
	if s.HostedTools {
		searches = mostSearches
	}
	t.WebSearches = min(t.WebSearches, searches)
	return t
}

// estimated fills in what the usage does not say: a quarter of the prompt's bytes, and a quarter of the text of the answer that
// came, as tokens; media as media. Neither is more than it can be.
func (f *Facts) estimated(u Usage) money.Tokens {
	t := u.Tokens
	if !u.PromptKnown {
		t.Prompt = max(f.Shape.BodyBytes, 0) / 4
		if most := f.Shape.PromptTokens; most > 0 { // of text it is a third of the bytes; of media the bytes say nothing
			t.Prompt = min(t.Prompt, most-most/4)
		}
		t.Prompt = plus(t.Prompt, max(f.Shape.ContinuedTokens, 0))
	}
	if !u.CompletionKnown {
		t.Completion = min(plus(max(f.AnswerText, 0)/4, max(f.AnswerMedia, 0)), f.Shape.output(mostOutput))
	}
	return t
}
