package seller

import (
	"encoding/json"
	"iter"
	"net/http"
)

// messageBody is the part of a messages request that is the prompt.
type messageBody struct {
	common
	System    json.RawMessage   `json:"system"`
	Thread    json.RawMessage   `json:"thread"`
	Messages  []json.RawMessage `json:"messages"`
	MaxTokens *int64            `json:"max_tokens"`
}

func (q *messageBody) read(body []byte) (*request, *refusal) {
	if refused := decode(body, q); refused != nil {
		return nil, refused
	}
	if len(q.Thread) > 0 && string(q.Thread) != "null" { // passed over, the next turn would come without its question
		return nil, &refusal{
			status: http.StatusBadRequest, code: codeThreadUnsupported, param: "thread",
			message: "thread: this seller keeps no conversations: send all of it, without this member",
		}
	}
	if len(q.Messages) == 0 {
		return nil, invalid("messages", "messages: expected at least one message")
	}
	prompt, said, refused := readMessages(q.Messages)
	if refused != nil {
		return nil, refused
	}
	return &request{common: q.common, prompt: withSystem(q.System, prompt), said: said, choices: 1}, nil
}

func readMessage(body []byte) (*request, *refusal) {
	var q messageBody
	req, refused := q.read(body)
	if refused != nil {
		return nil, refused
	}
	if q.MaxTokens == nil {
		return nil, invalid("max_tokens", "max_tokens: this member is required")
	}
	req.limit, refused = limitOf("max_tokens", q.MaxTokens)
	return req, refused
}

func readCount(body []byte) (*request, *refusal) {
	var q messageBody
	return q.read(body)
}

func countWhole(a *answer) any {
	return map[string]int64{"input_tokens": a.usage.Prompt}
}

type messageObject struct {
	ID           string         `json:"id"`
	Type         string         `json:"type"`
	Role         string         `json:"role"`
	Model        string         `json:"model"`
	Content      []contentBlock `json:"content"`
	StopReason   *string        `json:"stop_reason"`
	StopSequence *string        `json:"stop_sequence"`
	Usage        messageUsage   `json:"usage"`
}

type contentBlock struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type messageUsage struct {
	InputTokens              int64 `json:"input_tokens"` // without the cached ones
	CacheCreationInputTokens int64 `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int64 `json:"cache_read_input_tokens"`
	OutputTokens             int64 `json:"output_tokens"`
}

func (a *answer) messageObject(output int64) messageObject {
	return messageObject{
		ID: "msg_" + a.id, Type: "message", Role: "assistant", Model: a.model, Content: []contentBlock{},
		Usage: messageUsage{
			InputTokens:              a.usage.Prompt - a.usage.CacheRead - a.usage.CacheWrite,
			CacheCreationInputTokens: a.usage.CacheWrite,
			CacheReadInputTokens:     a.usage.CacheRead,
			OutputTokens:             output,
		},
	}
}

func messageWhole(a *answer) any {
	m := a.messageObject(a.usage.Completion)
	m.Content = []contentBlock{{Type: "text", Text: a.text()}}
	m.StopReason = new(a.finish("end_turn", "max_tokens"))
	return m
}

func messageEvents(a *answer) iter.Seq[event] {
	ev := func(name string, more fields) event {
		more["type"] = name
		return event{name: name, data: more}
	}
	return func(yield func(event) bool) {
		for _, e := range []event{
			ev("message_start", fields{"message": a.messageObject(0)}),
			ev("content_block_start", fields{"index": 0, "content_block": contentBlock{Type: "text"}}),
			ev("ping", fields{}),
		} {
			if !yield(e) {
				return
			}
		}
		for _, piece := range a.pieces {
			e := ev("content_block_delta", fields{"index": 0, "delta": contentBlock{Type: "text_delta", Text: piece}})
			e.tokens = 1
			if !yield(e) {
				return
			}
		}
		whole := a.messageObject(a.usage.Completion)
		for _, e := range []event{
			ev("content_block_stop", fields{"index": 0}),
			ev("message_delta", fields{
				"delta": fields{"stop_reason": a.finish("end_turn", "max_tokens"), "stop_sequence": nil}, "usage": whole.Usage,
			}),
			ev("message_stop", fields{}),
		} {
			if !yield(e) {
				return
			}
		}
	}
}
