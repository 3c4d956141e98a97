package dialect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// noise is base64 of n bytes that are no text and no known kind of file.
func noise(n int) string {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return base64.StdEncoding.EncodeToString(b)
}

func TestPromptTokens(t *testing.T) {
	var (
		blob  = noise(30_000)
		text  = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("write a long poem about the sea, ", 1000)))
		after = base64.StdEncoding.EncodeToString([]byte("\x00" + strings.Repeat("write a long poem about the sea, ", 1000)))
		pdf   = base64.StdEncoding.EncodeToString([]byte("%PDF-1.3\n" + strings.Repeat("1 0 obj << /Type /Page >> ", 1000)))
		url   = "data:image/png;base64," + blob
		php   = strings.ReplaceAll(blob, "/", `\/`)
	)
	chat := func(part string) string { return `"messages":[{"role":"user","content":[` + part + `]}]` }
	input := func(part string) string { return `"input":[{"role":"user","content":[` + part + `]}]` }
	for _, test := range []struct {
		name, path, members string
		media               int   // bytes of the body that don't count as text
		tokens              int64 // beside the text's
		remote, hosted      bool
	}{
		{name: "none", path: chatPath, members: `"messages":[{"role":"user","content":"text"}]`},
		{name: "image", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"` + url + `"}}`), media: len(url), tokens: 2000},
		{name: "type last", path: chatPath, members: chat(`{"image_url":{"url":"` + url + `"},"type":"image_url"}`), media: len(url), tokens: 2000},
		{name: "image as string", path: chatPath, members: chat(`{"type":"image_url","image_url":"` + url + `"}`), media: len(url), tokens: 2000},
		{name: "zeros", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 9000) + `"}}`), media: 9022, tokens: 2000},
		{name: "as PHP writes it", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"data:image/png;base64,` + php + `"}}`), media: 22 + len(php), tokens: 2000},
		{name: "two", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"` + url + `"}},{"type":"image_url","image_url":{"url":"` + url + `"}}`), media: 2 * len(url), tokens: 4000},
		{name: "image by URL", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"https://x/y.png"}}`), tokens: 2000, remote: true},
		{name: "in an assistant's images", path: chatPath, members: `"messages":[{"role":"assistant","content":"","images":[{"type":"image_url","image_url":{"url":"` + url + `"}}]}]`, media: len(url), tokens: 2000},
		{name: "says it is an image, is text", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"data:image/png;base64,` + text + `"}}`), tokens: 2000},
		{name: "text behind a byte", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"data:image/png;base64,` + after + `"}}`), tokens: 2000},
		{name: "no base64", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"data:image/png;base64,please write a poem"}}`), tokens: 2000},
		{name: "no base64, without spaces", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"data:image/png;base64,please.write.a.poem"}}`), tokens: 2000},
		{name: "a drawing is text", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"data:image/svg+xml;base64,` + blob + `"}}`), tokens: 2000},
		{name: "not base64", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"data:text/plain,` + blob + `"}}`), tokens: 2000},
		{name: "in a text", path: chatPath, members: chat(`{"type":"text","text":"` + url + `"}`)},
		{name: "as content", path: chatPath, members: `"messages":[{"role":"user","content":"` + url + `"}]`},
		{name: "in no place", path: chatPath, members: `"metadata":{"type":"image_url","image_url":{"url":"` + url + `"}}`},
		{name: "an image in no place", path: messagesPath, members: `"system":"x","x":[{"type":"image","source":{"type":"base64","data":"` + blob + `"}}]`},
		{name: "in a tool's schema", path: chatPath, members: `"tools":[{"type":"function","function":{"type":"image_url","image_url":{"url":"` + url + `"}}}]`},
		{name: "text of another type", path: chatPath, members: chat(`{"type":"text","image_url":{"url":"` + url + `"}}`)},
		{name: "two types", path: chatPath, members: chat(`{"type":"text","type":"image_url","image_url":{"url":"` + url + `"}}`), tokens: 2000},
		{name: "two images in one part", path: chatPath, members: chat(`{"type":"image_url","image_url":{"url":"` + url + `","url":"` + url + `"}}`), tokens: 2000},
		{name: "an odd spelling", path: chatPath, members: chat(`{"type":"image_url","Image_URL":{"url":"` + url + `"}}`), tokens: 2000},
		{name: "document", path: chatPath, members: chat(`{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,` + blob + `"}}`), media: len(blob) + 28, tokens: 1875},
		{name: "document that looks like text", path: responsesPath, members: input(`{"type":"input_file","file_data":"data:application/pdf;base64,` + pdf + `"}`), media: len(pdf) + 28, tokens: int64(len(pdf)*3/4+15) / 16},
		{name: "document that is text", path: responsesPath, members: input(`{"type":"input_file","file_data":"data:text/plain;base64,` + blob + `"}`)},
		{name: "document that is text and does not say so", path: responsesPath, members: input(`{"type":"input_file","file_data":"` + text + `"}`)},
		{name: "document by id", path: chatPath, members: chat(`{"type":"file","file":{"file_id":"f"}}`), tokens: 32_000, remote: true},
		{name: "in escapes", path: chatPath, members: chat(`{"type":"file","file":{"file_\u0069d":"f"}}`), tokens: 32_000, remote: true},
		{name: "in capitals", path: chatPath, members: chat(`{"type":"file","File":{"FILE_ID":"f"}}`), tokens: 32_000, remote: true},
		{name: "audio", path: chatPath, members: chat(`{"type":"input_audio","input_audio":{"data":"` + blob + `","format":"wav"}}`), media: len(blob), tokens: 118},
		{name: "audio by id", path: chatPath, members: `"messages":[{"role":"assistant","audio":{"id":"a"}}]`, tokens: 32_000, remote: true},
		{name: "input image", path: responsesPath, members: input(`{"type":"input_image","image_url":"` + url + `"}`), media: len(url), tokens: 2000},
		{name: "input image by id", path: responsesPath, members: input(`{"type":"input_image","file_id":"f"}`), tokens: 2000, remote: true},
		{name: "screenshot", path: responsesPath, members: `"input":[{"type":"computer_call_output","output":{"type":"computer_screenshot","image_url":"` + url + `"}}]`, media: len(url), tokens: 2000},
		{name: "a function's image", path: responsesPath, members: `"input":[{"type":"function_call_output","output":[{"type":"input_image","image_url":"` + url + `"}]}]`, media: len(url), tokens: 2000},
		{name: "an image that was made", path: responsesPath, members: `"input":[{"type":"image_generation_call","id":"i","result":"` + blob + `"}]`, media: len(blob), tokens: 2000},
		{name: "file by URL", path: responsesPath, members: input(`{"type":"input_file","file_url":"https://x/y.pdf"}`), tokens: 32_000, remote: true},
		{name: "many files", path: responsesPath, members: input(strings.Repeat(`{"type":"input_file","file_id":"f"},`, 20) + `{}`), tokens: 200_000, remote: true},
		{name: "item", path: responsesPath, members: `"input":[{"type":"item_reference","id":"rs_1"}]`, tokens: 8192, remote: true},
		{name: "stored prompt", path: responsesPath, members: `"prompt":{"id":"p"}`, tokens: 32_000, remote: true},
		{name: "no stored prompt", path: responsesPath, members: `"prompt":null`},
		{name: "conversation", path: responsesPath, members: `"conversation":"c"`, tokens: 32_000, remote: true},
		{name: "previous response", path: responsesPath, members: `"previous_response_id":"r"`, remote: true},
		{name: "a thread that goes on", path: messagesPath, members: `"thread":{"type":"continue","previous_message_id":"m"}`, remote: true},
		{name: "a thread that begins", path: messagesPath, members: `"thread":{"type":"create"}`},
		{name: "hosted tools", path: responsesPath, members: `"tools":[{"type":"web_search"},{"type":"function","name":"f"},{"type":"custom"},{"type":"mcp"},{"type":"local_shell"}]`, tokens: 64_000, hosted: true},
		{name: "a shell in a container at the server", path: responsesPath, members: `"tools":[{"type":"shell","environment":{"type":"container_auto"}},{"environment":{"type":"container_reference","container_id":"c"},"type":"shell"}]`, tokens: 64_000, hosted: true},
		{name: "a shell at the client", path: responsesPath, members: `"tools":[{"type":"shell","environment":{"type":"local"}},{"type":"shell"}]`},
		{name: "a hosted tool in escapes", path: responsesPath, members: `"tools":[{"type":"web\u005fsearch"}]`, tokens: 32_000, hosted: true},
		{name: "tools with a long s, which is one to some", path: responsesPath, members: `"toolſ":[{"type":"web_search"}]`, tokens: 32_000, hosted: true},
		{name: "agents at the server", path: responsesPath, members: `"multi_agent":{"enabled":true}`, tokens: 32_000, hosted: true},
		{name: "no agents at the server", path: responsesPath, members: `"multi_agent":{"max_concurrent_subagents":3,"enabled":false}`},
		{name: "web search of chat as it is by default", path: chatPath, members: `"web_search_options":{ }`, tokens: 32_000, hosted: true},
		{name: "no web search of chat", path: chatPath, members: `"web_search_options":null`},
		{name: "web search of chat", path: chatPath, members: `"web_search_options":{"search_context_size":"low"}`, tokens: 32_000, hosted: true},
		{name: "plugins", path: chatPath, members: `"plugins":[{"id":"web"},{"id":"file-parser"}]`, tokens: 64_000, hosted: true},
		{name: "hosted tools of messages", path: messagesPath, members: `"tools":[{"name":"f","input_schema":{"type":"object"}},{"type":"bash_20250124"},{"type":"custom"},{"type":"web_search_20250305"},{"type":"text_editor_20250728"},{"type":"computer_20250124"}]`, tokens: 32_000, hosted: true},
		{name: "an MCP server and its toolset", path: messagesPath, members: `"mcp_servers":[{"type":"url","url":"https://x"}],"tools":[{"type":"mcp_toolset","mcp_server_name":"x"}]`, tokens: 32_000, hosted: true},
		{name: "source", path: messagesPath, members: chat(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + blob + `"}}`), media: len(blob), tokens: 2000},
		{name: "source, data first", path: messagesPath, members: chat(`{"source":{"data":"` + blob + `","type":"base64"},"type":"image"}`), media: len(blob), tokens: 2000},
		{name: "source by URL", path: messagesPath, members: chat(`{"type":"image","source":{"type":"url","url":"https://x"}}`), tokens: 2000, remote: true},
		{name: "source by id", path: messagesPath, members: chat(`{"type":"document","source":{"type":"file","file_id":"f"}}`), tokens: 32_000, remote: true},
		{name: "document by URL", path: messagesPath, members: chat(`{"type":"document","source":{"type":"url","url":"https://x"}}`), tokens: 32_000, remote: true},
		{name: "document of plain text", path: messagesPath, members: chat(`{"type":"document","source":{"type":"text","data":"` + blob + `"}}`)},
		{name: "image in a tool's result", path: messagesPath, members: chat(`{"type":"tool_result","content":[{"type":"image","source":{"type":"base64","data":"` + blob + `"}}]}`), media: len(blob), tokens: 2000},
		{name: "image in a document", path: messagesPath, members: chat(`{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"base64","data":"` + blob + `"}}]}}`), media: len(blob), tokens: 2000},
		{name: "a list is no data", path: messagesPath, members: chat(`{"type":"image","source":{"type":"base64","data":["` + blob + `"]}}`)},
		{name: "an address that is no file", path: messagesPath, members: chat(`{"type":"web_search_result","url":"https://x"}`)},
		{name: "a file in a container", path: messagesPath, members: chat(`{"type":"container_upload","file_id":"f"}`), tokens: 32_000, remote: true},
		{name: "by an unknown kind of part", path: chatPath, members: chat(`{"type":"attachment","file_id":"f"}`), tokens: 32_000, remote: true},
	} {
		body := `{"model":"m",` + test.members + `}`
		r, refusal := Lookup(test.path).Scan([]byte(body))
		if refusal != nil {
			t.Fatal(test.name, refusal)
		}
		if want := int64(math.Ceil(float64(len(body)-test.media)/3)) + test.tokens; r.PromptTokens != want {
			t.Errorf("%s: %d prompt tokens, want %d", test.name, r.PromptTokens, want)
		}
		if want := strings.Contains(strings.ReplaceAll(test.members, "ſ", "s"), `"tools":[{`); r.Tools != want {
			t.Errorf("%s: tools %v", test.name, r.Tools)
		}
		if r.PromptWhole == (test.remote || test.hosted) || r.HostedTools != test.hosted {
			t.Errorf("%s: whole %v, hosted %v", test.name, r.PromptWhole, r.HostedTools)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		path, members string
		want          int64
	}{
		{chatPath, `"n":3`, 3},
		{chatPath, `"n":3,"best_of":5`, 5},
		{"/v1/completions", `"prompt":"a"`, 1},
		{"/v1/completions", `"prompt":["a","b","c"],"n":2`, 6},
		{"/v1/completions", `"prompt":["a","b"],"best_of":20,"n":1`, 40},
		{"/v1/completions", `"prompt":[1,2,3]`, 1},
		{"/v1/completions", `"prompt":[[1,2,3],[4]],"n":null`, 2},
		{"/v1/completions", `"prompt":[]`, 1},
		{"/v1/completions", `"prompt":["a","b"],"n":9223372036854775807`, math.MaxInt64},
		{"/v1/embeddings", `"input":["a","b"]`, 2},
		{"/v1/embeddings", `"input":"a"`, 1},
		{responsesPath, `"input":["a","b"],"n":4`, 1},
		{chatPath, `"prompt":["a","b"]`, 1},
	} {
		r, refusal := Lookup(test.path).Scan([]byte(`{"model":"m",` + test.members + `}`))
		if refusal != nil || r.Answers != test.want {
			t.Errorf("%s: %+v %v, want %d", test.members, r, refusal, test.want)
		}
	}
	// A prompt that is written in tokens is at least as long as it has of them.
	r, _ := Lookup("/v1/completions").Scan([]byte(`{"model":"m","prompt":[` + strings.Repeat("1,", 99_999) + `1]}`))
	if r.PromptTokens != 100_000 {
		t.Errorf("100,000 tokens are taken for %d", r.PromptTokens)
	}
}

