package dialect

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"hash/maphash"
	"strings"
	"testing"
)

// opens gives the hash of a conversation's opening, "-" when there is none.
func opens(t testing.TB, path, body string) string {
	t.Helper()
	e := Lookup(path)
	r, refusal := e.Scan([]byte(body))
	if refusal != nil {
		t.Fatalf("%.100s: %s", body, refusal.Message)
	}
	h := sha256.New()
	if !e.Opening(r, []byte(body), h) {
		if !bytes.Equal(h.Sum(nil), sha256.New().Sum(nil)) {
			t.Errorf("%.100s: something was fed, but nothing told", body)
		}
		return "-"
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// turn writes the request of a conversation's nth turn.
type turn func(system, first string, n int) string

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func history(n int, user, assistant string) string {
	var b strings.Builder
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, ","+assistant+","+user, quote(fmt.Sprint("answer ", i)), quote(fmt.Sprint("question ", i+1)))
	}
	return b.String()
}

var conversations = map[string]struct {
	path string
	turn turn
}{
	"chat": {chatPath, func(system, first string, n int) string {
		return fmt.Sprintf(`{"model":"m","messages":[{"role":"system","content":%s},{"role":"user","content":%s}%s],"stream":true}`, quote(system), quote(first),
			history(n, `{"role":"user","content":%[2]s}`, `{"role":"assistant","content":%[1]s}`))
	}},
	"chat in parts": {chatPath, func(system, first string, n int) string {
		return fmt.Sprintf(`{"messages":[{"content":[{"text":%s,"type":"text"}],"role":"developer"},{"role":"user","content":[{"type":"text","text":%s}],"name":"n%d"}%s],"model":"m"}`,
			quote(system), quote(first), n, history(n, `{"role":"user","content":%[2]s}`, `{"role":"assistant","content":%[1]s}`))
	}},
	"messages": {messagesPath, func(system, first string, n int) string {
		return fmt.Sprintf(`{"model":"m","max_tokens":5,"system":%s,"messages":[{"role":"user","content":%s}%s]}`, quote(system), quote(first),
			history(n, `{"role":"user","content":%[2]s}`, `{"role":"assistant","content":%[1]s}`))
	}},
	"messages in blocks, the marker moves": {messagesPath, func(system, first string, n int) string {
		marker := [2]string{`,"cache_control":{"type":"ephemeral","ttl":"1h"}`, ""}
		return fmt.Sprintf(`{"messages":[{"role":"user","content":[{"type":"text","text":%s%s}]}%s],"model":"m","system":[{"type":"text","text":%s%s}]}`,
			quote(first), marker[n%2], history(n, `{"role":"user","content":%[2]s}`, `{"role":"assistant","content":%[1]s}`), quote(system), marker[(n+1)%2])
	}},
	"messages with an attribution": {messagesPath, func(system, first string, n int) string {
		return fmt.Sprintf(`{"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2; cch=%05x;"},{"type":"text","text":%s}],"messages":[{"role":"user","content":%s}%s],"model":"m"}`,
			n*12345, quote(system), quote(first), history(n, `{"role":"user","content":%[2]s}`, `{"role":"assistant","content":%[1]s}`))
	}},
	"messages with an attribution as a line": {messagesPath, func(system, first string, n int) string {
		return fmt.Sprintf(`{"system":%s,"messages":[{"role":"user","content":%s}%s],"model":"m"}`,
			quote(fmt.Sprintf("x-anthropic-billing-header: cch=%05x;\n%s", n, system)), quote(first),
			history(n, `{"role":"user","content":%[2]s}`, `{"role":"assistant","content":%[1]s}`))
	}},
	"responses": {responsesPath, func(system, first string, n int) string {
		if n == 1 {
			return fmt.Sprintf(`{"model":"m","instructions":%s,"input":%s}`, quote(system), quote(first))
		}
		return fmt.Sprintf(`{"model":"m","instructions":%s,"input":[{"type":"message","role":"user","id":"msg_%d","content":[{"type":"input_text","text":%s}]}%s]}`,
			quote(system), n, quote(first), history(n, `{"role":"user","content":%[2]s}`,
				`{"type":"reasoning","summary":[]},{"type":"function_call","name":"f"},{"role":"assistant","content":[{"type":"output_text","text":%[1]s}]}`))
	}},
	"responses, a system item": {responsesPath, func(system, first string, n int) string {
		return fmt.Sprintf(`{ "input" : [ { "role" : "developer" , "content" : %s } , { "role" : "user", "content" : %s } %s ] , "model" : "m" }`,
			quote(system), quote(first), history(n, `{"role":"user","content":%[2]s}`, `{"role":"assistant","content":%[1]s}`))
	}},
}

