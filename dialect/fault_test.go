package dialect

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFault(t *testing.T) {
	const compact, count, embed, text = "/v1/responses/compact", "/v1/messages/count_tokens", "/v1/embeddings", "/v1/completions"
	for _, test := range []struct{ path, body, want string }{
		{chatPath, "", faultEmpty},
		{chatPath, " \r\n", faultEmpty},
		{chatPath, "<!DOCTYPE html><html>", faultPage},
		{chatPath, "\ufeff <html>", faultPage},
		{chatPath, "Bad Gateway", faultNoObject},
		{chatPath, "null", faultNoObject},
		{chatPath, `[{"choices":[]}]`, faultNoObject},
		{chatPath, `{"choices":[{"message":{"content":"Hi"`, faultNoObject},
		{chatPath, `{"choices":[{"message":{"content":"Hi"}}]}{}`, faultNoObject},
		{chatPath, `{}`, faultNothing},
		{chatPath, `{"choices":[]}`, faultNothing},
		{chatPath, `{"choices":null}`, faultNothing},
		{chatPath, `{"choices":[{}]}`, faultNothing},
		{chatPath, `{"choices":[null]}`, faultNothing},
		{chatPath, `{"choices":[{"message":{"role":"assistant","content":""},"finish_reason":null}]}`, faultNothing},
		{chatPath, `{"error":{"message":"m"}}`, faultError},
		{chatPath, `{"error":"m","choices":[{"message":{"content":"Hi"}}]}`, faultError},
		{chatPath, `{"object":"error","message":"m"}`, faultError},
		{chatPath, `{"choices":[{"message":{"content":""},"finish_reason":"error"}]}`, faultNothing},
		{chatPath, `{"choices":[{"message":{"content":""},"finish_reason":"stop","error":{"code":502}}]}`, faultNothing},
		{chatPath, `{"data":[1]}`, faultNothing},
		{chatPath, `{"error":null,"choices":[{"message":{"role":"assistant","content":"Hi"}}]}`, ""},
		{chatPath, `{"choices":[{"message":{"role":"assistant","content":null},"finish_reason":"content_filter"}]}`, ""},
		{chatPath, `{"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"length"}]}`, ""},
		{chatPath, `{"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"stop"}]}`, ""},
		{chatPath, `{"choices":[{"message":{"role":"assistant","content":null,"refusal":"No"}}]}`, ""},
		{chatPath, `{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"t"}]},"finish_reason":"tool_calls"}]}`, ""},
		{chatPath, `{"choices":[{},{"message":{"content":"Hi"}}]}`, ""},
		{text, `{"choices":[{"text":""}]}`, faultNothing},
		{text, `{"choices":[{"text":"","finish_reason":"length"}]}`, ""},
		{text, `{"choices":[{"text":"Hi"}]}`, ""},
		{responsesPath, `{"id":"r","status":"failed","error":{"code":"server_error"},"output":[]}`, faultFailed},
		{responsesPath, `{"id":"r","status":"cancelled","output":[]}`, faultFailed},
		{responsesPath, `{"id":"r","status":"completed"}`, faultNothing},
		{responsesPath, `{"id":"r","status":"completed","output":null}`, faultNothing},
		{responsesPath, `{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"error":null,"output":[]}`, ""},
		{responsesPath, `{"id":"r","status":"completed","output":[{"type":"message"}]}`, ""},
		{responsesPath, `{"choices":[{"message":{"content":"Hi"}}]}`, ""},
		{compact, `{"object":"response.compaction","output":[{"type":"compaction"}]}`, ""},
		{compact, `{}`, faultNothing},
		{messagesPath, `{"type":"error","error":{"type":"overloaded_error","message":"m"}}`, faultError},
		{messagesPath, `{"type":"message","content":[],"stop_reason":null}`, faultNothing},
		{messagesPath, `{"type":"message","stop_reason":"end_turn"}`, faultNothing},
		{messagesPath, `{"type":"message","content":[],"stop_reason":"refusal"}`, ""},
		{messagesPath, `{"type":"message","content":[],"stop_reason":"max_tokens"}`, ""},
		{messagesPath, `{"type":"message","content":[{"type":"text","text":"Hi"}]}`, ""},
		{count, `{"input_tokens":0}`, ""},
		{count, `{"input_tokens":12.0}`, ""},
		{count, `{"input_tokens":"x"}`, faultNothing},
		{count, `{}`, faultNothing},
		{embed, `{"data":[{"embedding":[0.1]}]}`, ""},
		{embed, `{"data":[{"embedding":"AAAA"}]}`, ""},
		{embed, `{"data":[]}`, faultNothing},
		{embed, `{"data":[{}]}`, faultNothing},
	} {
		if got := Lookup(test.path).Fault([]byte(test.body)); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.path, test.body, got, test.want)
		}
	}
}