// Tools at the server are seen as well where they are asked for of a provider behind the one that is asked.
func TestHostedTools(t *testing.T) {
	for members, want := range map[string]bool{
		`"extra_body":{"web_search_options":{}}`:                                                true,
		`"extra_body":{"search_parameters":{"mode":"on"}}`:                                      true,
		`"extra_body":{"Enable_Search":true}`:                                                   true,
		`"extra_body":{"enable_search":false}`:                                                  false,
		`"extra_body":{"plugins":[{"id":"web"}]}`:                                               true,
		`"extra_body":{"plugins":[]}`:                                                           false,
		`"extra_body":{"mcp_servers":[{"url":"https://mcp.example"}]}`:                          true,
		`"extra_body":{"tools":[{"type":"web_search"}]}`:                                        true,
		`"extra_body":{"tools":[{"type":"web\u005fsearch"}]}`:                                   true,
		`"extra_body":{"tools":[{"type":"function","function":{"name":"f"}},{"name":"g"}]}`:     false,
		`"litellm_params":{"a":{"web_search_options":{"search_context_size":"low"}}}`:           true,
		`"providerOptions":{"xai":{"search_parameters":{"mode":"auto"}}}`:                       true,
		`"metadata":{"web_search_options":{}},"messages":[{"role":"user","content":"plugins"}]`: false,
		`"extra_body":{"top_k":1,"chat_template_kwargs":{"enable_thinking":false}}`:             false,
	} {
		r, refusal := Lookup(chatPath).Scan([]byte(`{"model":"m",` + members + `}`))
		if refusal != nil || r.HostedTools != want {
			t.Errorf("%s: %+v, %v", members, r, refusal)
		}
	}
}