func TestOpening(t *testing.T) {
	const system, first = "You are a \"helper\".\nBe brief. \u2028é😀<b>", "How do I\tread a file?"
	for name, c := range conversations {
		want := opens(t, c.path, c.turn(system, first, 1))
		if want == "-" {
			t.Errorf("%s: no opening", name)
		}
		for n := 2; n <= 8; n++ {
			if got := opens(t, c.path, c.turn(system, first, n)); got != want {
				t.Errorf("%s: turn %d is another conversation", name, n)
			}
		}
		for n := 1; n <= 8; n++ {
			for _, other := range [][2]string{{system, first + "!"}, {system + "!", first}, {"", first}, {system, ""}, {first, system}, {system + first, ""}, {"", system + first}} {
				if opens(t, c.path, c.turn(other[0], other[1], n)) == want {
					t.Errorf("%s: %q is the same conversation", name, other)
				}
			}
		}
		// All that an API has to say the same with is the same.
		for other, d := range conversations {
			if opens(t, d.path, d.turn(system, first, 3)) != want {
				t.Errorf("%s and %s differ", name, other)
			}
		}
	}
}

// TestOpeningForm holds requests against each other: those in a group are one conversation, and each group another.
func TestOpeningForm(t *testing.T) {
	image := strings.Repeat("iVBORw0KGgo/", 2000)
	for path, groups := range map[string][][]string{
		chatPath: {
			{
				`"messages":[{"role":"user","content":"aé😀\n"}]`, `"messages":[{"role":"user","content":"\u0061\u00e9\ud83d\ude00\u000a"}]`,
				`"messages" : [ { "content" : [ "aé😀\n" ], "role":"user" } ]`, `"messages":[{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"aé😀\n"}]}]`,
				`"messages":[{"role":"assistant","content":"Hi"},{"role":"user","content":"aé😀\n"},{"role":"system","content":"late"}]`,
			},
			{`"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]`},
			{`"messages":[{"role":"user","content":"ab"}]`},
			{`"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}]`, `"messages":[{"role":"developer","content":"a"},{"role":"user","content":"b"}]`},
			{`"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]`, `"messages":[{"role":"user","content":"a"}]`},
			{`"messages":[{"role":"system","content":"a"}]`, `"messages":[{"role":"system","content":"a"},{"role":"user","content":null}]`},
			{
				`"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + image + `","detail":"low"}}]}]`,
				`"messages":[{"role":"user","content":[{"type":"text","text":"a","id":"1"},{"image_url":{"detail":"high","url":"data:image\/png;base64,` + image + `"},"id":7,"type":"image_url"}]}]`,
			},
			{`"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/gif;base64,` + image + `"}}]}]`},
			{
				`"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"wav","data":"AAAA"}}]}]`,
				`"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}]`,
			},
			{`"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f1"}}]}]`},
			{`"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f2"}}]}]`},
			{`"messages":[{"role":"user","content":"\ud83d"}]`, `"messages":[{"role":"user","content":"\ud83d"}]`, `"messages":[{"role":"user","content":"\ufffd"}]`},
			{`"messages":[{"role":"user","content":"\ud83d\n"}]`, `"messages":[{"role":"user","content":"\udc00\n"}]`},
		},
		messagesPath: {
			{
				`"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + image + `"}},{"type":"text","text":"a"}]}]`,
				`"messages":[{"content":[{"source":{"data":"` + image + `","type":"base64","media_type":"image/png"},"type":"image","cache_control":{"type":"ephemeral"}},{"type":"text","text":"a"}],"role":"user"}],"system":"s"`,
				`"system":["s"],"messages":[{"role":"user","content":[{"type":"image","source":{"data":"` + image + `"}},"a"]}]`,
			},
			{`"system":"s","messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://a.example/1.png"}},{"type":"text","text":"a"}]}]`},
			{`"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]`},
			{`"system":"s"`, `"system":"s","messages":[]`, `"system":"s","messages":{}`, `"system":"s","messages":[1,[2],null]`},
		},
		responsesPath: {
			{`"instructions":null,"input":"a"`, `"input":[{"role":"user","content":"a"}]`, `"input":[{"type":"item_reference","id":"x"},{"role":"user","content":"a"}]`},
			{`"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://a.example/1.png","detail":"auto"}]}]`},
			{`"input":[{"role":"user","content":[{"type":"input_file","filename":"f","file_data":"data:a;base64,AAAA"}]}]`},
		},
		"/v1/completions": {
			{`"prompt":"abc"`, `"prompt":["abc","d"]`, `"prompt":["\u0061bc"]`},
			{`"prompt":"abcd"`},
			{`"prompt":[1,2,3]`, `"prompt":[ 1, 2,  3 ]`},
			{`"prompt":[[1,2],[3]]`},
			{`"prompt":"` + strings.Repeat("a", maxPrompt) + `"`, `"prompt":"` + strings.Repeat("a", maxPrompt) + `b"`, `"prompt":"` + strings.Repeat(`\u0061`, maxPrompt) + `c"`},
			{`"prompt":[` + strings.Repeat("1,", maxPrompt) + `2]`, `"prompt":[` + strings.Repeat("1, ", maxPrompt) + `3]`},
		},
	} {
		seen := make(map[string]string)
		for _, group := range groups {
			want := opens(t, path, `{"model":"m",`+group[0]+`}`)
			if want == "-" {
				t.Errorf("%.100s has no opening", group[0])
			}
			for _, same := range group {
				if opens(t, path, `{`+same+`,"model":"m"}`) != want {
					t.Errorf("%.200s\nis another conversation than\n%.200s", same, group[0])
				}
			}
			if other, ok := seen[want]; ok {
				t.Errorf("%.200s\nis the same conversation as\n%.200s", group[0], other)
			}
			seen[want] = group[0]
		}
	}
}