// Every whole answer that was recorded is one, and no error is, whatever its status.
func TestFaultOfRecordings(t *testing.T) {
	const dir = "../../shared/fixtures/json/"
	files, _ := filepath.Glob(dir + "*.json")
	if len(files) == 0 {
		t.Skip("no recordings here")
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		kind, _, _ := strings.Cut(name, "-")
		path := map[string]string{
			"chat": chatPath, "responses": responsesPath, "messages": messagesPath, "embeddings": "/v1/embeddings", "count": "/v1/messages/count_tokens",
		}[kind]
		switch {
		case kind == "err":
			for _, path := range []string{chatPath, responsesPath, messagesPath, "/v1/embeddings", "/v1/messages/count_tokens"} {
				if Lookup(path).Fault(body) == "" {
					t.Errorf("%s is an answer of %s", name, path)
				}
			}
		case path != "":
			if got := Lookup(path).Fault(body); got != "" {
				t.Errorf("%s: %s", name, got)
			}
			if got := Lookup(path).Fault(body[:len(body)/2]); got != faultNoObject {
				t.Errorf("half of %s: %q", name, got)
			}
		}
	}
}

func TestWrongSeller(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   bool
	}{
		{400, `{"error":{"message":"The encrypted content gAAA...DQ== could not be verified.","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}`, true},
		{400, `{"error":{"message":"The encrypted content for item rs_0 could not be verified. Reason: Encrypted content could not be decrypted or parsed.","code":null}}`, true},
		{400, `{"error":{"message":"reasoning 'encrypted_content' was not issued to this caller"}}`, true},
		{400, `{"code":"Client specified an invalid argument","error":"x","message":"Could not decrypt the provided encrypted_content."}`, true},
		{400, `{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid ` + "`signature` in `thinking`" + ` block"}}`, true},
		{400, `{"error":{"code":400,"message":"{\"type\":\"error\",\"error\":{\"message\":\"messages.3.content.13: Invalid signature in thinking block\"}}","status":"INVALID_ARGUMENT"}}`, true},
		{400, `{"error":{"message":"Previous response with id 'resp_1' not found.","code":"previous_response_not_found"}}`, true},
		{404, `{"error":{"message":"Item with id 'rs_1' not found. Items are not persisted when store is set to false.","param":"input"}}`, true},
		{500, `{"error":{"code":"invalid_encrypted_content"}}`, false},
		{400, `{"error":{"message":"max_tokens is too large","type":"invalid_request_error"}}`, false},
		{404, `{"error":{"message":"The model gpt-x does not exist","code":"model_not_found"}}`, false},
		{400, `{"error":{"message":"Invalid value: thinking","type":"invalid_request_error"}}`, false},
		{400, `{"error":{"code":"invalid_encrypted_content","message":"x","type":"invalid_request_error"}}`, true},
		{400, `{"error":{"message":"The encrypted content gAAAA could not be verified. Reason: Encrypted content could not be decrypted or parsed.","code":null}}`, true},
		{400, `{"error":{"message":"Previous response with id 'resp_1' not found.","code":"previous_response_not_found","param":"previous_response_id"}}`, true},
		{404, `{"error":{"message":"Item with id 'rs_1' not found. Items are not persisted when store is set to false."}}`, true},
		{400, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"messages.1.content.0: Invalid `signature` in `thinking` block\"}}", true},
		{422, `{"error":{"message":"Corrupted thought signature."}}`, true},
		{400, `{"response":{"error":{"code":"invalid_encrypted_content"}}}`, true},
		{400, `{"error":{"message":"thinking is not supported"}}`, false},
		{400, `{"error":{"message":"invalid signature of the request"}}`, false},
		{400, `{"error":{"message":"max_tokens is too large"},"prompt":"the encrypted content could not be decrypted"}`, false},
		{400, `{"error":{"message":"include: encrypted_content is not supported"}}`, false},
		{404, `{"error":{"message":"model: x","type":"not_found_error"}}`, false},
		{200, `{"error":{"code":"invalid_encrypted_content"}}`, false},
		{400, strings.Repeat("[", 60_000), false},
		{400, ``, false},
	} {
		if got := WrongSeller(test.status, []byte(test.body)); got != test.want {
			t.Errorf("%d %s: %v", test.status, test.body, got)
		}
	}
	v := Lookup(responsesPath).Events()
	v.Event([]byte("error"), []byte(`{"type":"error","error":{"type":"invalid_request_error","code":"invalid_encrypted_content","message":"m"}}`), true)
	if f := v.Failure(); !f.WrongSeller() {
		t.Errorf("%+v", f)
	}
}

