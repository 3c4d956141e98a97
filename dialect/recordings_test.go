package dialect

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

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
