package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// commitCase is what streams of one API begin with, and what counts as content in them.
type commitCase struct {
	path     string
	preludes []string // nothing of it is content
	contents []string // each of it is
	why      string   // says why a stream without content ends
	end      string   // makes a stream of a content whole
	nothing  string   // the API's last event, which says nothing
	good     string   // a whole stream of another seller
}

func event(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

func chatDelta(delta string) string {
	return `data: {"id":"c","choices":[{"index":0,"delta":` + delta + `,"finish_reason":null}]}` + "\n\n"
}

var commitCases = map[string]commitCase{
	"chat": {
		path: "/v1/chat/completions", good: shortStream, nothing: "data: [DONE]\n\n",
		preludes: []string{": ping\n\n", "\n\n\n", ":\n", chatDelta(`{"role":"assistant"}`), chatDelta(`{"role":"assistant","content":""}`), chatDelta(`{"role":"assistant","content":null}`), chatDelta(`{}`), "data: {\"choices\":[]}\n\n"},
		contents: []string{chatDelta(`{"content":"Hi"}`), chatDelta(`{"role":"assistant","content":"Hi"}`), chatDelta(`{"reasoning_content":"hm"}`), chatDelta(`{"reasoning":"hm"}`), chatDelta(`{"refusal":"no"}`), chatDelta(`{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]}`), chatDelta(`{"content":" "}`)},
		end:      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
	},
	"completions": {
		path: "/v1/completions", nothing: "data: [DONE]\n\n", good: "data: {\"choices\":[{\"text\":\"good\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
		preludes: []string{": ping\n\n", "data: {\"choices\":[{\"index\":0,\"text\":\"\"}]}\n\n"},
		contents: []string{"data: {\"choices\":[{\"index\":0,\"text\":\"Hi\"}]}\n\n"},
		end:      "data: {\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n",
	},
	"responses": {
		path: "/v1/responses", good: responsesStream("null"), nothing: event("response.completed", `{"type":"response.completed"}`),
		preludes: []string{": ping\n\n", event("response.created", `{"type":"response.created","sequence_number":0,"response":{"id":"r","output":[]}}`), event("response.in_progress", `{"type":"response.in_progress","sequence_number":1,"response":{"id":"r"}}`), event("response.queued", `{"type":"response.queued"}`)},
		contents: []string{event("response.output_text.delta", `{"type":"response.output_text.delta","delta":"Hi"}`), event("response.reasoning_summary_text.delta", `{"type":"response.reasoning_summary_text.delta","delta":"hm"}`), event("response.reasoning_text.delta", `{"type":"response.reasoning_text.delta","delta":"hm"}`), event("response.refusal.delta", `{"type":"response.refusal.delta","delta":"no"}`), event("response.function_call_arguments.delta", `{"type":"response.function_call_arguments.delta","delta":"{"}`), "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n"},
		end:      event("response.completed", `{"type":"response.completed","response":{"id":"r"}}`),
	},
	"messages": {
		path: "/v1/messages", good: messagesStream(`{"input_tokens":1}`, `{"output_tokens":1}`), nothing: event("message_stop", `{"type":"message_stop"}`),
		why:      event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}`),
		preludes: []string{event("ping", `{"type":"ping"}`), event("message_start", `{"type":"message_start","message":{"id":"m","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}`)},
		contents: []string{event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`), event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`), event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}`)},
		end:      event("message_stop", `{"type":"message_stop"}`),
	},
}

// TestCommit cuts streams before and after their first content. Before it another seller serves and nothing of the first is
// seen. After it all that was held back has come, whole and in order; then an error event of the API's own, and an abort.
func TestCommit(t *testing.T) {
	t.Parallel()
	const unfinished = "data: {\"choices\":[{\"delta\":{\"content\":\"half a bl"
	s := newStage(t)
	script := make(map[string]string) // what a row's first seller sends
	cut := func(w http.ResponseWriter, _ *http.Request, body []byte) {
		var ask struct{ Script string }
		_ = json.Unmarshal(body, &ask)
		w.Header().Set("Content-Type", "text/event-stream")
		for _, part := range strings.SplitAfter(script[ask.Script], "\n\n") {
			_, _ = w.Write([]byte(part))
			_ = http.NewResponseController(w).Flush()
		}
		if !strings.HasSuffix(ask.Script, " whole") && !strings.HasSuffix(ask.Script, " ended") {
			panic(http.ErrAbortHandler)
		}
	}
	type row struct {
		id, api, model, path, want string
		next                       bool // another seller serves
		whole                      bool
	}
	var rows []row
	models := make(map[string][]any) // of each API
	for name, c := range commitCases {
		add := func(id, stream string, r row) {
			r.id, r.api, r.model, r.path = name+" "+id, name, fmt.Sprint("m", len(rows)), c.path
			script[r.id] = stream
			s.seller("first."+r.model, cut, priced(r.model)) // a row's own: one that fails again and again is not asked any more
			models[name] = append(models[name], priced(r.model))
			rows = append(rows, r)
		}
		prelude := strings.Join(c.preludes, "")
		for i, p := range c.preludes {
			add(fmt.Sprint("prelude ", i), p, row{want: c.good, next: true})
		}
		add("all preludes", prelude, row{want: c.good, next: true})
		add("all preludes ended", prelude, row{want: c.good, next: true})
		for i, content := range c.contents {
			add(fmt.Sprint("content ", i), prelude+content, row{want: prelude + content})
			add(fmt.Sprint("content ", i, " unfinished"), prelude+content+unfinished, row{want: prelude + content})
			add(fmt.Sprint("content ", i, " ended"), prelude+content, row{want: prelude + content})
			add(fmt.Sprint("content ", i, " whole"), prelude+content+c.end, row{want: prelude + content + c.end, whole: true})
		}
		// What says why the answer is empty (its limit, a filter, a plain stop) is one; message_stop alone says nothing.
		add("only its end whole", prelude+c.why+c.end, row{want: prelude + c.why + c.end, whole: true})
		add("nothing but its end whole", c.nothing, row{want: c.good, next: true})
		add("preludes and nothing but its end whole", prelude+c.nothing, row{want: c.good, next: true})
	}
	others := make(map[string]*fakeSeller)
	for name, c := range commitCases {
		others[name] = s.seller("other."+name, sayStream(c.good), models[name]...)
	}
	s.open("")
	served := make(map[string]int)
	for _, r := range rows {
		a := s.ask(0, "POST", r.path, chatOf(r.model, `"stream":true,"script":`+quoted(r.id)+`,`), "X-Request-Id", r.id)
		rest, ok := strings.CutPrefix(a.body, r.want)
		e := s.entryOf(r.id)
		switch {
		case a.StatusCode != 200 || !ok:
			t.Errorf("%s: status %d\n got %q\nwant %q", r.id, a.StatusCode, a.body, r.want)
		case r.next:
			served[r.api]++
			if rest != "" || a.cut != nil || e.Status != "ok" || e.Attempts != 2 || e.Seller != "other."+r.api {
				t.Errorf("%s: %q follows, %v; booked %+v", r.id, rest, a.cut, e)
			}
		case r.whole:
			if rest != "" || a.cut != nil || e.Status != "ok" || e.Attempts != 1 {
				t.Errorf("%s: %q follows, %v; booked %+v", r.id, rest, a.cut, e)
			}
		default:
			if a.cut == nil || e.Status != "interrupted" || e.Attempts != 1 {
				t.Errorf("%s: not aborted (%v) or booked as %+v", r.id, a.cut, e)
			}
			assertErrorEvent(t, r.id, r.api, rest)
		}
	}
	for name, other := range others {
		if n := len(other.inferences()); n != served[name] {
			t.Errorf("%s: the other seller was asked %d times, and served %d", name, n, served[name])
		}
	}
	s.verify()
}

// assertErrorEvent looks for exactly one error event as the API has it.
func assertErrorEvent(t *testing.T, row, api, got string) {
	t.Helper()
	name, data, ok := "", "", strings.HasSuffix(got, "\n\n") && strings.Count(got, "\n\n") == 1
	for line := range strings.SplitSeq(strings.TrimSuffix(got, "\n\n"), "\n") {
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "event":
			name = value
		case "data":
			data += value
		default:
			ok = false
		}
	}
	var body struct {
		Type, Message, Code string
		Error               struct{ Type, Message, Code string }
	}
	if err := json.Unmarshal([]byte(data), &body); err != nil || !ok {
		t.Errorf("%s: not an error event: %q", row, got)
		return
	}
	switch api {
	case "messages":
		ok = name == "error" && body.Type == "error" && body.Error.Type != "" && body.Error.Message != ""
	case "responses":
		ok = name == "error" && body.Type == "error" && body.Message != "" && body.Code != ""
	default:
		ok = name == "" && body.Error.Message != "" && body.Error.Type != ""
	}
	if !ok {
		t.Errorf("%s: not an error event of %s: %q", row, api, got)
	}
}

// TestOwnErrorAfterContent has streams say their own error after content: it passes, and ends as the seller ended it.
func TestOwnErrorAfterContent(t *testing.T) {
	t.Parallel()
	streams := map[string]string{
		"chat":      chatDelta(`{"content":"Hi"}`) + "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\"}}\n\n",
		"responses": commitCases["responses"].contents[0] + event("response.failed", `{"type":"response.failed","response":{"id":"r","error":{"code":"server_error","message":"m"}}}`),
		"messages":  commitCases["messages"].contents[0] + event("error", `{"type":"error","error":{"type":"overloaded_error","message":"m"}}`),
	}
	s := newStage(t)
	for name, stream := range streams {
		s.seller("first."+name, sayStream(stream), name)
		s.seller("other."+name, sayStream(commitCases[name].good), name)
	}
	s.open("")
	for name, stream := range streams {
		a := s.ask(0, "POST", commitCases[name].path, chatOf(name, `"stream":true,`), "X-Request-Id", name)
		if a.body != stream || a.cut != nil {
			t.Errorf("%s: %v, %q", name, a.cut, a.body)
		}
		if e := s.entryOf(name); e.Status != "interrupted" || e.Attempts != 1 {
			t.Errorf("%s: booked %+v", name, e)
		}
	}
}
