package dialect

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
