package dialect

import "testing"

// TestScanTakes shows bodies in the manner of real clients: none of them is refused.
func TestScanTakes(t *testing.T) {
	for _, test := range []struct {
		client, path, body string
		want               Request // Model is "m", N is 1 where it is not set
	}{
		{
			"Claude Code", messagesPath,
			`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"<system-reminder>\n</system-reminder>"},{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}],` +
				`"system":[{"type":"text","text":"x-anthropic-billing-header: cch=0;"}],"tools":[{"name":"Read","input_schema":{"type":"object","properties":{"model":{"type":"string"},"n":{}},"$schema":"http://json-schema.org/draft-07/schema#"}}],` +
				`"metadata":{"user_id":"user_1_account__session_2"},"max_tokens":32000,"thinking":{"budget_tokens":31999,"type":"enabled"},"context_management":{"edits":[]},"stream":true}`,
			Request{Stream: true, MaxOutput: 32000},
		},
		{"Claude Code, counting", "/v1/messages/count_tokens", `{"model":"m","messages":[{"role":"user","content":"foo"}],"tools":[]}`, Request{}},
		{
			"Codex", responsesPath,
			`{"model":"m","instructions":"You are Codex","input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"p"}]}],"tools":[],"tool_choice":"auto","parallel_tool_calls":false,` +
				`"reasoning":{"effort":"medium","summary":"auto"},"store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"0199-a","text":{"verbosity":"low"},"service_tier":null}`,
			Request{Stream: true, PromptCacheKey: "0199-a"},
		},
		{
			"opencode", chatPath,
			`{"model":"m","max_tokens":32000,"temperature":0,"top_p":1,"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}],"tools":[],"tool_choice":"auto","stream":true,"stream_options":{"include_usage":true},"promptCacheKey":"ses_1"}`,
			Request{Stream: true, MaxOutput: 32000},
		},
		{
			"LangChain", chatPath,
			`{"messages":[{"content":"u","role":"user"}],"model":"m","n":1,"stream":false,"temperature":0.7,"max_completion_tokens":null,"stop":null,"stream_options":null}`,
			Request{},
		},
		{
			"LiteLLM", chatPath,
			`{"model": "m", "messages": [{"role": "user", "content": "caf\u00e9 \ud83d\ude00"}], "max_tokens": 4096.0, "max_completion_tokens": 4096, "stream": true, "extra_body": {"model": "x"}, "metadata": {}, "user": null}`,
			Request{Stream: true, MaxOutput: 4096},
		},
		{"aider", chatPath, `{"model": "m", "temperature": 0, "stream": true, "messages": [{"role": "system", "content": "\ud800 cut in two"}]}`, Request{Stream: true}},
		{"local servers' clients", chatPath, `{"model":"m","messages":[],"max_tokens":-1,"stream":true,"temperature":0.7,"temperature":0.8}`, Request{Stream: true}},
		{"numbers that are floats", chatPath, `{"model":"m","max_tokens":1e3,"n":2.0}`, Request{MaxOutput: 1000, N: 2}},
		{"a file's last line end", responsesPath, "{\n  \"model\": \"m\",\n  \"input\": \"Hi\",\n  \"max_output_tokens\": 1.6e1\n}\r\n\n", Request{MaxOutput: 16}},
		{"completions", "/v1/completions", `{"model":"m","prompt":["a"],"max_tokens":16,"echo":false,"logprobs":null,"best_of":1,"suffix":null}`, Request{MaxOutput: 16}},
		{"embeddings", "/v1/embeddings", `{"input": [[1, 2]], "model": "m", "encoding_format": "base64", "dimensions": null}`, Request{}},
	} {
		got, refusal := Lookup(test.path).Scan([]byte(test.body))
		if refusal != nil {
			t.Errorf("%s: %s", test.client, refusal.Message)
			continue
		}
		if test.want.Model, test.want.N = "m", max(test.want.N, 1); got.Model != test.want.Model || got.N != test.want.N || got.Stream != test.want.Stream ||
			got.MaxOutput != test.want.MaxOutput || got.PromptCacheKey != test.want.PromptCacheKey {
			t.Errorf("%s: %+v", test.client, got)
		}
	}
}
