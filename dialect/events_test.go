package dialect

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestOversized shows a last event of 5 MiB in pieces of many sizes: its end and its usage are found, in little memory.
func TestOversized(t *testing.T) {
	text := strings.Repeat(`all work and no play \"usage\":{} `, 5<<20/34)
	for _, test := range []struct{ name, data string }{
		{"usage last", `{"type":"response.completed","response":{"output":[{"content":[{"text":"` + text + `"}]}],"usage":{"input_tokens":7,"output_tokens":5}}}`},
		{"usage first", `{"type":"response.completed","response":{"usage":{"input_tokens":7,"output_tokens":5},"output":[{"content":[{"text":"` + text + `"}]}]}}`},
		{"type last", `{"response":{"usage":{"input_tokens":7,"output_tokens":5},"x":"` + text + `"},"type":"response.completed"}`},
		{"in many values", `{"type":"response.completed","response":{"x":[` + strings.Repeat(`{"a":[1,2,{"usage":{"input_tokens":1}}]},`, 5<<20/42) +
			`0],"usage":{"input_tokens":7,"output_tokens":5}}}`},
	} {
		for _, step := range []int{1, 7, 4096, 1 << 20} {
			if step == 1 && testing.Short() {
				continue
			}
			v := Lookup(responsesPath).Events()
			const head = 1 << 20
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			v.Event(nil, []byte(test.data[:head]), false)
			rest := []byte(test.data[head:])
			runtime.ReadMemStats(&before)
			for len(rest) > 1 {
				n := min(step, len(rest)-1)
				v.Tail(rest[:n])
				rest = rest[n:]
			}
			if v.Ended() {
				t.Fatalf("%s: ended before its last byte", test.name)
			}
			v.Tail(rest)
			runtime.ReadMemStats(&after)
			if got, ok := wholes(v.Usage()); !v.Ended() || !ok || got != (money.Tokens{Prompt: 7, Completion: 5}) {
				t.Errorf("%s, %d at a time: ended %v, usage %+v %v", test.name, step, v.Ended(), got, ok)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<16 {
				t.Errorf("%s, %d at a time: %d bytes taken", test.name, step, grown)
			}
			v.Tail([]byte("more")) // of no event
		}
	}
}

// A stream goes on after an event that was too long.
func TestAfterOversized(t *testing.T) {
	v := Lookup(responsesPath).Events()
	v.Event(nil, []byte(`{"type":"response.output_item.done","sequence_number":41,"item":{"x":"`), false)
	v.Tail([]byte(`aaa`)) // never closed
	v.Event([]byte("response.completed"), []byte(`{"type":"response.completed","response":{"usage":{"input_tokens":7,"output_tokens":5}}}`), true)
	if _, ok := wholes(v.Usage()); !v.Ended() || !ok {
		t.Error("the last event was not seen")
	}
	if !bytes.Contains(v.Break(false), []byte(`"sequence_number":42`)) {
		t.Errorf("%s", v.Break(false))
	}
}

func TestSequence(t *testing.T) {
	v := Lookup(responsesPath).Events()
	for _, data := range []string{
		`{"type":"response.created","sequence_number":0,"response":{}}`,
		`{"type":"response.output_text.delta","delta":"a","sequence_number":1}`,
		`{"type":"response.output_text.delta","delta":"b","sequence_number": 12}`, // at a glance, once there is content
	} {
		v.Event(nil, []byte(data), true)
	}
	if got := string(v.Break(false)); !strings.Contains(got, `"sequence_number":13,`) {
		t.Error(got)
	}
	if got := string(Lookup(responsesPath).Events().Break(false)); !strings.Contains(got, `"sequence_number":0,`) {
		t.Error(got)
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		path, body string
		want       money.Tokens
		ok         bool
	}{
		{
			chatPath, `{"choices":[{"usage":{"prompt_tokens":1}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}`,
			money.Tokens{Prompt: 9, Completion: 2, CacheRead: 4},
			true,
		},
		{chatPath, `{"x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":2}}}`, money.Tokens{Prompt: 9, Completion: 2}, true},
		{chatPath, `{"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5}}`, money.Tokens{Prompt: 9, Completion: 2, CacheRead: 4}, true},
		{chatPath, `{"usage":{"prompt_tokens":9,"completion_tokens":2,"cached_tokens":4}}`, money.Tokens{Prompt: 9, Completion: 2, CacheRead: 4}, true},
		{chatPath, `{"usage":{"cached_tokens":4,"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":0}}}`, money.Tokens{Prompt: 9, Completion: 2}, true},
		{ // xAI leaves the reasoning out of the completion, which only its total shows
			chatPath, `{"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":51,"completion_tokens_details":{"reasoning_tokens":40}}}`,
			money.Tokens{Prompt: 9, Completion: 42, Reasoning: 40},
			true,
		},
		{
			chatPath, `{"usage":{"total_tokens":51,"completion_tokens_details":{"reasoning_tokens":40},"prompt_tokens":9,"completion_tokens":42}}`,
			money.Tokens{Prompt: 9, Completion: 42, Reasoning: 40},
			true,
		},
		{ // a total that fits neither way says nothing
			chatPath, `{"usage":{"prompt_tokens":9,"completion_tokens":42,"total_tokens":90,"completion_tokens_details":{"reasoning_tokens":40}}}`,
			money.Tokens{Prompt: 9, Completion: 42, Reasoning: 40},
			true,
		},
		{ // a gateway passes Anthropic's on, and leaves what was cached out of the prompt, which only its total shows
			chatPath, `{"usage":{"prompt_tokens":100,"completion_tokens":7,"total_tokens":1057,"prompt_tokens_details":{"cached_tokens":900},"cache_creation_input_tokens":50}}`,
			money.Tokens{Prompt: 1050, Completion: 7, CacheRead: 900, CacheWrite: 50},
			true,
		},
		{ // and does not say what was written
			chatPath, `{"usage":{"prompt_tokens":100,"completion_tokens":7,"total_tokens":1057,"prompt_tokens_details":{"cached_tokens":900}}}`,
			money.Tokens{Prompt: 1050, Completion: 7, CacheRead: 900},
			true,
		},
		{
			chatPath, `{"usage":{"prompt_tokens":1000,"completion_tokens":7,"total_tokens":1907,"prompt_tokens_details":{"cached_tokens":900}}}`,
			money.Tokens{Prompt: 1900, Completion: 7, CacheRead: 900},
			true,
		},
		{ // a part that is no part, and a total that knows nothing of it
			chatPath, `{"usage":{"prompt_tokens":100,"completion_tokens":7,"total_tokens":107,"prompt_tokens_details":{"cached_tokens":900}}}`,
			money.Tokens{Prompt: 100, Completion: 7, CacheRead: 100},
			true,
		},
		{ // Gemini leaves what was thought out of the completion, and does not name it
			chatPath, `{"usage":{"prompt_tokens":20,"completion_tokens":198,"total_tokens":623}}`,
			money.Tokens{Prompt: 20, Completion: 603, Reasoning: 405},
			true,
		},
		{
			chatPath, `{"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1300,"prompt_tokens_details":{"cached_tokens":500}}}`,
			money.Tokens{Prompt: 1000, Completion: 300, CacheRead: 500, Reasoning: 290},
			true,
		},
		{ // and the completion where nothing was said
			chatPath, `{"usage":{"prompt_tokens":21,"total_tokens":81}}`,
			money.Tokens{Prompt: 21, Completion: 60, Reasoning: 60},
			true,
		},
		{ // both the reasoning and what was cached are left out
			chatPath, `{"usage":{"prompt_tokens":100,"completion_tokens":7,"total_tokens":1057,"prompt_tokens_details":{"cached_tokens":900},"completion_tokens_details":{"reasoning_tokens":50}}}`,
			money.Tokens{Prompt: 1000, Completion: 57, CacheRead: 900, Reasoning: 50},
			true,
		},
		{ // reasoning that is counted in another way than the completion it is in
			chatPath, `{"usage":{"prompt_tokens":43,"completion_tokens":10,"total_tokens":53,"completion_tokens_details":{"reasoning_tokens":11}}}`,
			money.Tokens{Prompt: 43, Completion: 10, Reasoning: 10},
			true,
		},
		{chatPath, `{"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":9000000000000000000}}`, money.Tokens{Prompt: 9, Completion: 2}, true},
		{chatPath, `{"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":7}}`, money.Tokens{Prompt: 9, Completion: 2}, true},
		{
			chatPath, `{"usage":{"prompt_tokens":90,"completion_tokens":2,"total_tokens":92,"prompt_tokens_details":{"cache_creation_tokens":50,"cache_creation_token_details":{"ephemeral_5m_input_tokens":30,"ephemeral_1h_input_tokens":20}}}}`,
			money.Tokens{Prompt: 90, Completion: 2, CacheWrite: 50, CacheWrite1h: 20},
			true,
		},
		{chatPath, `{"usage":null}`, money.Tokens{}, false},
		{chatPath, `{"usage":{"prompt_tokens":9}}`, money.Tokens{}, false},
		{chatPath, `{"usage":{"prompt_tokens":"9","completion_tokens":2}}`, money.Tokens{}, false},
		{ // programs whose numbers are all floats
			chatPath, `{"usage":{"prompt_tokens":1003.0,"completion_tokens":2e0,"total_tokens":1.005E+3,"prompt_tokens_details":{"cached_tokens":4.0}}}`,
			money.Tokens{Prompt: 1003, Completion: 2, CacheRead: 4},
			true,
		},
		{chatPath, `{"usage":{"prompt_tokens":9.5,"completion_tokens":2}}`, money.Tokens{}, false},
		{chatPath, `{"usage":{"prompt_tokens":-9.0,"completion_tokens":2}}`, money.Tokens{}, false},
		{chatPath, `not JSON`, money.Tokens{}, false},
		{
			responsesPath, `{"usage":{"input_tokens":9,"output_tokens":2,"input_tokens_details":{"cached_tokens":3,"cache_write_tokens":5}}}`,
			money.Tokens{Prompt: 9, Completion: 2, CacheRead: 3, CacheWrite: 5},
			true,
		},
		{
			messagesPath, `{"usage":{"input_tokens":9,"output_tokens":2,"cache_read_input_tokens":30,"cache_creation_input_tokens":50}}`,
			money.Tokens{Prompt: 89, Completion: 2, CacheRead: 30, CacheWrite: 50},
			true,
		},
		{ // what shortened the conversation is in no other count
			messagesPath, `{"usage":{"input_tokens":9,"output_tokens":2,"iterations":[{"type":"compaction","input_tokens":80,"output_tokens":10,` +
				`"cache_read_input_tokens":7,"cache_creation_input_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":5}},{"type":"message","input_tokens":9,"output_tokens":2}]}}`,
			money.Tokens{Prompt: 101, Completion: 12, CacheRead: 7, CacheWrite: 5, CacheWrite1h: 5},
			true,
		},
		{"/v1/embeddings", `{"usage":{"prompt_tokens":9,"total_tokens":12}}`, money.Tokens{Prompt: 9}, true},
		{"/v1/embeddings", `{"usage":{"total_tokens":9}}`, money.Tokens{Prompt: 9}, true}, // as Voyage says it
		{"/v1/embeddings", `{"usage":{"total_tokens":9,"prompt_tokens":"x"}}`, money.Tokens{}, false},
		{"/v1/embeddings", `{"usage":{"total_tokens":0}}`, money.Tokens{}, false},
		{chatPath, `{"usage":{"total_tokens":9}}`, money.Tokens{}, false},
		{"/v1/messages/count_tokens", `{"input_tokens":9}`, money.Tokens{}, false},
		{"/v1/embeddings", `{"data":[{"embedding":[0.1,-2e-3]}],"usage":{"prompt_tokens":9,"total_tokens":9}}`, money.Tokens{Prompt: 9}, true},
	} {
		if got, ok := wholes(usageIn(test.path, test.body)); got != test.want || ok != test.ok {
			t.Errorf("%s: %+v %v", test.body, got, ok)
		}
	}
}

// wholes gives a usage, and whether the prompt and the completion are known.
func wholes(u Usage) (money.Tokens, bool) {
	if u.Known&ClassWholes != ClassWholes {
		return money.Tokens{}, false
	}
	return u.Tokens, true
}

// TestUsageOfUnknownKind holds no bill against a total that has more than its parts, of which nothing says what it is.
func TestUsageOfUnknownKind(t *testing.T) {
	for usage, partial := range map[string]bool{
		`{"prompt_tokens":4,"completion_tokens":103,"total_tokens":489,"prompt_audio_seconds":4}`:                                                true,
		`{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1810,"prompt_tokens_details":{"cached_tokens":500}}`:                        true,
		`{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1810,"completion_tokens_details":{"reasoning_tokens":0}}`:                   true,
		`{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010,"prompt_audio_seconds":4,"prompt_tokens_details":{"cached_tokens":5}}`: false,
	} {
		u := usageIn(chatPath, `{"usage":`+usage+`}`)
		if u.Partial != partial || u.Completion > 103 || u.Prompt > 1000 {
			t.Errorf("%s: %+v", usage, u)
		}
	}
	const runs = `{"usage":{"input_tokens":9,"output_tokens":2,"iterations":[{"type":"compaction","input_tokens":%s,"output_tokens":10}]}}`
	for _, n := range []string{`"80"`, "1e-3", strings.Repeat("9", 30)} {
		if u := usageIn(messagesPath, strings.Replace(runs, "%s", n, 1)); !u.Partial || u.Prompt != 9 {
			t.Errorf("%s: %+v", n, u)
		}
	}
}

// TestCompaction reads a stream whose last event says what shortening the conversation took, as the API does in each that has usage.
func TestCompaction(t *testing.T) {
	e := Lookup(messagesPath).Events()
	for _, data := range []string{
		`{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2,"iterations":[{"type":"compaction","input_tokens":80,"output_tokens":10}]}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3,"iterations":[{"type":"compaction","input_tokens":80,"output_tokens":10}]}}`,
		`{"type":"message_stop"}`,
	} {
		e.Event(nil, []byte(data), true)
	}
	if got, ok := wholes(e.Usage()); got != (money.Tokens{Prompt: 89, Completion: 13}) || !ok {
		t.Errorf("%+v", got)
	}
}

// usageIn gives the usage that an answer says in its body.
func usageIn(path, body string) Usage {
	a := Lookup(path).Answer()
	_, _ = a.Write([]byte(body))
	return a.Usage()
}

// TestUsageInTheChoice reads a stream that ends with its usage in the last choice, and one that says it once more beside the choices.
func TestUsageInTheChoice(t *testing.T) {
	const last = `{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":9,"completion_tokens":2,"cached_tokens":4}}]}`
	for _, test := range []struct {
		events []string
		want   money.Tokens
	}{
		{[]string{last}, money.Tokens{Prompt: 9, Completion: 2, CacheRead: 4}},
		{[]string{last, `{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}`}, money.Tokens{Prompt: 9, Completion: 3}},
	} {
		for _, pieces := range []bool{false, true} {
			e := Lookup(chatPath).Events()
			for _, data := range append([]string{`{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}`}, test.events...) {
				if !pieces {
					e.Event(nil, []byte(data), true)
					continue
				}
				e.Event(nil, []byte(data[:20]), false)
				e.Tail([]byte(data[20:]))
			}
			if got, ok := wholes(e.Usage()); got != test.want || !ok {
				t.Errorf("%v, in pieces %v: %+v", test.events, pieces, got)
			}
		}
	}
}

// TestRecordings reads the usage of real streams, where they are at hand.
func TestRecordings(t *testing.T) {
	const dir = "../../shared/fixtures"
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Skip("no recordings here")
	}
	var list []struct {
		File     string           `json:"file"`
		Kind     string           `json:"kind"`
		Expected *json.RawMessage `json:"expected_usage"`
	}
	if err := json.Unmarshal(manifest, &list); err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{"chat": chatPath, "completions": "/v1/completions", "responses": responsesPath, "messages": messagesPath}
	for _, r := range list {
		if r.Kind != "sse" {
			continue
		}
		t.Run(r.File, func(t *testing.T) {
			stream, err := os.ReadFile(filepath.Join(dir, r.File))
			if err != nil {
				t.Fatal(err)
			}
			e := Lookup(paths[filepath.Dir(r.File)])
			whole, pieces := e.Events(), e.Events()
			for _, ev := range split(stream) {
				whole.Event(ev.name, ev.data, true)
				pieces.Event(ev.name, ev.data[:len(ev.data)/2], false)
				pieces.Tail(ev.data[len(ev.data)/2:])
			}
			if !whole.Content() && !whole.Failed() {
				t.Error("no content")
			}
			got, ok := wholes(whole.Usage())
			want, wantOK := expected(t, e, r.Expected)
			if want.WebSearches == 0 && e.Protocol == Responses {
				want.WebSearches = int64(bytes.Count(stream, []byte("event: response.web_search_call.completed")))
			}
			if got != want || ok != wantOK {
				t.Errorf("usage %+v %v, want %+v %v", got, ok, want, wantOK)
			}
			again, _ := wholes(pieces.Usage())
			if again.WebSearches = got.WebSearches; again != got && !whole.Failed() { // its [DONE] is no JSON, and so none in pieces
				t.Errorf("usage in pieces %+v, want %+v", again, got)
			}
			if a, b := whole.Output(), pieces.Output(); a != b {
				t.Errorf("said %+v, in pieces %+v", a, b)
			}
			// What was not thought was said: a quarter of it is about its tokens.
			if spoken := got.Completion - got.Reasoning; ok && spoken > 100 && e.Protocol != Messages {
				if said := whole.Output().Tokens(); said < spoken/3 || said > 3*got.Completion {
					t.Errorf("%d tokens of text for %d of completion, %d of them thought", said, got.Completion, got.Reasoning)
				}
			}
			if whole.Failure() == nil && !whole.Whole() && !strings.Contains(r.File, "palmyra") {
				t.Error("not whole")
			}
			if pieces.Failed() != whole.Failed() || e.Protocol != ChatCompletions && e.Protocol != Completions && pieces.Ended() != whole.Ended() {
				t.Errorf("in pieces: %s; whole: %s", state(pieces), state(whole))
			}
		})
	}
}

