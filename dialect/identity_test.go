package dialect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResponseID(t *testing.T) {
	for _, test := range []struct{ path, body, want string }{
		{responsesPath, `{"id":"resp_1","object":"response"}`, "resp_1"},
		{responsesPath, ` { "object" : "response", "output":[{"id":"msg_1"}], "id" : "a\/b" } `, "a/b"},
		{responsesPath, `{"id":"` + strings.Repeat("x", maxID) + `"}`, strings.Repeat("x", maxID)},
		{responsesPath, `{"id":"` + strings.Repeat("x", maxID+1) + `"}`, ""},
		{responsesPath, `{"id":"` + strings.Repeat("x", 1<<20) + `"}`, ""},
		{responsesPath, `{"id":"two words"}`, ""},
		{responsesPath, `{"id":"é"}`, ""},
		{responsesPath, `{"id":"a\n"}`, ""},
		{responsesPath, `{"id":"\ud800"}`, ""},
		{responsesPath, `{"id":""}`, ""},
		{responsesPath, `{"id":7}`, ""},
		{responsesPath, `{"id":null}`, ""},
		{responsesPath, `{"output":[{"id":"msg_1"}]}`, ""},
		{responsesPath, `{}`, ""},
		{responsesPath, ``, ""},
		{responsesPath, `[{"id":"x"}]`, ""},
		{responsesPath, `not JSON`, ""},
		{chatPath, `{"id":"chatcmpl_1"}`, ""},
		{messagesPath, `{"id":"msg_1","content":[{"id":"toolu_1"}]}`, "msg_1"},
	} {
		if got := idOf(test.path, []byte(test.body)); got != test.want {
			t.Errorf("%s %.60s: %q", test.path, test.body, got)
		}
	}
}

// idOf reads the id of an answer that is no stream.
func idOf(path string, body []byte) string {
	a := Lookup(path).Answer()
	_, _ = a.Write(body)
	return a.ResponseID()
}

func TestStreamResponseID(t *testing.T) {
	const created = `{"type":"response.created","response":{"object":"response","id":"resp_1","instructions":"` + "x" + `"}}`
	for _, test := range []struct {
		name, path string
		events     []string
		want       string
	}{
		{"first event", responsesPath, []string{created, `{"type":"response.in_progress","response":{"id":"resp_2"}}`}, "resp_1"},
		{"a later one", responsesPath, []string{
			`{"type":"response.created","response":{}}`, `{"type":"response.output_text.delta","delta":"a"}`,
			`{"type":"response.completed","response":{"id":"resp_3"}}`,
		}, "resp_3"},
		{"after one that can't be used", responsesPath, []string{`{"type":"response.created","response":{"id":"a b"}}`, created}, "resp_1"},
		{"of an item", responsesPath, []string{`{"type":"response.output_item.added","id":"x","item":{"id":"item_1","type":"message"}}`}, ""},
		{"no object", responsesPath, []string{`{"type":"response.created","response":"resp_1"}`, `{`}, ""},
		{"of a message", messagesPath, []string{`{"type":"message_start","message":{"model":"m","id":"msg_1"}}`, `{"type":"content_block_start","content_block":{"type":"tool_use","id":"toolu_1"}}`}, "msg_1"},
		{"of a block", messagesPath, []string{`{"type":"message_start","message":{}}`, `{"type":"content_block_start","content_block":{"type":"tool_use","id":"toolu_1"}}`}, ""},
		{"chat", chatPath, []string{`{"id":"x","response":{"id":"resp_1"},"choices":[]}`}, ""},
	} {
		v, pieces := Lookup(test.path).Events(), Lookup(test.path).Events()
		for _, data := range test.events {
			v.Event(nil, []byte(data), true)
			pieces.Event(nil, []byte(data[:len(data)/2]), false)
			pieces.Tail([]byte(data[len(data)/2:]))
		}
		if v.ResponseID() != test.want || pieces.ResponseID() != test.want {
			t.Errorf("%s: %q, in pieces %q", test.name, v.ResponseID(), pieces.ResponseID())
		}
	}
}

