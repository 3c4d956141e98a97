package dialect

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestLookup(t *testing.T) {
	for path, want := range map[string]Endpoint{
		"/v1/chat/completions":      {Protocol: ChatCompletions, Shape: OpenAI},
		"/v1/responses":             {Protocol: Responses, Shape: OpenAI},
		"/v1/responses/compact":     {Protocol: Responses, Shape: OpenAI},
		"/v1/messages":              {Protocol: Messages, Shape: Anthropic},
		"/v1/messages/count_tokens": {Protocol: Messages, Shape: Anthropic},
		"/v1/completions":           {Protocol: Completions, Shape: OpenAI},
		"/v1/embeddings":            {Protocol: Embeddings, Shape: OpenAI},
	} {
		e := Lookup(path)
		if e == nil || e.Path != path || e.Protocol != want.Protocol || e.Shape != want.Shape {
			t.Errorf("%s: %+v", path, e)
		}
	}
	for _, path := range []string{"", "/", "/v1/models", "/v1/messages/", "/V1/messages", "/v1/chat/completions/x"} {
		if e := Lookup(path); e != nil {
			t.Errorf("%q has an endpoint: %+v", path, e)
		}
	}
}

const (
	chatPath      = "/v1/chat/completions"
	responsesPath = "/v1/responses"
	messagesPath  = "/v1/messages"
)