// expected turns an API's own usage object into tokens by the long way.
func expected(t *testing.T, e *Endpoint, raw *json.RawMessage) (money.Tokens, bool) {
	if raw == nil {
		return money.Tokens{}, false
	}
	type details struct {
		Cached    int64 `json:"cached_tokens"`
		Write     int64 `json:"cache_write_tokens"`
		Audio     int64 `json:"audio_tokens"`
		Image     int64 `json:"image_tokens"`
		Reasoning int64 `json:"reasoning_tokens"`
		Thinking  int64 `json:"thinking_tokens"`
	}
	var u struct {
		PromptTokens     int64 `json:"prompt_tokens"`
		CompletionTokens int64 `json:"completion_tokens"`
		TotalTokens      int64 `json:"total_tokens"`
		InputTokens      int64 `json:"input_tokens"`
		OutputTokens     int64 `json:"output_tokens"`
		CacheRead        int64 `json:"cache_read_input_tokens"`
		CacheWrite       int64 `json:"cache_creation_input_tokens"`
		CacheCreation    struct {
			Hour int64 `json:"ephemeral_1h_input_tokens"`
		} `json:"cache_creation"`
		Prompt     details `json:"prompt_tokens_details"`
		Completion details `json:"completion_tokens_details"`
		Input      details `json:"input_tokens_details"`
		Output     details `json:"output_tokens_details"`
		Tools      struct {
			Searches int64 `json:"web_search_requests"`
		} `json:"server_tool_use"`
		ToolDetails struct {
			Searches int64 `json:"web_search_requests"`
		} `json:"server_tool_use_details"`
	}
	if err := json.Unmarshal(*raw, &u); err != nil {
		t.Fatal(err)
	}
	if e.Protocol == Messages {
		return money.Tokens{
			Prompt: u.InputTokens + u.CacheRead + u.CacheWrite, Completion: u.OutputTokens, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite,
			CacheWrite1h: u.CacheCreation.Hour, Reasoning: u.Output.Thinking, WebSearches: u.Tools.Searches,
		}, true
	}
	prompt, completion, in, out := u.PromptTokens, u.CompletionTokens, u.Prompt, u.Completion
	if e.Protocol == Responses {
		prompt, completion, in, out = u.InputTokens, u.OutputTokens, u.Input, u.Output
	}
	if u.TotalTokens == prompt+completion+out.Reasoning { // xAI's chat says the reasoning beside the completion
		completion += out.Reasoning
	}
	return money.Tokens{
		Prompt: prompt, Completion: completion, CacheRead: in.Cached, CacheWrite: in.Write, AudioIn: in.Audio, ImageIn: in.Image,
		AudioOut: out.Audio, ImageOut: out.Image, Reasoning: min(out.Reasoning, completion), WebSearches: u.ToolDetails.Searches,
	}, true
}

