package dialect

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestOversized shows a last event of 5 MiB in pieces of many sizes: its end and its usage are found, in little memory.
func TestOversized(t *testing.T) {
	text := strings.Repeat(`all work and no play \"usage\":{} `, 5<<20/34)
	for _, test := range []struct{ name, data string }{
		{"usage last", `{"type":"response.completed","response":{"output":[{"content":[{"text":"` + text + `"}]}],"usage":{"input_tokens":7,"output_tokens":5}}}`},
		{"usage first", `{"type":"response.completed","response":{"usage":{"input_tokens":7,"output_tokens":5},"output":[{"content":[{"text":"` + text + `"}]}]}}`},
		{"type last", `{"response":{"usage":{"input_tokens":7,"output_tokens":5},"x":"` + text + `"},"type":"response.completed"}`},
		{"in many values", `{"type":"response.completed","response":{"x":[` + strings.Repeat(`{"a":[1,2,{"usage":{"input_tokens":1}}]},`, 5<<20/42) +
			`0],"usage":{"input_tokens":7,"output_tokens":5}}}`},
	} {
		for _, step := range []int{1, 7, 4096, 1 << 20} {
			if step == 1 && testing.Short() {
				continue
			}
			v := Lookup(responsesPath).Events()
			const head = 1 << 20
			var before, after runtime.MemStats
			v.Event(nil, []byte(test.data[:head]), false)
			rest := []byte(test.data[head:])
			runtime.ReadMemStats(&before)
			for len(rest) > 1 {
				n := min(step, len(rest)-1)
				v.Tail(rest[:n])
				rest = rest[n:]
			}
			if v.Ended() {
				t.Fatalf("%s: ended before its last byte", test.name)
			}
			v.Tail(rest)
			runtime.ReadMemStats(&after)
			if got, ok := wholes(v.Usage()); !v.Ended() || !ok || got != (money.Tokens{Prompt: 7, Completion: 5}) {
				t.Errorf("%s, %d at a time: ended %v, usage %+v %v", test.name, step, v.Ended(), got, ok)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<16 {
				t.Errorf("%s, %d at a time: %d bytes taken", test.name, step, grown)
			}
			v.Tail([]byte("more")) // of no event
		}
	}
}

// A stream goes on after an event that was too long.
func TestAfterOversized(t *testing.T) {
	v := Lookup(responsesPath).Events()
	v.Event(nil, []byte(`{"type":"response.output_item.done","sequence_number":41,"item":{"x":"`), false)
	v.Tail([]byte(`aaa`)) // never closed
	v.Event([]byte("response.completed"), []byte(`{"type":"response.completed","response":{"usage":{"input_tokens":7,"output_tokens":5}}}`), true)
	if _, ok := wholes(v.Usage()); !v.Ended() || !ok {
		t.Error("the last event was not seen")
	}
	if !bytes.Contains(v.Break(false), []byte(`"sequence_number":42`)) {
		t.Errorf("%s", v.Break(false))
	}
}

func BenchmarkTail(b *testing.B) {
	v := Lookup(responsesPath).Events()
	v.Event([]byte("response.completed"), []byte(`{"type":"response.completed","response":{"output":["`), false)
	piece := bytes.Repeat([]byte(`all work and no play, `), 1500)
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	for b.Loop() {
		v.Tail(piece)
	}
}