func TestNoOpening(t *testing.T) {
	for path, bodies := range map[string][]string{
		chatPath: {
			`"x":1`, `"messages":[]`, `"messages":null`, `"messages":""`, `"messages":{"role":"user","content":"a"}`, `"messages":[[{"role":"user","content":"a"}]]`,
			`"messages":[{"role":"user","content":[]}]`, `"messages":[{"role":"user","content":7},{"role":"user","content":"a"}]`, `"":[{"role":"user","content":"a"}],"system":"s"`,
			`"messages":[{"role":"user","content":{"type":"text","text":"a"}}]`, `"Messages":[{"role":"user","content":"a"}]`,
		},
		responsesPath:               {`"input":[],"previous_response_id":"r"`, `"input":[{"type":"function_call_output","output":"x"}]`},
		"/v1/completions":           {`"prompt":[]`, `"prompt":""`, `"prompt":null`, `"prompt":7`, `"prompt":{"a":1}`, `"prompt":[""]`},
		"/v1/embeddings":            {`"input":"a","messages":[{"role":"user","content":"a"}],"prompt":"a","":"a"`},
		"/v1/messages/count_tokens": {`"messages":[]`},
	} {
		for _, body := range bodies {
			if got := opens(t, path, `{"model":"m",`+body+`}`); got != "-" {
				t.Errorf("%s %s has an opening", path, body)
			}
		}
	}
}