func TestNamesStreamOptions(t *testing.T) {
	const body = `{"detail":[{"loc":["body","stream_options"],"msg":"extra fields not permitted"}]}`
	for _, test := range []struct {
		status int
		body   string
		want   bool
	}{{400, body, true}, {422, body, true}, {500, body, false}, {400, `{"error":{"message":"Unknown field include_usage"}}`, true}, {400, `{}`, false}} {
		if got := NamesStreamOptions(test.status, []byte(test.body)); got != test.want {
			t.Errorf("%d %s: %v", test.status, test.body, got)
		}
	}
}

func TestTakeOut(t *testing.T) {
	const secret = "sk-secret-1"
	h := http.Header{
		"Openai-Account": {"a", "of " + secret}, "Cf-Ray": {`\u0073k-secret-1`}, "Openai-Version": {"sk-secret", "\\"}, "X-Own": {secret}, "X-None": nil,
	}
	TakeOut(h, []string{"", "short", secret}, func(name, text string) bool { return name == "X-Own" && text == secret })
	if len(h) != 3 || h["Openai-Version"] == nil || h["X-Own"] == nil {
		t.Error(h)
	}
}

func TestHolds(t *testing.T) {
	const secret = "sk-abc/def+12345"
	for body, want := range map[string]bool{
		`{"error":"bad key sk-abc/def+12345"}`:                true,
		`{"error":"bad key sk-abc\/def+12345"}`:               true,
		`{"error":"bad key \u0073k-abc\u002fdef\u002b12345"}`: true,
		`<p>sk-abc/def+12345`:                                 true,
		`{"error":"bad key sk-abc"}`:                          false,
		``:                                                    false,
		`\`:                                                   false,
		strings.Repeat(`\u`, 5):                               false,
	} {
		if got := Holds([]byte(body), "", "short", secret); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	if Holds([]byte("short"), "short", "") {
		t.Error("a short word is no secret")
	}
}

func TestModelNotFoundWithoutACode(t *testing.T) {
	for body, want := range map[string]bool{
		`{"error":{"message":"model 'x' not found","type":"not_found_error","param":null,"code":null}}`: true,
		`{"error":{"message":"model \"x\" not found, try pulling it first","type":"not_found_error"}}`:  true,
		`{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}`:               true,
		`{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}`:                     false,
		`{"error":{"message":"model 'x' not found","type":"invalid_request_error"}}`:                    false,
	} {
		if got := SaysModelNotFound(404, []byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}

// FuzzFault shows answers: judged twice they are the same, no error passes, and a cut one never does.
func FuzzFault(f *testing.F) {
	for i, body := range []string{
		`{"choices":[{"message":{"content":"Hi"}}]}`, `{"output":[],"status":"completed"}`, `{"content":[],"stop_reason":"x"}`, `{"data":[{"embedding":[1]}]}`,
		`{"input_tokens":1}`, `{"error":{}}`, `{"error":{"a":1},"choices":[{"text":"x"}]}`,
	} {
		f.Add([]byte(body), uint8(i), uint16(5))
	}
	f.Fuzz(func(t *testing.T, body []byte, api uint8, cut uint16) {
		e := Lookup([]string{chatPath, responsesPath, messagesPath, "/v1/embeddings", "/v1/messages/count_tokens"}[api%5])
		if e.Fault(body) != "" {
			return
		}
		body = bytes.TrimSpace(body)
		if e.Fault(body[:int(cut)%len(body)]) == "" {
			t.Fatalf("%d bytes of %q are an answer", int(cut)%len(body), body)
		}
		if e.Fault(append([]byte(`{"error":{"message":"m"},`), bytes.TrimLeft(body, "\ufeff")[1:]...)) == "" {
			t.Fatalf("with an error %q is an answer", body)
		}
	})
}