// Limits count as well where they are passed on to a provider behind the one that is asked; they lower nothing.
func TestLimitsPassedOn(t *testing.T) {
	for _, test := range []struct {
		members                 string
		output, passed, answers int64
	}{
		{`"max_tokens":1,"extra_body":{"max_tokens":100000}`, 100_000, 0, 1},
		{`"extra_body":{"Max_Completion_Tokens":100000},"max_tokens":1`, 100_000, 0, 1},
		{`"max_tokens":500,"extra_body":{"max_tokens":100}`, 500, 0, 1},
		{`"extra_body":{"max_tokens":100,"max_output_tokens":8193}`, 0, 8193, 1},
		{`"extra_body":{"n":9},"n":2`, 0, 0, 9},
		{`"best_of":3,"litellm_params":{"best_of":2,"max_output_tokens":"many"}`, 0, 0, 3},
		{`"max_tokens":5,"extra_body":{"reasoning":{"max_tokens":100},"metadata":{"n":4}},"metadata":{"n":5}`, 5, 0, 1},
	} {
		r, refusal := Lookup("/v1/completions").Scan([]byte(`{"model":"m","prompt":"x",` + test.members + `}`))
		if refusal != nil || r.MaxOutput != test.output || r.PassedOutput != test.passed || r.Answers != test.answers {
			t.Errorf("%s: %+v, %v", test.members, r, refusal)
		}
	}
}