func TestScan(t *testing.T) {
	for _, test := range []struct {
		path, body string
		want       Request // but for offsets and PromptTokens
	}{
		{chatPath, `{"model":"m"}`, Request{Model: "m", N: 1}},
		{chatPath, " \n{ \"model\" :\t\"a\\/b\\u00e9\" } \r\n", Request{Model: "a/bé", N: 1}},
		{chatPath, `{"model":"m","stream":true,"n":3,"max_tokens":5}`, Request{Model: "m", Stream: true, N: 3, MaxOutput: 5}},
		{chatPath, `{"model":"m","stream":null,"n":null,"max_tokens":null}`, Request{Model: "m", N: 1}},
		{chatPath, `{"max_completion_tokens":7,"model":"m","max_tokens":5}`, Request{Model: "m", N: 1, MaxOutput: 7}},
		{chatPath, `{"max_tokens":9,"max_completion_tokens":7,"model":"m"}`, Request{Model: "m", N: 1, MaxOutput: 9}},
		{chatPath, `{"model":"m","max_output_tokens":"x","background":true,"previous_response_id":3}`, Request{Model: "m", N: 1}},
		{chatPath, `{"model":"m","prompt_cache_key":"k\n","requestId":"r"}`, Request{Model: "m", N: 1, PromptCacheKey: "k\n", RequestID: "r", HasRequestID: true}},
		{chatPath, `{"model":"m","prompt_cache_key":7,"requestId":"\ud800"}`, Request{Model: "m", N: 1, HasRequestID: true}},
		{responsesPath, `{"model":"m","prompt_cache_key":"\udc00","previous_response_id":null}`, Request{Model: "m", N: 1}},
		{chatPath, `{"model":"m","stream":false,"max_tokens":4096.0,"n":1.0}`, Request{Model: "m", N: 1, MaxOutput: 4096}},
		{chatPath, `{"model":"m","max_tokens":-1,"max_completion_tokens":7}`, Request{Model: "m", N: 1, MaxOutput: 7}},
		{messagesPath, `{"model":"m","max_tokens":-1}`, Request{Model: "m", N: 1}},
		{responsesPath, `{"model":"m","max_output_tokens":1e3,"background":null}`, Request{Model: "m", N: 1, MaxOutput: 1000}},
		{chatPath, `{"model":"m","request_id":null}`, Request{Model: "m", N: 1, HasRequestID: true}},
		{chatPath, `{"model":"m","nested":{"model":"x","Model":1,"stream":"y"},"messages":[{"model":2}]}`, Request{Model: "m", N: 1}},
		{chatPath, `{"model":"m","x":1,"x":2,"":0,"models":1,"mode":2}`, Request{Model: "m", N: 1}},
		{
			responsesPath, `{"model":"m","max_output_tokens":12,"max_tokens":99,"n":4,"background":false,"previous_response_id":"p"}`,
			Request{Model: "m", N: 1, MaxOutput: 12, PreviousResponseID: "p"},
		},
		{messagesPath, `{"model":"m","thread":{"type":"create"}}`, Request{Model: "m", N: 1, Thread: true}},
		{messagesPath, `{"model":"m","Thread":{"Previous_message_id":"p","type":"continue"}}`, Request{Model: "m", N: 1, Thread: true, PreviousResponseID: "p"}},
		{messagesPath, `{"model":"m","thread":null}`, Request{Model: "m", N: 1}},
		{messagesPath, `{"model":"m","container":"c"}`, Request{Model: "m", N: 1, Containers: []string{"c"}}},
		{messagesPath, `{"model":"m","container":{"skills":[{"skill_id":"pdf"}],"id":"c"}}`, Request{Model: "m", N: 1, Containers: []string{"c"}}},
		{messagesPath, `{"model":"m","container":{"id":null,"skills":[]}}`, Request{Model: "m", N: 1}},
		{messagesPath, `{"model":"m","container":7}`, Request{Model: "m", N: 1}},
		{chatPath, `{"model":"m","container":"c"}`, Request{Model: "m", N: 1}},
		{responsesPath, `{"model":"m","tools":[{"type":"code_interpreter","container":"a"},{"environment":{"container_id":"b","type":"container_reference"},"type":"shell"},{"type":"code_interpreter","Cont\u0061iner":"a"}]}`, Request{Model: "m", N: 1, Containers: []string{"a", "b"}}},
		{responsesPath, `{"model":"m","tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["f"]}}]}`, Request{Model: "m", N: 1}},
		{chatPath, `{"model":"m","thread":{"previous_message_id":7}}`, Request{Model: "m", N: 1}},
		{messagesPath, `{"model":"m","max_tokens":0,"max_completion_tokens":5}`, Request{Model: "m", N: 1}},
		{"/v1/completions", `{"model":"m","max_tokens":6,"n":2,"max_output_tokens":8}`, Request{Model: "m", N: 2, MaxOutput: 6}},
		{"/v1/embeddings", `{"model":"m","max_tokens":6,"n":2}`, Request{Model: "m", N: 1}},
	} {
		got, refusal := Lookup(test.path).Scan([]byte(test.body))
		if refusal != nil {
			t.Errorf("%s: refused: %s", test.body, refusal.Message)
			continue
		}
		var model string
		if err := json.Unmarshal([]byte(test.body[got.ModelStart:got.ModelEnd]), &model); err != nil || model != got.Model {
			t.Errorf("%s: the model's place holds %q", test.body, test.body[got.ModelStart:got.ModelEnd])
		}
		if test.body[got.InsertAt-1] != '{' || strings.TrimSpace(test.body[:got.InsertAt]) != "{" {
			t.Errorf("%s: insert at %d", test.body, got.InsertAt)
		}
		got.ModelStart, got.ModelEnd, got.InsertAt, got.PromptTokens, got.system, got.turns = 0, 0, 0, 0, span{}, span{}
		got.Answers, got.PromptWhole, got.HostedTools, got.Tools, got.Models, got.IncludeUsage = 0, false, false, false, nil, false // see facts_test.go
		got.streamOptions, got.usage, got.requestID = span{}, span{}, span{}
		if !reflect.DeepEqual(*got, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.body, *got, test.want)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	for _, test := range []struct{ path, body, param, says string }{
		{chatPath, ``, "", "not one JSON object"},
		{chatPath, `null`, "", "not one JSON object"},
		{chatPath, `[{"model":"m"}]`, "", "not one JSON object"},
		{chatPath, `{"model":"m"`, "", "not one JSON object"},
		{chatPath, `{"model":"m"}}`, "", "not one JSON object"},
		{chatPath, `{"model":"m"}{"model":"n"}`, "", "not one JSON object"},
		{chatPath, `{"model":"m",}`, "", "not one JSON object"},
		{chatPath, `{,"model":"m"}`, "", "not one JSON object"},
		{chatPath, `{"model" "m"}`, "", "not one JSON object"},
		{chatPath, `{model:"m"}`, "", "not one JSON object"},
		{chatPath, `{'model':'m'}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":[1,]}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":[1 2]}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":{"a":1,}}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":{"a"}}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":[}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":{]}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":01}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":1.}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":1e}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":-}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":+1}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":nul}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":nulx}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":tree}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":falsy}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":{a":1}}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":NaN}`, "", "not one JSON object"},
		{chatPath, "{\"model\":\"m\",\"x\":\"line\nbreak, and some more\"}", "", "not one JSON object"},
		{chatPath, `{"model":"m","x":"\x"}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":"\u12g4"}`, "", "not one JSON object"},
		{chatPath, `{"model":"m","x":"\u12`, "", "not one JSON object"},
		{chatPath, `{"model":"m"} // done`, "", "not one JSON object"},
		{chatPath, "\xef\xbb\xbf" + `{"model":"m"}`, "", "byte order mark"},
		{chatPath, `{}`, "model", "missing"},
		{chatPath, `{"messages":[{"model":"m"}]}`, "model", "missing"},
		{chatPath, `{"model":""}`, "model", "empty"},
		{chatPath, `{"model":null}`, "model", "string"},
		{chatPath, `{"model":["m"]}`, "model", "string"},
		{chatPath, `{"model":"` + strings.Repeat("m", maxModel+1) + `"}`, "model", "longer"},
		{chatPath, "{\"model\":\"m\xff\"}", "model", "Unicode"},
		{chatPath, `{"model":"m\ud800"}`, "model", "Unicode"},
		{chatPath, `{"model":"m\udc00\ud800"}`, "model", "Unicode"},
		{chatPath, `{"model":"m","model":"m"}`, "model", "twice"},
		{chatPath, `{"model":"m","mod\u0065l":"n"}`, "model", "twice"},
		{chatPath, `{"model":"m","Model":"n"}`, "model", "twice"},
		{chatPath, `{"Model":"m"}`, "model", "spelled"},
		{chatPath, `{"MODEL":"m","model":"n"}`, "model", "spelled"},
		{chatPath, `{"\u006dodel":"m"}`, "model", "spelled"},
		{chatPath, `{"model":"m","ſtream":true}`, "stream", "spelled"},
		{chatPath, `{"model":"m","\u017ftream":true}`, "stream", "spelled"},
		{chatPath, `{"model":"m","max_to\u212Aens":1}`, "max_tokens", "spelled"},
		{chatPath, `{"model":"m","stream":true,"stream":false}`, "stream", "twice"},
		{chatPath, `{"model":"m","stream":"true"}`, "stream", "true, false or null"},
		{chatPath, `{"model":"m","stream":1}`, "stream", "true, false or null"},
		{chatPath, `{"model":"m","max_tokens":-2}`, "max_tokens", "whole number"},
		{chatPath, `{"model":"m","max_tokens":1.5}`, "max_tokens", "whole number"},
		{chatPath, `{"model":"m","max_tokens":1e-3}`, "max_tokens", "whole number"},
		{chatPath, `{"model":"m","max_tokens":1e400}`, "max_tokens", "whole number"},
		{chatPath, `{"model":"m","max_tokens":4096.00000000000000000001}`, "max_tokens", "whole number"},
		{chatPath, `{"model":"m","max_tokens":true}`, "max_tokens", "whole number"},
		{chatPath, `{"model":"m","max_tokens":"5"}`, "max_tokens", "whole number"},
		{chatPath, `{"model":"m","max_tokens":9223372036854775808}`, "max_tokens", "whole number"},
		{chatPath, `{"model":"m","max_tokens":1,"max_tokens":1}`, "max_tokens", "twice"},
		{responsesPath, `{"model":"m","max_tokens":1,"max_tokens":1}`, "max_tokens", "twice"},
		{responsesPath, `{"model":"m","max_output_tokens":{}}`, "max_output_tokens", "whole number"},
		{chatPath, `{"model":"m","n":0}`, "n", "at least 1"},
		{chatPath, `{"model":"m","n":0.0}`, "n", "at least 1"},
		{chatPath, `{"model":"m","n":-1}`, "n", "at least 1"},
		{chatPath, `{"model":"m","n":1,"N":2}`, "n", "twice"},
		{chatPath, `{"model":"m","requestId":"a","request_id":"b"}`, "requestId", "twice"},
		{chatPath, `{"model":"m","prompt_cache_key":"a","prompt_cache_key":"b"}`, "prompt_cache_key", "twice"},
		{responsesPath, `{"model":"m","previous_response_id":7}`, "previous_response_id", "string"},
		{responsesPath, `{"model":"m","background":true}`, "background", "metered"},
		{responsesPath, `{"model":"m","background":"yes"}`, "background", "true, false or null"},
		{responsesPath, `{"model":"m","background":false,"background":true}`, "background", "twice"},
		{responsesPath, `{"model":"m","previous_response_id":"a","previous_response_id":"b"}`, "previous_response_id", "twice"},
		{messagesPath, `{"model":"m","thread":{"previous_message_id":"a","previous_message_id":"b"}}`, "thread", "twice"},
		{messagesPath, `{"model":"m","thread":{"previous_message_id":["a"]}}`, "thread.previous_message_id", "string"},
		{messagesPath, `{"model":"m","container":{"id":"a","ID":"b"}}`, "container", "twice"},
		{messagesPath, `{"model":"m","container":{"id":7}}`, "container.id", "string"},
		{responsesPath, `{"model":"m","tools":[` + strings.Repeat(`{"container":"a"},`, 9) + `{"container":"1"},{"container":"2"},{"container":"3"},{"container":"4"},{"container":"5"},{"container":"6"},{"container":"7"},{"container":"8"}]}`, "container", "at most 8"},
		{messagesPath, `{"model":"m","container":"a","Container":"b"}`, "container", "twice"},
		{messagesPath, `{"model":"m","thread":null,"thread":{"type":"create"}}`, "thread", "twice"},
		{chatPath, `{"model":"m","messages":[],"messages":[]}`, "messages", "twice"},
		{chatPath, `{"model":"m","messages":[],"Messages":[]}`, "messages", "twice"},
		{chatPath, `{"model":"m","messages":[],"meſſages":[]}`, "messages", "twice"},
		{chatPath, `{"model":"m","messages":[],"meſſages":[]}`, "messages", "twice"},
		{chatPath, `{"model":"m","tools":[],"to\u006fls":[{"type":"web_search"}]}`, "tools", "twice"},
		{messagesPath, `{"model":"m","system":"a","system":"b","messages":[]}`, "system", "twice"},
		{responsesPath, `{"model":"m","instructions":"a","input":"b","input":"c"}`, "input", "twice"},
		{responsesPath, `{"model":"m","conversation":"conv_1","conversation":null}`, "conversation", "twice"},
		{chatPath, "{\"model\":\"m\",\"mod\xffel\":\"n\"}", "", "not valid Unicode"},
		{chatPath, `{"model":"m","mod\ud800el":"n"}`, "", "not valid Unicode"},
		{chatPath, `{"model":"m","model\u0000":"n"}`, "", "NUL"},
	} {
		r, refusal := Lookup(test.path).Scan([]byte(test.body))
		if refusal == nil {
			t.Errorf("%.80s: taken: %+v", test.body, r)
			continue
		}
		if refusal.Param != test.param || !strings.Contains(refusal.Message, test.says) || refusal.Status != http.StatusBadRequest || !refusal.NoRetry {
			t.Errorf("%.80s: %d %q %q", test.body, refusal.Status, refusal.Param, refusal.Message)
		}
	}
}

// What a client put into a request never comes back in a refusal's words.
func TestScanRefusesWithoutTheValue(t *testing.T) {
	const secret = "hunter2"
	for _, body := range []string{
		`{"model":["` + secret + `"]}`,
		`{"model":"m","stream":"` + secret + `"}`,
		`{"model":"m","max_tokens":"` + secret + `"}`,
		`{"model":"m","` + secret + `":{"` + secret + `":1]}`,
		`{"model":"m","messages":"` + secret + `}`,
		`{"model":"m","` + secret + `\u0000":1}`,
		`{"model":"` + secret + `\ud800"}`,
	} {
		if _, refusal := Lookup(chatPath).Scan([]byte(body)); refusal == nil || strings.Contains(refusal.Message, secret) {
			t.Errorf("%s: %+v", body, refusal)
		}
	}
}

func TestScanDeep(t *testing.T) {
	for _, test := range []struct {
		depth int
		ok    bool
	}{{100, true}, {maxDepth, true}, {maxDepth + 1, false}, {5_000_000, false}} {
		for _, pair := range []string{"[]", "{}"} {
			body := `{"model":"m","x":` + strings.Repeat("[", test.depth) + strings.Repeat("]", test.depth) + `}`
			if pair == "{}" {
				body = `{"model":"m","x":` + strings.Repeat(`{"a":`, test.depth) + `1` + strings.Repeat("}", test.depth) + `}`
			}
			if _, refusal := Lookup(chatPath).Scan([]byte(body)); (refusal == nil) != test.ok {
				t.Errorf("%d levels of %s: %v", test.depth, pair, refusal)
			}
		}
	}
}

// FuzzScan holds the scanner against two other parsers: what it takes, they read alike, before and after a splice.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m"}`, `{"model":"a\u00e9\ud83d\ude00","stream":true,"messages":[{"role":"user","content":"x\"y"}]}`,
		`{"MODEL":"x","model":"y"}`, `{"mod\u0065l":"x"}`, "\xef\xbb\xbf{}", `{"model":"m","ſtream":1}`, `{"model":"m","x":[[[{}]]]}`,
		` { "n" : 2 , "model" : "m" , "max_tokens" : 7 } `, `{"model":"m","x":-1.5e+7,"y":null,"z":"\\"}`, `{"model":"m","":""}`,
		`{"model":"m","background":true,"requestId":"r"}`, `{"x":{"type":"base64","data":"AAAA"},"y":"data:a;base64,AA","model":"m"}`,
	} {
		for i := range []string{chatPath, responsesPath} {
			f.Add([]byte(seed), i == 0)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, chat bool) {
		path := responsesPath
		if chat {
			path = chatPath
		}
		r, refusal := Lookup(path).Scan(body)
		if refusal != nil {
			if refusal.Message == "" || refusal.Status != http.StatusBadRequest || r != nil {
				t.Fatalf("%+v %+v", r, refusal)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("taken, but not JSON")
		}
		if r.N < 1 || r.MaxOutput < 0 || r.PromptTokens < 0 || r.Model == "" {
			t.Fatalf("%+v", r)
		}
		agree := func(body []byte, model string) {
			t.Helper()
			var seen struct {
				Model  string `json:"model"`
				Stream *bool  `json:"stream"`
				ID     any    `json:"requestId"`
			}
			if err := json.Unmarshal(body, &seen); err != nil || seen.Model != model || (seen.Stream != nil && *seen.Stream) != r.Stream {
				t.Fatalf("encoding/json reads %+v (%v), want %q", seen, err, model)
			}
			if got := gjson.GetBytes(body, "model"); got.String() != model {
				t.Fatalf("gjson reads %q, want %q", got, model)
			}
		}
		agree(body, r.Model)
		var raw string
		if err := json.Unmarshal(body[r.ModelStart:r.ModelEnd], &raw); err != nil || raw != r.Model {
			t.Fatalf("the model's place holds %q (%v)", body[r.ModelStart:r.ModelEnd], err)
		}
		insert := ""
		if !r.HasRequestID {
			insert = `"requestId":"id",`
		}
		agree(fmt.Appendf(nil, `%s%s%s"spliced"%s`, body[:r.InsertAt], insert, body[r.InsertAt:r.ModelStart], body[r.ModelEnd:]), "spliced")
	})
}

