package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestEmptyAnswers has sellers give answers that are empty for a reason: the limit, a filter, a refusal, a tool call, a plain stop. They
// are answers, as short as they are. What is none in these APIs is none in the others either.
func TestEmptyAnswers(t *testing.T) {
	t.Parallel()
	chat := func(message, reason string) string {
		return fmt.Sprintf(`{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",%s},"finish_reason":%q}]}`, message, reason)
	}
	chunk := func(delta, reason string) string {
		return roleEvent + fmt.Sprintf("data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":%q}]}\n\ndata: [DONE]\n\n", delta, reason)
	}
	text := func(reason string) string {
		return fmt.Sprintf(`{"id":"c","object":"text_completion","choices":[{"index":0,"text":"","finish_reason":%q}]}`, reason)
	}
	response := func(status, output, more string) string {
		return fmt.Sprintf(`{"id":"r","object":"response","status":%q,"output":[%s]%s}`, status, output, more)
	}
	responseEvents := func(status, output, more string) string {
		return speeches[1].begin + event("response."+status, fmt.Sprintf(`{"type":"response.%s","sequence_number":2,"response":%s}`, status, response(status, output, more)))
	}
	message := func(content, reason string) string {
		return fmt.Sprintf(`{"id":"m","type":"message","role":"assistant","content":[%s],"stop_reason":%q,"usage":{"input_tokens":3,"output_tokens":0}}`, content, reason)
	}
	messageEvents := func(reason string) string {
		return event("message_start", `{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}`) +
			event("message_delta", fmt.Sprintf(`{"type":"message_delta","delta":{"stop_reason":%q},"usage":{"output_tokens":0}}`, reason)) +
			event("message_stop", `{"type":"message_stop"}`)
	}
	const call = `"content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]`
	rows := []struct {
		path, answer string
		none         bool
	}{
		{path: "/v1/chat/completions", answer: chat(`"content":""`, "length")},
		{path: "/v1/chat/completions", answer: chat(`"content":null`, "length")},
		{path: "/v1/chat/completions", answer: chat(`"content":""`, "content_filter")},
		{path: "/v1/chat/completions", answer: chat(`"content":""`, "stop")},
		{path: "/v1/chat/completions", answer: chat(`"content":null,"refusal":"no"`, "stop")},
		{path: "/v1/chat/completions", answer: chat(call, "tool_calls")},
		{path: "/v1/chat/completions", answer: chunk("{}", "length")},
		{path: "/v1/chat/completions", answer: chunk("{}", "content_filter")},
		{path: "/v1/chat/completions", answer: chunk("{}", "stop")},
		{path: "/v1/chat/completions", answer: strings.Replace(chunk("{}", "stop"), roleEvent, "", 1)},
		{path: "/v1/completions", answer: text("length")},
		{path: "/v1/completions", answer: text("content_filter")},
		{path: "/v1/completions", answer: "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n"},
		{path: "/v1/completions", answer: `{"id":"c","object":"text_completion","choices":[]}`, none: true},
		{path: "/v1/completions", answer: "data: [DONE]\n\n", none: true},
		{path: "/v1/responses", answer: response("incomplete", "", `,"incomplete_details":{"reason":"max_output_tokens"}`)},
		{path: "/v1/responses", answer: response("incomplete", "", `,"incomplete_details":{"reason":"content_filter"}`)},
		{path: "/v1/responses", answer: response("completed", "", "")},
		{path: "/v1/responses", answer: response("completed", `{"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"no"}]}`, "")},
		{path: "/v1/responses", answer: response("completed", `{"type":"function_call","call_id":"t","name":"f","arguments":"{}"}`, "")},
		{path: "/v1/responses", answer: responseEvents("incomplete", "", `,"incomplete_details":{"reason":"max_output_tokens"}`)},
		{path: "/v1/responses", answer: responseEvents("completed", "", "")},
		{path: "/v1/responses", answer: (&question{speech: speeches[0], mark: "chunks of another API", stream: true}).good()},
		{path: "/v1/messages", answer: message("", "max_tokens")},
		{path: "/v1/messages", answer: message("", "refusal")},
		{path: "/v1/messages", answer: message("", "end_turn")},
		{path: "/v1/messages", answer: message(`{"type":"tool_use","id":"t","name":"f","input":{}}`, "tool_use")},
		{path: "/v1/messages", answer: messageEvents("max_tokens")},
		{path: "/v1/messages", answer: messageEvents("refusal")},
		{path: "/v1/messages", answer: messageEvents("end_turn")},
		{path: "/v1/messages/count_tokens", answer: `{"input_tokens":12}`},
		{path: "/v1/messages/count_tokens", answer: `{"error":{"message":"busy"}}`, none: true},
		{path: "/v1/messages/count_tokens", answer: `{}`, none: true},
		{path: "/v1/embeddings", answer: `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}]}`},
		{path: "/v1/embeddings", answer: `{"object":"list","data":[]}`, none: true},
		{path: "/v1/embeddings", answer: `<html>`, none: true},
	}
	good := map[string]string{ // of the other seller
		"/v1/completions": text("stop"), "/v1/messages/count_tokens": `{"input_tokens":7}`, "/v1/embeddings": `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.25]}]}`,
	}
	s := newStage(t)
	answer := func(body string) handler {
		if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "<") {
			return sayJSON(http.StatusOK, body)
		}
		return sayStream(body)
	}
	for i, row := range rows {
		s.seller(fmt.Sprint("first", i), answer(row.answer), priced(fmt.Sprint("m", i)))
		s.seller(fmt.Sprint("other", i), answer(good[row.path]), priced(fmt.Sprint("m", i)))
	}
	s.open("")
	for i, row := range rows {
		members := ""
		if strings.HasPrefix(row.answer, "data:") || strings.HasPrefix(row.answer, "event:") {
			members = `"stream":true,`
		}
		a := s.ask(0, "POST", row.path, chatOf(fmt.Sprint("m", i), members))
		want, seller := row.answer, fmt.Sprint("first", i)
		if row.none {
			want, seller = good[row.path], fmt.Sprint("other", i)
		}
		if a.StatusCode != 200 || a.body != want || a.cut != nil || a.Header.Get("X-TokenBuddy-Seller") != seller {
			t.Errorf("%s, %q: status %d by %s, %v: %q", row.path, row.answer, a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.cut, a.body)
		}
	}
	s.verify()
}