func TestModels(t *testing.T) {
	for _, test := range []struct {
		members string
		want    string
	}{
		{`"models":["a","b","m"]`, "a b"},
		{`"models":["a","a"]`, "a"},
		{`"models":"a"`, "a"},
		{`"models":null,"fallbacks":1`, ""},
		{`"fallbacks":[{"model":"a","max_tokens":5,"stop_sequences":["x"]},{"model":"b"}]`, "a b"},
		{`"fallbacks":["a",{"m":["b","c"]}]`, "a b c"},
		{`"context_window_fallback_dict":{"m":"a","o":["b"]},"extra_body":{"content_policy_fallback_dict":{"m":"c"}}`, "a b c"},
		{`"fallback_models":["a"],"Fallback_Model":"b","context_window_fallbacks":[{"m":["c"]}]`, "a b c"},
		{`"m\u006fdels":["x"]`, "refused"},
		{`"models":["\u0061"]`, "a"},
		{`"extra_body":{"model":"a","x":{"models":["b"]}}`, "a b"},
		{`"providerOptions":{"gateway":{"models":["a"],"order":["x"]}}`, "a"},
		{`"plugins":[{"id":"auto-router","allowed_models":["a/*"]}]`, "a/*"},
		{`"tools":[{"type":"image_generation","model":"a"},{"type":"function","function":{"name":"f","parameters":{"properties":{"model":{"type":"string","enum":["x"]}}}}}]`, "a"},
		{`"tools":[{"name":"f","input_schema":{"properties":{"model":{"default":"x"}},"model":"x"}}]`, ""},
		{`"messages":[{"role":"user","content":"x","model":"x"}],"metadata":{"model":"x"},"modalities":["text"]`, ""},
		{`"models":["` + strings.Repeat("x", maxModel+1) + `"]`, "refused"},
		{`"models":["\ud800"]`, "refused"},
		{`"models":["a"],"models":["b"]`, "refused"},
		{`"models":[` + manyModels(maxModels) + `]`, "64"},
		{`"models":[` + manyModels(maxModels+1) + `]`, "refused"},
	} {
		for _, body := range []string{`{"model":"m",` + test.members + `}`, `{` + test.members + `,"model":"m"}`} {
			r, refusal := Lookup(chatPath).Scan([]byte(body))
			switch {
			case test.want == "refused":
				if refusal == nil {
					t.Errorf("%.99s: taken: %v", body, r.Models)
				}
			case refusal != nil:
				t.Errorf("%.99s: %s", body, refusal.Message)
			case test.want == "64":
				if len(r.Models) != maxModels {
					t.Errorf("%d models", len(r.Models))
				}
			case strings.Join(r.Models, " ") != test.want:
				t.Errorf("%s: %q", body, r.Models)
			}
		}
	}
}

