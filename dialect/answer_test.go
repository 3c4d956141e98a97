package dialect

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// An answer that is not a stream is read as it passes, whatever its size and however it is cut.
func TestAnswer(t *testing.T) {
	long := strings.Repeat("word ", 20_000)
	for _, test := range []struct {
		path, body string
		usage      string
		said       Output
		id         string
	}{
		{
			chatPath, `{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"` + long + `","reasoning":"Hmmm","reasoning_content":"Hmmm"}}],` +
				`"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"audio_tokens":4}}}`,
			" prompt 9 completion 2 audioIn 4",
			Output{Text: 100_004},
			"",
		},
		{
			chatPath, `{"usage":{"prompt_tokens":9,"completion_tokens":null},"choices":[{"message":{"tool_calls":[{"id":"call","function":{"name":"f","arguments":"{}"}}],"audio":{"data":"` +
				strings.Repeat("AAAA", 1000) + `"},"images":[{"image_url":{"url":"data:image/png;base64,AAAA"}}]}}]}`,
			" prompt 9",
			Output{Text: 3, Media: 12 + 2000},
			"",
		},
		{"/v1/completions", `{"choices":[{"text":"a\u00e9"},{"text":"b"}],"usage":{"prompt_tokens":9,"completion_tokens":0}}`, " prompt 9", Output{Text: 4}, ""},
		{
			responsesPath, `{"id":"resp_1","output":[{"type":"reasoning","summary":[{"text":"Hm"}],"encrypted_content":"gAAAA"},{"type":"web_search_call","id":"ws"},` +
				`{"type":"message","content":[{"type":"output_text","text":"Hello"}]}],"usage":{"input_tokens":9,"output_tokens":20,"output_tokens_details":{"reasoning_tokens":15}}}`,
			" prompt 9 completion 20 reasoning 15 searches 1",
			Output{Text: 7},
			"resp_1",
		},
		{
			messagesPath, `{"type":"message","content":[{"type":"text","text":"Hello"},{"type":"tool_use","name":"f","input":{"a":[1,{"b":"c"}]}},{"type":"tool_use","input":{}}],` +
				`"usage":{"input_tokens":9,"output_tokens":20,"cache_read_input_tokens":"3","cache_creation_input_tokens":5}}`,
			" prompt 14 completion 20 write 5",
			Output{Text: 6 + 19},
			"",
		},
		{messagesPath, `{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}`, " prompt 9 completion 2", Output{Text: 2}, ""},
		{"/v1/embeddings", `{"data":[{"embedding":[` + strings.Repeat("0.125,", 50_000) + `0]}],"usage":{"prompt_tokens":9,"total_tokens":9}}`, " prompt 9 completion 0", Output{}, ""},
		{"/v1/embeddings", `{"data":[{"embedding":[1]}],"usage":{"total_tokens":9},"usage":{"total_tokens":4},"usage":{}}`, " prompt 4 completion 0", Output{}, ""},
		{responsesPath, "\ufeff" + `{"id":"resp_1","output":[],"usage":{"input_tokens":9,"output_tokens":2}}`, " prompt 9 completion 2", Output{}, "resp_1"},
	} {
		for _, step := range []int{1, 7, 4096, len(test.body)} {
			a := Lookup(test.path).Answer()
			for rest := []byte(test.body); len(rest) > 0; {
				n := min(step, len(rest))
				_, _ = a.Write(rest[:n])
				rest = rest[n:]
			}
			if got := named(a.Usage(), classes); got != test.usage || a.Output() != test.said || a.ResponseID() != test.id {
				t.Errorf("%.60s, %d at a time: %s, %+v, id %q", test.body, step, got, a.Output(), a.ResponseID())
			}
		}
	}
}

func TestFill(t *testing.T) {
	u := Usage{Tokens: money.Tokens{Completion: 5, CacheRead: 90, Reasoning: 4}, Known: ClassCompletion | ClassCacheRead | ClassReasoning}
	if got := u.Fill(60, 1000); got != (money.Tokens{Prompt: 60, Completion: 5, CacheRead: 60, Reasoning: 4}) || !got.Consistent() {
		t.Errorf("%+v", got)
	}
}

func TestAnswerTakesNoMemory(t *testing.T) {
	a := Lookup(chatPath).Answer()
	_, _ = a.Write([]byte(`{"choices":[{"message":{"content":"`))
	piece := bytes.Repeat([]byte(`all work and no play, `), 1500)
	if n := testing.AllocsPerRun(100, func() { _, _ = a.Write(piece) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