// TestContainer has a container be known that is named in an answer, wherever a stream says it and however that comes.
func TestContainer(t *testing.T) {
	for _, test := range []struct{ path, body, want string }{
		{messagesPath, `{"id":"msg_1","container":{"expires_at":"2030-01-01T00:00:00Z","id":"box_1"},"content":[{"container":{"id":"x"}}]}`, "box_1"},
		{messagesPath, `{"id":"msg_1","container":null}`, ""},
		{messagesPath, `{"id":"msg_1","container":"box_1"}`, ""},
		{responsesPath, `{"id":"resp_1","container":{"id":"box_1"}}`, ""},
		{responsesPath, `{"id":"resp_1","output":[{"type":"message"},{"type":"code_interpreter_call","container_id":"box_1"},{"type":"code_interpreter_call","container_id":"box_1"}]}`, "box_1"},
		{responsesPath, `{"id":"resp_1","output":[{"type":"shell_call","environment":{"type":"container_reference","container_id":"box_1"}},{"container_id":7}]}`, "box_1"},
		{messagesPath, `{"id":"msg_1","output":[{"container_id":"box_1"}]}`, ""},
		{chatPath, `{"id":"c","output":[{"container_id":"box_1"}],"container":{"id":"box_1"}}`, ""},
	} {
		a := Lookup(test.path).Answer()
		_, _ = a.Write([]byte(test.body))
		if got := strings.Join(a.Containers(), " "); got != test.want {
			t.Errorf("%s %s: %q", test.path, test.body, got)
		}
	}
	for event, want := range map[string]string{
		`{"type":"message_start","message":{"id":"msg_1","container":{"id":"box_1","expires_at":"2030-01-01T00:00:00Z"}}}`:           "box_1",
		`{"type":"message_delta","delta":{"stop_reason":"end_turn","container":{"id":"box_1"}},"usage":{}}`:                          "box_1",
		`{"type":"response.output_item.added","item":{"type":"code_interpreter_call","container_id":"box_1"}}`:                       "box_1",
		`{"type":"response.output_item.done","item":{"type":"shell_call","environment":{"container_id":"box_1"}}}`:                   "box_1",
		`{"type":"response.completed","response":{"id":"r","output":[{"type":"code_interpreter_call","container_id":"box_1"}]}}`:     "box_1",
		`{"type":"response.output_item.done","item":{"type":"message","content":[{"container_id":"box_1"}],"container":{"id":"x"}}}`: "",
		`{"type":"message_start","message":{"id":"msg_1","container":null}}`:                                                         "",
		`{"type":"content_block_start","content_block":{"type":"tool_use","id":"toolu_1","container":{"id":"box_1"}}}`:               "",
	} {
		var whole, inPieces string
		path := messagesPath
		if strings.Contains(event, `"response.`) {
			path = responsesPath
		}
		v, pieces := Lookup(path).Events(), Lookup(path).Events()
		v.OnContainer(func(id string) { whole = id })
		pieces.OnContainer(func(id string) { inPieces = id })
		v.Event(nil, []byte(event), true)
		pieces.Event(nil, []byte(event[:len(event)/2]), false)
		pieces.Tail([]byte(event[len(event)/2:]))
		if whole != want || inPieces != want {
			t.Errorf("%s: %q, in pieces %q", event, whole, inPieces)
		}
		Lookup(path).Events().Event(nil, []byte(event), true) // nobody has asked
	}
}

// TestManyContainers has each container be told once, however many calls were made in it, and has no answer name any number of them.
func TestManyContainers(t *testing.T) {
	var items []string
	for range 20 {
		items = append(items, `{"type":"code_interpreter_call","container_id":"a"}`)
	}
	for id := range strings.SplitSeq("b c d e f g h i j", " ") {
		items = append(items, `{"type":"code_interpreter_call","container_id":"`+id+`"}`)
	}
	const want = "a b c d e f g h"
	a := Lookup(responsesPath).Answer()
	_, _ = a.Write([]byte(`{"id":"r","output":[` + strings.Join(items, ",") + `]}`))
	if got := strings.Join(a.Containers(), " "); got != want {
		t.Errorf("%q", got)
	}
	var told []string
	v := Lookup(responsesPath).Events()
	v.OnContainer(func(id string) { told = append(told, id) })
	for _, item := range items {
		v.Event(nil, []byte(`{"type":"response.output_item.added","item":`+item+`}`), true)
		v.Event(nil, []byte(`{"type":"response.output_item.done","item":`+item+`}`), true)
	}
	if got := strings.Join(told, " "); got != want {
		t.Errorf("%q", got)
	}
}