func manyModels(n int) string {
	var names []string
	for i := range n {
		names = append(names, `"`+strings.Repeat("x", i+1)+`"`)
	}
	return strings.Join(names, ",")
}

func TestSealed(t *testing.T) {
	for _, test := range []struct {
		path, members string
		want          bool
	}{
		{responsesPath, `"input":"a"`, false},
		{responsesPath, `"input":[{"type":"reasoning","id":"rs","encrypted_content":"gAAA","summary":[]}]`, true},
		{responsesPath, `"input":[{"type":"reasoning","id":"rs","encrypted_content":null}]`, false},
		{responsesPath, `"input":[{"type":"item_reference","id":"rs"}]`, true},
		{responsesPath, `"include":["reasoning.encrypted_content"]`, false},
		{messagesPath, `"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"EqQ"}]}]`, true},
		{messagesPath, `"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":""}]}]`, false},
		{messagesPath, `"messages":[{"role":"assistant","content":[{"type":"redacted_thinking","data":"EqQ"}]}]`, true},
		{messagesPath, `"messages":[{"role":"user","content":"signature encrypted_content"}]`, false},
		{messagesPath, `"messages":[{"role":"user","content":[{"type":"tool_use","input":{"signature":"x"}}]}]`, false},
		{chatPath, `"messages":[{"role":"assistant","content":"x","reasoning_details":[{"type":"reasoning.encrypted","data":"EqQ"}]}]`, true},
		{chatPath, `"messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"signature\":1}"}}]}]`, false},
		{chatPath, `"messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"EqQ"}}}]}]`, true},
		{chatPath, `"messages":[{"role":"assistant","content":"x","reasoning_details":[{"type":"reasoning.text","text":"x","signature":"EqQ"}]}]`, true},
	} {
		r, refusal := Lookup(test.path).Scan([]byte(`{"model":"m",` + test.members + `}`))
		if refusal != nil || r.Sealed != test.want {
			t.Errorf("%s: %+v %v", test.members, r, refusal)
		}
	}
}

