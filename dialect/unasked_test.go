package dialect

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"
)

// TestNullUsage takes a usage that is null out of an event, which is then as it had been without.
func TestNullUsage(t *testing.T) {
	for data, want := range map[string]string{
		`{"id":"c","choices":[{"delta":{"content":"x"}}],"usage":null}`:             `{"id":"c","choices":[{"delta":{"content":"x"}}]}`,
		`{"choices":[{"delta":{"content":"x"}}],"usage":null,"obfuscation":"a\"b"}`: `{"choices":[{"delta":{"content":"x"}}],"obfuscation":"a\"b"}`,
		` { "usage" : null , "choices" : [ ] } `:                                    ` { "choices" : [ ] } `,
		`{"choices": [], "usage": null}`:                                            `{"choices": []}`,
		`{"choices": [] , "usage": null }`:                                          `{"choices": []  }`,
		`{"usage":null}`:                                                            `{}`,
		`{"choices":[{"usage":null}],"usage":null,"x":{"usage":null}}`:              `{"choices":[{"usage":null}],"x":{"usage":null}}`,
		`{"choices":[{"delta":{"content":"\"usage\":null"}}]}`:                      "",
		`{"choices":[{"delta":{"content":"\"usage\":null"}}],"usage":null}`:         `{"choices":[{"delta":{"content":"\"usage\":null"}}]}`,
		`{"choices":[{"usage":null}]}`:                                              "",
		`{"x":["usage",null],"y":"usage"}`:                                          "",
		`{"usage":{"prompt_tokens":1}}`:                                             "",
		`{"usage":nullx}`:                                                           "",
		`{"usage":null`:                                                             "",
		`{"usage":null}{`:                                                           "",
		`{"usage":null,}`:                                                           "",
		`{"usage"`:                                                                  "",
		`{"usage":`:                                                                 "",
		`"usage":null}`:                                                             "",
		`[DONE]`:                                                                    "",
		``:                                                                          "",
	} {
		cut := nullUsage([]byte(data))
		got := data[:cut.start] + data[cut.end:]
		if want == "" && cut != (span{}) || want != "" && got != want {
			t.Errorf("of %s is left %s, want %s", data, got, want)
		}
	}
}

// FuzzNullUsage takes out of whatever is an object the member usage that is null, and nothing else.
func FuzzNullUsage(f *testing.F) {
	f.Add([]byte(`{"usage":null,"choices":[{"usage":null}],"usage" : null}`))
	f.Add([]byte(` {"a":"\"usage\":null","usage":null} `))
	f.Fuzz(func(t *testing.T, data []byte) {
		cut := nullUsage(data)
		if cut == (span{}) {
			return
		}
		var with, without map[string]any
		rest := append(append([]byte{}, data[:cut.start]...), data[cut.end:]...)
		if json.Unmarshal(data, &with) != nil {
			return
		}
		if err := json.Unmarshal(rest, &without); err != nil {
			t.Fatalf("of %q is left %q: %v", data, rest, err)
		}
		for _, o := range []map[string]any{with, without} { // one that is there twice stays once
			maps.DeleteFunc(o, func(key string, value any) bool { return key == "usage" })
		}
		if !reflect.DeepEqual(with, without) {
			t.Fatalf("of %q is left %q", data, rest)
		}
	})
}