func TestModelNotFound(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   bool
	}{
		{404, `{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"model_not_found"}}`, true},
		{404, `{"error":{"message":"m","type":"model_not_found"}}`, true},
		{404, `{"code":"model_not_found","message":"m"}`, true},
		{404, `{"type":"error","error":{"type":"not_found_error","message":"model: m"}}`, true},
		{404, `{"error":{"message":"model: m","type":"not_found_error"},"type":"error"}`, true},
		{404, `{"error":{"message":"model 'nobody:7b' not found","type":"not_found_error","param":null,"code":null}}`, true}, // Ollama
		{404, `{"error":{"message":"model \"m\" not found, try pulling it first","type":"not_found_error"}}`, true},
		{404, `{"error":{"message":"model list not found","type":"not_found_error"}}`, false},
		{404, `{"type":"error","error":{"type":"not_found_error","message":"Not found"}}`, false},
		{404, `{"type":"error","error":{"type":"not_found_error","message":"the model: gone"}}`, false},
		{404, `{"error":{"message":"model: m","type":"invalid_request_error"}}`, false},
		{404, `{"error":{"message":"model_not_found","code":"not_found"}}`, false},
		{404, `{"error":{"code":"DeploymentNotFound","type":"invalid_request_error"}}`, false},
		{404, `{"error":"model_not_found"}`, false},
		{404, `<html>model_not_found</html>`, false},
		{404, ``, false},
		{400, `{"error":{"code":"model_not_found"}}`, false},
		{200, `{"code":"model_not_found"}`, false},
	} {
		if got := SaysModelNotFound(test.status, []byte(test.body)); got != test.want {
			t.Errorf("%d %s: %v", test.status, test.body, got)
		}
	}

	for path, data := range map[string]string{
		chatPath:      `{"error":{"code":"model_not_found","message":"m"}}`,
		responsesPath: `{"type":"response.failed","response":{"error":{"code":"model_not_found","message":"m"}}}`,
		messagesPath:  `{"type":"error","error":{"type":"not_found_error","message":"model: m"}}`,
	} {
		v, pieces := Lookup(path).Events(), Lookup(path).Events()
		v.Event(nil, []byte(data), true)
		pieces.Event(nil, nil, false)
		pieces.Tail([]byte(data))
		if !v.Failed() || !v.Failure().ModelNotFound() || !pieces.Failed() || !pieces.Failure().ModelNotFound() {
			t.Errorf("%s: %s; in pieces %s", path, state(v), state(pieces))
		}
	}
}

// TestRecordedErrors reads the errors of real providers, where they are at hand.
func TestRecordedErrors(t *testing.T) {
	files, _ := filepath.Glob("../../shared/fixtures/json/err-*.json")
	if len(files) == 0 {
		t.Skip("no recordings here")
	}
	said := map[string]bool{
		"err-404-anthropic.json": true, "err-404-count-tokens-anthropic.json": true, "err-404-groq.json": true, "err-404-openai.json": true,
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(file); SaysModelNotFound(404, body) != said[name] {
			t.Errorf("%s: %s", name, body)
		}
	}
}

// TestRecordedResponseIDs reads the ids of real answers, where they are at hand.
func TestRecordedResponseIDs(t *testing.T) {
	streams, _ := filepath.Glob("../../shared/fixtures/responses/*.sse")
	bodies, _ := filepath.Glob("../../shared/fixtures/json/responses-*.json")
	if len(streams) == 0 || len(bodies) == 0 {
		t.Skip("no recordings here")
	}
	for _, file := range append(streams, bodies...) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		id := idOf(responsesPath, b)
		if strings.HasSuffix(file, ".sse") {
			v := Lookup(responsesPath).Events()
			for _, e := range split(b) {
				v.Event(e.name, e.data, true)
			}
			id = v.ResponseID()
		}
		if id == "" || !strings.Contains(string(b), `"`+id+`"`) {
			t.Errorf("%s: %q", filepath.Base(file), id)
		}
	}
}

// TestBrokenID has ids end in the middle of an escape, at every length, in what is read before anybody has checked that it is JSON.
func TestBrokenID(t *testing.T) {
	for _, escape := range []string{`\u`, `\u0`, `\u00e`, `\ud800\`, `\ud800\u`, `\ud800\udc0`} {
		for n := range 2 * maxID {
			object := `{"id":"` + strings.Repeat("x", n) + escape + `","object":"response"}`
			a := Lookup(responsesPath).Answer()
			_, _ = a.Write([]byte(object))
			v := Lookup(responsesPath).Events()
			v.Event(nil, []byte(`{"type":"response.created","response":`+object), false)
			if a.ResponseID() != "" || v.ResponseID() != "" {
				t.Fatalf("%d bytes and %s: %q, %q", n, escape, a.ResponseID(), v.ResponseID())
			}
			a.LetGo()
		}
	}
}