// A long system text leaves room for the first message, and what is beyond the bounds makes no difference.
func TestOpeningBounds(t *testing.T) {
	body := func(system, first string) string {
		return `{"model":"m","system":"` + system + `","messages":[{"role":"user","content":"` + first + `"}]}`
	}
	long, line := strings.Repeat("s", maxSystemText), strings.Repeat("u", maxFirstText)
	want := opens(t, messagesPath, body(long, line))
	for _, same := range []string{
		body(long+"x", line), body(long, line+"x"), body(strings.Repeat(`\u0073`, maxSystemText)+`\n`, line), body(long, strings.Repeat(`\u0075`, maxFirstText)+`\\`),
		`{"model":"m","system":[{"type":"text","text":"` + long + `"},{"type":"text","text":"x"},{"type":"image","source":{"data":"x"}}],"messages":[{"role":"user","content":"` + line + `"}]}`,
	} {
		if opens(t, messagesPath, same) != want {
			t.Errorf("%.60s…%s: another conversation", same, same[len(same)-60:])
		}
	}
	for _, other := range []string{body(long[1:]+"x", line), body(long, line[1:]+"x"), body(long, "hello"), body(long[1:], line)} {
		if opens(t, messagesPath, other) == want {
			t.Errorf("%.60s…%s: the same conversation", other, other[len(other)-60:])
		}
	}

	// The bound may fall into the middle of a character, however it is spelled.
	for _, char := range [][2]string{{"é", `\u00e9`}, {"😀", `\ud83d\ude00`}} {
		for pad := range 4 {
			start := strings.Repeat("u", maxFirstText-pad)
			if opens(t, messagesPath, body("s", start+char[0]+"x")) != opens(t, messagesPath, body("s", start+char[1]+"x")) {
				t.Errorf("%d bytes before the bound, %s and %s differ", pad, char[0], char[1])
			}
		}
	}
}

func TestOpeningDeep(t *testing.T) {
	deep := strings.Repeat(`{"source":[`, maxDepth/2-3) + strings.Repeat(`]}`, maxDepth/2-3)
	want := opens(t, chatPath, `{"model":"m","messages":[{"role":"user","content":"a"}]}`)
	if got := opens(t, chatPath, `{"model":"m","messages":[{"role":"assistant","content":`+deep+`},{"role":"user","x":`+deep+`,"content":[{"type":"text","x":`+deep+`,"text":"a"}]}]}`); got != want {
		t.Error("deep nesting makes a difference")
	}
}

