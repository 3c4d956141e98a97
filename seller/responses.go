package seller

import (
	"encoding/json"
	"iter"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// responseBody is a responses request, or a request to compact a conversation.
type responseBody struct {
	common
	Input              json.RawMessage `json:"input"`
	Instructions       json.RawMessage `json:"instructions"`
	MaxOutputTokens    *int64          `json:"max_output_tokens"`
	PreviousResponseID *string         `json:"previous_response_id"`
	Background         *bool           `json:"background"`
}

func readResponse(body []byte) (*request, *refusal) {
	var q responseBody
	if refused := decode(body, &q); refused != nil {
		return nil, refused
	}
	switch {
	case q.PreviousResponseID != nil && *q.PreviousResponseID != "":
		return nil, responseUnknown("this seller keeps no responses: send the whole conversation as input")
	case q.Background != nil && *q.Background:
		return nil, invalid("background", "this seller answers in the foreground only")
	}
	req := &request{common: q.common, choices: 1}
	var refused *refusal
	if req.prompt, req.said, refused = readInput(q.Input); refused != nil {
		return nil, refused
	}
	req.prompt = withSystem(q.Instructions, req.prompt)
	req.limit, refused = limitOf("max_output_tokens", q.MaxOutputTokens)
	return req, refused
}

// readInput reads an input: a text, or a list of items.
func readInput(raw json.RawMessage) (prompt []block, said string, refused *refusal) {
	if json.Unmarshal(raw, &said) == nil && said != "" {
		return []block{newBlock(string(raw), said, 0)}, said, nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil || len(items) == 0 {
		return nil, "", invalid("input", "expected a text, or a list of at least one item")
	}
	if prompt, said, refused = readMessages(items); refused != nil {
		refused.param = "input"
	}
	return prompt, said, refused
}

// fields is a JSON object whose members are written out one by one.
type fields = map[string]any

// responseObject is the response in one of its states: before the answer without output and usage, after it with them.
func (a *answer) responseObject(status string, output ...any) fields {
	r := fields{
		"id": "resp_" + a.id, "object": "response", "created_at": a.created, "status": status, "model": a.model,
		"background": false, "error": nil, "incomplete_details": nil, "instructions": nil, "max_output_tokens": nil,
		"metadata": fields{}, "output": []any{}, "parallel_tool_calls": true, "previous_response_id": nil,
		"reasoning": fields{"effort": nil, "summary": nil}, "store": false, "temperature": 1.0,
		"text": fields{"format": fields{"type": "text"}}, "tool_choice": "auto", "tools": []any{}, "top_p": 1.0,
		"truncation": "disabled", "usage": nil, "user": nil,
	}
	if a.limit > 0 {
		r["max_output_tokens"] = a.limit
	}
	if len(output) > 0 {
		r["output"], r["usage"] = output, responseUsage(a.usage)
	}
	if status == "incomplete" {
		r["incomplete_details"] = fields{"reason": "max_output_tokens"}
	}
	return r
}

func responseUsage(t money.Tokens) fields {
	return fields{
		"input_tokens": t.Prompt, "input_tokens_details": fields{"cached_tokens": t.CacheRead, "cache_write_tokens": 0},
		"output_tokens": t.Completion, "output_tokens_details": fields{"reasoning_tokens": 0},
		"total_tokens": t.Prompt + t.Completion,
	}
}

func (a *answer) outputItem(status string, parts ...any) fields {
	if parts == nil {
		parts = []any{}
	}
	return fields{"id": "msg_" + a.id, "type": "message", "status": status, "role": "assistant", "content": parts}
}

func outputText(text string) fields {
	return fields{"type": "output_text", "text": text, "annotations": []any{}, "logprobs": []any{}}
}

func responseWhole(a *answer) any {
	status := a.finish("completed", "incomplete")
	return a.responseObject(status, a.outputItem(status, outputText(a.text())))
}

func responseEvents(a *answer) iter.Seq[event] {
	return func(yield func(event) bool) {
		sequence := 0
		send := func(name string, tokens int64, more fields) bool {
			more["type"], more["sequence_number"] = name, sequence
			sequence++
			return yield(event{name: name, data: more, tokens: tokens})
		}
		part := func(more fields) fields {
			more["item_id"], more["output_index"], more["content_index"] = "msg_"+a.id, 0, 0
			return more
		}
		begun := send("response.created", 0, fields{"response": a.responseObject("in_progress")}) &&
			send("response.in_progress", 0, fields{"response": a.responseObject("in_progress")}) &&
			send("response.output_item.added", 0, fields{"output_index": 0, "item": a.outputItem("in_progress")}) &&
			send("response.content_part.added", 0, part(fields{"part": outputText("")}))
		if !begun {
			return
		}
		for _, piece := range a.pieces {
			if !send("response.output_text.delta", 1, part(fields{"delta": piece, "logprobs": []any{}})) {
				return
			}
		}
		status, whole := a.finish("completed", "incomplete"), outputText(a.text())
		_ = send("response.output_text.done", 0, part(fields{"text": a.text(), "logprobs": []any{}})) &&
			send("response.content_part.done", 0, part(fields{"part": whole})) &&
			send("response.output_item.done", 0, fields{"output_index": 0, "item": a.outputItem(status, whole)}) &&
			send("response."+status, 0, fields{"response": a.responseObject(status, a.outputItem(status, whole))})
	}
}

// compactWhole answers with a compaction that says what the user said last; the toy remembers nothing else.
func compactWhole(a *answer) any {
	return fields{
		"id": "resp_" + a.id, "object": "response.compaction", "created_at": a.created,
		"output": []any{fields{"id": "cmp_" + a.id, "type": "compaction", "encrypted_content": "toy:" + echo(a.said)}},
		"usage":  responseUsage(a.usage),
	}
}
