package dialect

import (
	"fmt"
	"strings"
	"testing"
)

func TestTerms(t *testing.T) {
	for _, test := range []struct{ members, want string }{
		{``, ``},
		{`"service_tier":"auto","speed":"standard","inference_geo":"global"`, ``},
		{`"service_tier":"def\u0061ult"`, ``},
		{`"service_tier":null,"provider":{}`, ``},
		{`"service_tier":"priority"`, `service_tier=priority`},
		{`"Service_Tier":"pri\u006frity"`, `service_tier=priority`},
		{`"service\u005ftier":"flex"`, `service_tier=flex`},
		{`"service_tier":7,"provider":{"order":["dear"]}`, `service_tier= provider=`},
		{`"speed":"fast","inference_geo":"us"`, `speed=fast inference_geo=us`},
		{`"extra_body":{"service_tier":"priority","audio":{"speed":1.5}}`, `service_tier=priority`},
		{`"extra_body":{"provider":{"only":["dear"]},"metadata":{"provider":"x"}}`, `provider=`},
		{`"providerOptions":{"openai":{"serviceTier":"priority"},"anthropic":{"speed":"fast"}}`, `service_tier=priority speed=fast`},
		{`"service_tier":"priority","SERVICE_TIER":"auto"`, `refused service_tier`},
		{ // what is not looked at must not be asked for
			`"provider":{"order":["dear"]},"extra_body":{"a":{"service_tier":"flex"},"b":{"service_tier":"batch"},"c":{"service_tier":"on_demand"},"d":{"service_tier":"\ud800"},` +
				`"e":{"speed":"\ud800"},"f":{"inference_geo":"\ud800"},"g":{"speed":"slow"}},"service_tier":"priority"`,
			`refused service_tier`,
		},
		{`"speed":null,"sp\u0065ed":"fast"`, `refused speed`},
		{`"inference_geo":"us","inference_geo":"us"`, `refused inference_geo`},
	} {
		body := `{"model":"m","messages":[]}`
		if test.members != "" {
			body = strings.Replace(body, "{", "{"+test.members+",", 1)
		}
		r, refusal := Lookup("/v1/chat/completions").Scan([]byte(body))
		var got []string
		if refusal != nil {
			got = append(got, "refused", refusal.Param)
		} else {
			for _, term := range r.Terms {
				got = append(got, term.Member+"="+term.Value)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", test.members, got, test.want)
		}
	}
}

// TestServed: an answer says on which terms it was served, in events of any size, and what it says last counts.
func TestServed(t *testing.T) {
	long := strings.Repeat("word ", 1000)
	for _, test := range []struct {
		path string
		data []string
		want Served
	}{
		{"/v1/chat/completions", []string{
			`{"service_tier":"default","choices":[{"index":0,"delta":{"content":"hi"}}]}`,
			`{"service_tier":"priority","choices":[{"index":0,"delta":{"content":"` + long + `"},"finish_reason":"stop"}]}`,
			`{"service_tier":null,"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}`,
		}, Served{Terms: [3]string{"priority"}}},
		{"/v1/chat/completions", []string{
			`{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}`,
			`{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"service_tier":"standard","speed":"fast"}}`,
		}, Served{Terms: [3]string{"standard", "fast"}}},
		{"/v1/responses", []string{
			`{"type":"response.created","response":{"id":"r","service_tier":"auto"}}`,
			`{"type":"response.completed","response":{"id":"r","service_tier":"priority","output":[{"type":"message","content":[{"type":"output_text","text":"` + long + `"}]}],"usage":{"input_tokens":1,"output_tokens":1}}}`,
		}, Served{Terms: [3]string{"priority"}}},
		{"/v1/chat/completions", []string{ // as some programs write every slash
			`{"model":"openai\/gpt-5","service_tier":"pr\u0069ority","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}`,
		}, Served{Model: "openai/gpt-5", Terms: [3]string{"priority"}}},
		{"/v1/responses", []string{`{"type":"response.created","response":{"id":"r","service_tier":"priority"}}`}, Served{}},
		{"/v1/messages", []string{
			`{"type":"message_start","message":{"model":"claude","usage":{"input_tokens":1,"service_tier":"standard","speed":"fast","inference_geo":"us"}}}`,
			`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}`,
		}, Served{Model: "claude", Terms: [3]string{"standard", "fast", "us"}}},
	} {
		for _, whole := range []bool{true, false} {
			v := Lookup(test.path).Events()
			for _, data := range test.data {
				if whole {
					v.Event(nil, []byte(data), true)
					continue
				}
				v.Event(nil, []byte(data)[:len(data)/2], false)
				v.Tail([]byte(data)[len(data)/2:])
			}
			if got := v.Usage().Served; got != test.want {
				t.Errorf("%s, whole %v: %q, want %q of %.60s", test.path, whole, got, test.want, fmt.Sprint(test.data))
			}
		}
	}
	for path, row := range map[string]struct {
		body string
		want Served
	}{
		"/v1/chat/completions": {`{"choices":[{"message":{"content":"x"}}],"service_tier":"flex","x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":1}}}`, Served{Terms: [3]string{"flex"}}},
		"/v1/responses":        {`{"service_tier":"default","model":"gpt-5-2025-08-07","output":[],"usage":{"input_tokens":1,"output_tokens":1}}`, Served{Model: "gpt-5-2025-08-07", Terms: [3]string{"default"}}},
		"/v1/messages":         {`{"model":"claude","content":[],"usage":{"input_tokens":1,"output_tokens":1,"speed":"fast"}}`, Served{Model: "claude", Terms: [3]string{"", "fast"}}},
	} {
		a := Lookup(path).Answer()
		_, _ = a.Write([]byte(row.body))
		if got := a.Usage().Served; got != row.want {
			t.Errorf("%s: %q, want %q", path, got, row.want)
		}
	}
}
