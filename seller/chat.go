package seller

import (
	"encoding/json"
	"iter"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

func readChat(body []byte) (*request, *refusal) {
	var q struct {
		common
		Messages            []json.RawMessage `json:"messages"`
		MaxCompletionTokens *int64            `json:"max_completion_tokens"`
		MaxTokens           *int64            `json:"max_tokens"`
		N                   *int              `json:"n"`
	}
	if refused := decode(body, &q); refused != nil {
		return nil, refused
	}
	if len(q.Messages) == 0 {
		return nil, invalid("messages", "expected at least one message")
	}
	req := &request{common: q.common}
	var refused *refusal
	if req.prompt, req.said, refused = readMessages(q.Messages); refused != nil {
		return nil, refused
	}
	if req.limit, refused = limitOf("max_completion_tokens", q.MaxCompletionTokens, q.MaxTokens); refused != nil {
		return nil, refused
	}
	req.choices, refused = choicesOf(q.N)
	return req, refused
}

// chatObject is a chat.completion or a chat.completion.chunk.
type chatObject struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	Usage   any          `json:"usage,omitempty"`
}

type chatChoice struct {
	Index        int          `json:"index"`
	Message      *chatMessage `json:"message,omitempty"`
	Delta        *chatDelta   `json:"delta,omitempty"`
	Logprobs     *struct{}    `json:"logprobs"`
	FinishReason *string      `json:"finish_reason"`
}

type chatMessage struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal"`
}

type chatDelta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

// openAIUsage is the usage of chat and completions.
type openAIUsage struct {
	PromptTokens        int64 `json:"prompt_tokens"`
	CompletionTokens    int64 `json:"completion_tokens"`
	TotalTokens         int64 `json:"total_tokens"`
	PromptTokensDetails struct {
		CachedTokens int64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionTokensDetails struct {
		ReasoningTokens int64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

func newOpenAIUsage(t money.Tokens) openAIUsage {
	u := openAIUsage{PromptTokens: t.Prompt, CompletionTokens: t.Completion, TotalTokens: t.Prompt + t.Completion}
	u.PromptTokensDetails.CachedTokens = t.CacheRead
	return u
}

// null is what stands for the usage in the chunks before the one that has it.
var null = json.RawMessage("null")

func (a *answer) chatObject(object string, choices ...chatChoice) chatObject {
	return chatObject{ID: "chatcmpl-" + a.id, Object: object, Created: a.created, Model: a.model, Choices: choices}
}

func chatWhole(a *answer) any {
	choices := make([]chatChoice, a.choices)
	for i := range choices {
		choices[i] = chatChoice{
			Index: i, Message: &chatMessage{Role: "assistant", Content: a.text()}, FinishReason: new(a.finish("stop", "length")),
		}
	}
	whole := a.chatObject("chat.completion", choices...)
	whole.Usage = newOpenAIUsage(a.usage)
	return whole
}

func chatEvents(a *answer) iter.Seq[event] {
	chunk := func(tokens int64, choices ...chatChoice) event {
		c := a.chatObject("chat.completion.chunk", choices...)
		if a.StreamOptions.IncludeUsage {
			c.Usage = null
		}
		return event{data: c, tokens: tokens}
	}
	return func(yield func(event) bool) {
		for i := range a.choices {
			if !yield(chunk(0, chatChoice{Index: i, Delta: &chatDelta{Role: "assistant", Content: new("")}})) {
				return
			}
		}
		for _, piece := range a.pieces {
			for i := range a.choices {
				if !yield(chunk(1, chatChoice{Index: i, Delta: &chatDelta{Content: &piece}})) {
					return
				}
			}
		}
		for i := range a.choices {
			if !yield(chunk(0, chatChoice{Index: i, Delta: &chatDelta{}, FinishReason: new(a.finish("stop", "length"))})) {
				return
			}
		}
		if a.StreamOptions.IncludeUsage {
			last := a.chatObject("chat.completion.chunk")
			last.Choices, last.Usage = []chatChoice{}, newOpenAIUsage(a.usage)
			if !yield(event{data: last}) {
				return
			}
		}
		yield(event{data: text("[DONE]")})
	}
}