func TestAskUsage(t *testing.T) {
	const ask = `{"include_usage":true}`
	for _, test := range []struct{ path, body, want string }{ // want is empty where nothing is to be edited
		{chatPath, `{"model":"m","stream":true}`, `{"stream_options":{"include_usage":true},"model":"m","stream":true}`},
		{chatPath, ` { "stream" : true , "model":"m"}`, ` {"stream_options":{"include_usage":true}, "stream" : true , "model":"m"}`},
		{chatPath, `{"model":"m","stream":true,"stream_options":null}`, `{"model":"m","stream":true,"stream_options":` + ask + `}`},
		{chatPath, `{"model":"m","stream":true,"stream_options":{}}`, `{"model":"m","stream":true,"stream_options":` + ask + `}`},
		{chatPath, `{"model":"m","stream":true,"stream_options": { }}`, `{"model":"m","stream":true,"stream_options": {"include_usage":true }}`},
		{chatPath, `{"model":"m","stream":true,"stream_options":{"x":[1]}}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true,"x":[1]}}`},
		{chatPath, `{"model":"m","stream":true,"stream_options":{"include_usage" : false, "x":1}}`, `{"model":"m","stream":true,"stream_options":{"include_usage" : true, "x":1}}`},
		{chatPath, `{"stream_options":{"include_usage":null},"model":"m","stream":true}`, `{"stream_options":{"include_usage":true},"model":"m","stream":true}`},
		{chatPath, `{"model":"m","stream":true,"stream_options":{"include_usage":"no"}}`, `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`},
		{chatPath, `{"model":"m","stream":true,"stream_options":{"include_usage":true}}`, ``},
		{chatPath, `{"model":"m","stream":false}`, ``},
		{chatPath, `{"model":"m"}`, ``},
		{"/v1/completions", `{"model":"m","stream":true}`, `{"stream_options":{"include_usage":true},"model":"m","stream":true}`},
		{responsesPath, `{"model":"m","stream":true}`, ``},
		{messagesPath, `{"model":"m","stream":true}`, ``},
		{"/v1/embeddings", `{"model":"m","stream":true}`, ``},
	} {
		e := Lookup(test.path)
		r, refusal := e.Scan([]byte(test.body))
		if refusal != nil {
			t.Fatal(test.body, refusal)
		}
		edit, ok := e.AskUsage(r, []byte(test.body))
		if !ok {
			if test.want != "" {
				t.Errorf("%s: not edited", test.body)
			}
			continue
		}
		got := test.body[:edit.Start] + string(edit.Text) + test.body[edit.End:]
		if got != test.want || !json.Valid([]byte(got)) {
			t.Errorf("%s:\n got %s\nwant %s", test.body, got, test.want)
		}
		again, refusal := e.Scan([]byte(got))
		if refusal != nil || !again.IncludeUsage {
			t.Errorf("%s does not ask for usage: %v", got, refusal)
		}
	}
	for _, body := range []string{
		`{"model":"m","stream_options":{},"stream_options":{}}`, `{"model":"m","Stream_Options":{}}`,
		`{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}`, `{"model":"m","stream_options":{"include_usag\u0065":false}}`,
		`{"model":"m","stream_options":{"x":1,"Include_Usage":false}}`, `{"model":"m","stream_options":"x"}`, `{"model":"m","stream_options":[]}`, `{"model":"m","best_of":1,"best_of":2}`,
	} {
		if r, refusal := Lookup(chatPath).Scan([]byte(body)); refusal == nil {
			t.Errorf("%s: taken: %+v", body, r)
		}
	}
}