func TestEventTakesNoMemory(t *testing.T) {
	for path, data := range benchEvents {
		v := Lookup(path).Events()
		v.Event([]byte(data.name), []byte(data.data), true)
		if !v.Content() {
			t.Fatal(path, "is no content")
		}
		name, b := []byte(data.name), []byte(data.data)
		if n := testing.AllocsPerRun(100, func() { v.Event(name, b, true) }); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

// What comes before content is looked at for what it says, as well without memory: a search has many such events.
func TestEarlyEventTakesNoMemory(t *testing.T) {
	for _, event := range []struct{ path, data string }{
		{responsesPath, `{"type":"response.web_search_call.searching","sequence_number":5,"output_index":0,"item_id":"ws_1"}`},
		{messagesPath, `{"type":"status"}`},
		{chatPath, `{"choices":[],"created":0,"id":"","model":"","object":"","code":"OK","prompt_filter_results":[{"prompt_index":0}]}`},
	} {
		v := Lookup(event.path).Events()
		b := []byte(event.data)
		if n := testing.AllocsPerRun(100, func() { v.Event(nil, b, true) }); n != 0 || v.Content() || v.Failed() {
			t.Errorf("%s: %v allocations, content %v, failed %v", event.data, n, v.Content(), v.Failed())
		}
	}
}

var benchEvents = map[string]struct{ name, data string }{
	chatPath: {"", `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1771438841,"model":"gpt-5","service_tier":"default","system_fingerprint":"fp_c82faf3ca0",` +
		`"choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"6PfkJQFAw"}`},
	responsesPath: {"response.output_text.delta", `{"type":"response.output_text.delta","content_index":0,"delta":" word","item_id":"msg_1","logprobs":[],` +
		`"output_index":0,"sequence_number":17,"obfuscation":"6PfkJQFAw"}`},
	messagesPath: {"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}`},
}

func BenchmarkEvent(b *testing.B) {
	for path, data := range benchEvents {
		for _, when := range []string{"first", "later"} {
			b.Run(strings.ReplaceAll(path[4:], "/", "-")+"/"+when, func(b *testing.B) {
				v := Lookup(path).Events()
				name, event := []byte(data.name), []byte(data.data)
				b.ReportAllocs()
				b.SetBytes(int64(len("data: \n\n") + len(event)))
				for b.Loop() {
					v.content = when == "later"
					v.Event(name, event, true)
				}
			})
		}
	}
}

func BenchmarkTail(b *testing.B) {
	v := Lookup(responsesPath).Events()
	v.Event([]byte("response.completed"), []byte(`{"type":"response.completed","response":{"output":["`), false)
	piece := bytes.Repeat([]byte(`all work and no play, `), 1500)
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	for b.Loop() {
		v.Tail(piece)
	}
}

// FuzzEvents shows a stream whole and in pieces: nothing panics, what has been reached stays so, and the pieces come to
// the same end where the events are JSON.
func FuzzEvents(f *testing.F) {
	for i, path := range []string{chatPath, responsesPath, messagesPath} {
		files, err := filepath.Glob("testdata/streams/*")
		if err != nil || len(files) == 0 {
			f.Fatal("no seeds", err)
		}
		for _, file := range files {
			script, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			for part := range strings.SplitSeq(string(script), "----") {
				if _, stream, ok := strings.Cut(part, "stream path="+path); ok {
					f.Add(uint8(i), uint16(40), []byte(stream))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, api uint8, cut uint16, stream []byte) {
		e := Lookup([]string{chatPath, responsesPath, messagesPath}[api%3])
		v := e.Events()
		for _, ev := range split(stream) {
			content, ended, failed := v.Content(), v.Ended(), v.Failed()
			pieces := *v
			v.Event(ev.name, ev.data, true)
			if content && !v.Content() || ended && !v.Ended() || failed && !v.Failed() {
				t.Fatalf("%q took something back", ev.data)
			}
			if u, ok := wholes(v.Usage()); ok && (u.Prompt < 0 || u.Completion < 0 || u.CacheRead+u.CacheWrite > u.Prompt) {
				t.Fatalf("%q: %+v", ev.data, u)
			}
			at := min(int(cut), len(ev.data))
			pieces.Event(ev.name, ev.data[:at], false)
			pieces.Tail(ev.data[at:])
			if data := bytes.TrimSpace(ev.data); v.api == e.api && !v.isChunks() && json.Valid(data) && data[0] == '{' && plainKeys(data) && !bareError(ev.name, data) &&
				(pieces.Ended() != v.Ended() || pieces.Failed() != v.Failed()) {
				t.Fatalf("%q %q: whole %s, in pieces %s", ev.name, ev.data, state(v), state(&pieces))
			}
		}
		if b := v.Break(false); !bytes.HasSuffix(b, []byte("\n\n")) || len(split(b)) != 1 || !json.Valid(split(b)[0].data) {
			t.Fatalf("%q", b)
		}
	})
}

// bareError tells whether an event has an error in it, or complains, and does not say what it is. One that is too long to be held is sent
// as it is.
func bareError(name, data []byte) bool {
	kind := eventKind(name, member(data, "type"))
	return (len(kind) == 0 || string(kind) == "message") && !empty(member(data, "error")) || complains(kind, data)
}

// plainKeys tells whether an object names no member twice, which the two ways of reading may see differently.
func plainKeys(b []byte) bool {
	seen := make(map[string]bool)
	ok := true
	walk(bytes.TrimSpace(b), func(key, _ []byte) {
		ok = ok && !seen[string(key)]
		seen[string(key)] = true
	})
	return ok
}