func BenchmarkScan(b *testing.B) {
	turn := `{"role":"user","content":"How do I read a file?\n\n` + strings.Repeat(`The quick brown fox jumps over the lazy dog. `, 40) + `"},`
	for _, test := range []struct {
		name  string
		turns int
	}{{"small", 0}, {"1MiB", 1 << 20 / len(turn)}} {
		body := []byte(`{"model":"gpt-5","stream":true,"messages":[` + strings.Repeat(turn, test.turns) +
			`{"role":"user","content":"Hi"}],"temperature":0.7,"max_tokens":1000,"stream_options":{"include_usage":true}}`)
		b.Run(test.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, refusal := Lookup(chatPath).Scan(body); refusal != nil {
					b.Fatal(refusal)
				}
			}
		})
	}
}

func TestWithoutRequestID(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{"requestId":"r","model":"m"}`, `{"model":"m"}`},
		{`{ "requestId" : "r" , "model":"m"}`, `{  "model":"m"}`},
		{`{"model":"m","requestId":"r"}`, `{"model":"m"}`},
		{"{\"model\":\"m\" ,\n \"request_id\": 7 }", "{\"model\":\"m\"  }"},
		{`{"model":"m","requestId":null,"x":{"requestId":"stays"}}`, `{"model":"m","x":{"requestId":"stays"}}`},
		{`{"model":"m"}`, `{"model":"m"}`},
	} {
		r, refusal := Lookup(chatPath).Scan([]byte(c.body))
		if refusal != nil {
			t.Fatal(refusal)
		}
		got := c.body
		if edit, ok := r.WithoutRequestID([]byte(c.body)); ok {
			got = c.body[:edit.Start] + string(edit.Text) + c.body[edit.End:]
		}
		if got != c.want || !json.Valid([]byte(got)) {
			t.Errorf("%s: %s", c.body, got)
		}
	}
}