func TestFree(t *testing.T) {
	for path, want := range map[string][2]bool{
		chatPath: {}, "/v1/messages/count_tokens": {true, true}, "/v1/embeddings": {false, true}, "/v1/responses/compact": {},
	} {
		if e := Lookup(path); e.Free() != want[0] || e.NoCompletion() != want[1] {
			t.Errorf("%s: %v %v", path, e.Free(), e.NoCompletion())
		}
	}
}

// FuzzFacts shows bodies whose values are built of what matters: whatever they are, the prompt is no less than the text outside
// of its base64, an edit that asks for usage leaves JSON that does, and all is the same after a round through another parser.
func FuzzFacts(f *testing.F) {
	f.Add([]byte(`{"model":"m","stream":true,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`), uint8(0))
	f.Add([]byte(`{"model":"m","input":[{"type":"item_reference","id":"x"},{"content":[{"type":"input_file","file_id":"f"}],"output":{"type":"computer_screenshot"}}],"tools":[{"type":"mcp"}]}`), uint8(1))
	f.Add([]byte(`{"model":"m","messages":[{"content":[{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"data":"JVBERi0="}}]}}]}],"mcp_servers":[{}]}`), uint8(2))
	f.Add([]byte(`{"model":"m","prompt":[[1,2],[3]],"stream":true,"stream_options":{"include_usage":false},"best_of":3}`), uint8(3))
	f.Add([]byte(`{"model":"m","input":[1,2,"x",[3]],"fallbacks":[{"a":["b"]}]}`), uint8(4))
	f.Fuzz(func(t *testing.T, body []byte, api uint8) {
		e := Lookup([]string{chatPath, responsesPath, messagesPath, "/v1/completions", "/v1/embeddings"}[api%5])
		r, refusal := e.Scan(body)
		if refusal != nil {
			return
		}
		if r.PromptTokens <= 0 || r.Answers < 1 || r.N < 1 || slices.Contains(r.Models, r.Model) {
			t.Fatalf("%s: %+v", body, r)
		}
		if !bytes.Contains(body, []byte("data")) && !bytes.Contains(body, []byte("result")) && r.PromptTokens < int64(len(body))/3 {
			t.Fatalf("%s: %d tokens of %d bytes without media", body, r.PromptTokens, len(body))
		}
		edit, ok := e.AskUsage(r, body)
		if !ok {
			return
		}
		got := slices.Concat(body[:edit.Start], edit.Text, body[edit.End:])
		if !json.Valid(got) || !gjson.GetBytes(got, "stream_options.include_usage").Bool() {
			t.Fatalf("%s became %s", body, got)
		}
	})
}
