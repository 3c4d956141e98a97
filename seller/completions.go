package seller

import (
	"encoding/json"
	"iter"
)

func readCompletion(body []byte) (*request, *refusal) {
	var q struct {
		common
		Prompt    json.RawMessage `json:"prompt"`
		MaxTokens *int64          `json:"max_tokens"`
		N         *int            `json:"n"`
	}
	if refused := decode(body, &q); refused != nil {
		return nil, refused
	}
	texts, prompt, refused := readInputs("prompt", q.Prompt)
	if refused != nil {
		return nil, refused
	}
	req := &request{common: q.common, prompt: prompt, said: texts[len(texts)-1]}
	if req.limit, refused = limitOf("max_tokens", q.MaxTokens); refused != nil {
		return nil, refused
	}
	if req.choices, refused = choicesOf(q.N); refused != nil {
		return nil, refused
	}
	if req.choices *= len(texts); req.choices > maxChoices {
		return nil, invalid("n", "n times the number of prompts must be at most 8")
	}
	return req, nil
}

// completionObject is a text_completion, whole or a piece of it.
type completionObject struct {
	ID      string             `json:"id"`
	Object  string             `json:"object"`
	Created int64              `json:"created"`
	Model   string             `json:"model"`
	Choices []completionChoice `json:"choices"`
	Usage   any                `json:"usage,omitempty"`
}

type completionChoice struct {
	Text         string    `json:"text"`
	Index        int       `json:"index"`
	Logprobs     *struct{} `json:"logprobs"`
	FinishReason *string   `json:"finish_reason"`
}

func (a *answer) completionObject(choices ...completionChoice) completionObject {
	return completionObject{ID: "cmpl-" + a.id, Object: "text_completion", Created: a.created, Model: a.model, Choices: choices}
}

func completionWhole(a *answer) any {
	choices := make([]completionChoice, a.choices)
	for i := range choices {
		choices[i] = completionChoice{Text: a.text(), Index: i, FinishReason: new(a.finish("stop", "length"))}
	}
	whole := a.completionObject(choices...)
	whole.Usage = newOpenAIUsage(a.usage)
	return whole
}

func completionEvents(a *answer) iter.Seq[event] {
	return func(yield func(event) bool) {
		for n, piece := range a.pieces {
			for i := range a.choices {
				choice := completionChoice{Text: piece, Index: i}
				if n == len(a.pieces)-1 {
					choice.FinishReason = new(a.finish("stop", "length"))
				}
				part := a.completionObject(choice)
				if a.StreamOptions.IncludeUsage {
					part.Usage = null
				}
				if !yield(event{data: part, tokens: 1}) {
					return
				}
			}
		}
		if a.StreamOptions.IncludeUsage {
			last := a.completionObject()
			last.Choices, last.Usage = []completionChoice{}, newOpenAIUsage(a.usage)
			if !yield(event{data: last}) {
				return
			}
		}
		yield(event{data: text("[DONE]")})
	}
}
