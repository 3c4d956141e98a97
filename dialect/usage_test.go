package dialect

import (
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

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

// usageIn gives the usage that an answer says in its body.
func usageIn(path, body string) Usage {
	a := Lookup(path).Answer()
	_, _ = a.Write([]byte(body))
	return a.Usage()
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

// TestUsageOfNull takes null for nothing said, be it that of a number or of what it stands in: what was said before stays.
func TestUsageOfNull(t *testing.T) {
	e := Lookup(messagesPath).Events()
	for _, data := range []string{
		`{"type":"message_start","message":{"usage":{"input_tokens":9,"cache_creation_input_tokens":50,"cache_creation":{"ephemeral_1h_input_tokens":50},"output_tokens":1}}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":null,"output_tokens":2,"server_tool_use":{"web_search_requests":3},` +
			`"iterations":[{"type":"compaction","input_tokens":80,"output_tokens":10}]}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2,"cache_creation":null,"server_tool_use":null,"iterations":null}}`,
		`{"type":"message_stop"}`,
	} {
		e.Event(nil, []byte(data), true)
	}
	if got, ok := wholes(e.Usage()); got != (money.Tokens{Prompt: 139, Completion: 12, CacheWrite: 50, CacheWrite1h: 50, WebSearches: 3}) || !ok {
		t.Errorf("%+v", got)
	}
	const searched = `{"usage":{"prompt_tokens":9,"completion_tokens":2,"server_tool_use":{"web_search_requests":3},"server_tool_use_details":null}}`
	if got, ok := wholes(usageIn(chatPath, searched)); got != (money.Tokens{Prompt: 9, Completion: 2, WebSearches: 3}) || !ok {
		t.Errorf("%+v", got)
	}
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