func TestOpeningTakesLittleMemory(t *testing.T) {
	e := Lookup(messagesPath)
	body := []byte(longConversation)
	r, refusal := e.Scan(body)
	if refusal != nil {
		t.Fatal(refusal)
	}
	h := sha256.New()
	if n := testing.AllocsPerRun(100, func() { e.Opening(r, body, h) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// longConversation is 1 MiB of a coding agent's work, its system text and first message as long as they come.
var longConversation = func() string {
	text := strings.Repeat(`Run \"go test ./...\" and read what it says.\n\tfunc main() { fmt.Println(1 \u003c 2) }\n`, 400)
	entry := `{"role":"assistant","content":[{"type":"text","text":"` + text + `"}]},{"role":"user","content":[{"type":"tool_result","content":"` + text + `"}]},`
	return `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"` + text + `"}]},` +
		strings.Repeat(entry, 1<<20/len(entry)) + `{"role":"user","content":"Hi"}],"system":[{"type":"text","text":"` + text + text + `","cache_control":{"type":"ephemeral"}}]}`
}()

func BenchmarkOpening(b *testing.B) {
	image := `{"role":"user","content":[{"type":"text","text":"Look"},{"type":"image","source":{"type":"base64","data":"` + strings.Repeat("iVBORw0K", 1<<17) + `"}}]}`
	for _, test := range []struct{ name, body string }{
		{"small", `{"model":"m","system":"You are a helper.","messages":[{"role":"user","content":"Hi"}]}`},
		{"1MiB", longConversation},
		{"1MiBImage", `{"model":"m","system":"You are a helper.","messages":[` + image + `]}`},
	} {
		for name, h := range map[string]hash.Hash{"sha256": sha256.New(), "maphash": new(maphash.Hash)} {
			b.Run(test.name+"/"+name, func(b *testing.B) {
				e, body := Lookup(messagesPath), []byte(test.body)
				r, refusal := e.Scan(body)
				if refusal != nil {
					b.Fatal(refusal)
				}
				b.ReportAllocs()
				for b.Loop() {
					h.Reset()
					e.Opening(r, body, h)
				}
			})
		}
	}
}

// FuzzOpening shows any body that is taken, in each API: nothing panics, and the same request in another spelling, or
// with another turn after it, is the same conversation.
func FuzzOpening(f *testing.F) {
	for _, c := range conversations {
		f.Add(c.turn("s\n", "é\"", 2))
	}
	f.Add(`{"model":"m","prompt":[1,2]}`)
	f.Add(`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"\ud83d\ude00"}},"\ud83d"]}]}`)
	f.Add(`{"model":"m","input":[{"role":"system","content":[[{}]]},{"role":"user"}],"messages":{"role":"user"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		for path, e := range endpoints {
			r, refusal := e.Scan([]byte(body))
			if refusal != nil {
				continue
			}
			want := opens(t, path, body)
			if r.turns.end > 0 && body[r.turns.start] == '[' && e.Protocol != Completions {
				// It ends at the first user's message, so one more there is too late where there was one.
				list := body[r.turns.start : r.turns.end-1]
				if strings.Count(list, `"user"`) == 1 && strings.Contains(list, `{"role":"user","content":"`) {
					more := body[:r.turns.end-1] + `,{"role":"user","content":"more"}` + body[r.turns.end-1:]
					if opens(t, path, more) != want && !nested(list) {
						t.Fatalf("%s: another turn, another conversation: %q", path, body)
					}
				}
			}
			again := []byte(rewritten(t, body))
			if _, refusal := e.Scan(again); refusal == nil && opens(t, path, string(again)) != want {
				t.Fatalf("%s: %q and %q differ", path, body, again)
			}
		}
	})
}

// nested tells whether the list may have its one user's message deeper than at its top.
func nested(list string) bool {
	found := false
	each([]byte(list+"]"), func(value []byte) {
		found = found || strings.HasPrefix(string(value), `{"role":"user","content":"`)
	})
	return !found
}

// rewritten gives a body without its spacing and with other escapes.
func rewritten(t *testing.T, body string) string {
	var compact, escaped bytes.Buffer
	if err := json.Compact(&compact, []byte(body)); err != nil {
		t.Fatal(err)
	}
	json.HTMLEscape(&escaped, compact.Bytes())
	return escaped.String()
}

// TestOpeningOfLongText: a text whose end is not looked for is hashed as the same text in a list of parts.
func TestOpeningOfLongText(t *testing.T) {
	for _, unit := range []string{"a", `\"`, `\\`, `\u0041`, `\ud83d\ude00`, "é"} {
		for shift := range 13 {
			for _, size := range []int{10, maxFirstText - 1, maxFirstText + 1, 7 * maxFirstText} {
				text := `"` + strings.Repeat("x", shift) + strings.Repeat(unit, size) + `"`
				alone := opens(t, chatPath, `{"model":"m","messages":[{"role":"user","content":`+text+`}]}`)
				part := opens(t, chatPath, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":`+text+`}]}]}`)
				if alone != part {
					t.Fatalf("%d times %q after %d: another conversation than as a part", size, unit, shift)
				}
			}
		}
	}
}
