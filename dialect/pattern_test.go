package dialect

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// twins read one stream, one of them without patterns.
type twins struct {
	testing.TB
	quick, slow *Events
	matched     int
}

func newTwins(t testing.TB, path string) *twins {
	return &twins{TB: t, quick: Lookup(path).Events(), slow: Lookup(path).Events()}
}

// show shows both an event, and holds what they know of the stream against each other.
func (w *twins) show(name, data []byte) {
	w.Helper()
	if quick := *w.quick; quick.pattern.ready && quick.likeLast(name, data) {
		w.matched++
	}
	w.slow.pattern.ready = false
	w.quick.Event(name, slices.Clip(data), true)
	w.slow.Event(name, slices.Clip(data), true)
	a, b := *w.quick, *w.slow
	for _, v := range []*Events{&a, &b} {
		v.pattern, v.listener = pattern{}, seeker{}
	}
	if a.heard != b.heard || a.sequence != b.sequence || a.usage != b.usage || a.drop != b.drop || a.answers != b.answers ||
		a.finished != b.finished || a.searches != b.searches || a.responseID != b.responseID || state(&a) != state(&b) || a.Whole() != b.Whole() {
		w.Fatalf("after %q %q:\nwith a pattern    %+v\nwithout a pattern %+v", name, data, a, b)
	}
}

// put is data with an insert in the place of a part of it.
func put(data []byte, at, cut int, insert string) []byte {
	at = min(at, len(data))
	return slices.Concat(data[:at], []byte(insert), data[min(len(data), at+cut):])
}

// TestPattern: whatever is changed in an event, it is understood as it would be by itself.
func TestPattern(t *testing.T) {
	inserts := []string{
		"", "x", "1", `"`, `\"`, `\\`, `\\"`, `\`, `\n`, `\u00e9`, `\u00`, `\ud83d\ude00`, "\n", ",", ":", "{", "}", "[", "]", " ", `","error":"`, `"index":1`,
		`"finish_reason":"stop"`, `\"error`, "audio.delta", "é", `null`, `"},"usage":{"prompt_tokens":3,"completion_tokens":4},"x":{"`,
	}
	for path, event := range map[string]struct{ name, data string }{
		chatPath: benchEvents[chatPath], responsesPath: benchEvents[responsesPath], messagesPath: benchEvents[messagesPath],
		"/v1/completions": {"", `{"id":"c","choices":[{"text":" word","index":0,"logprobs":null,"finish_reason":null}],"model":"m"}`},
	} {
		name, data := []byte(event.name), []byte(event.data)
		w := newTwins(t, path)
		for range 3 {
			w.show(name, data)
		}
		if w.matched == 0 || !w.quick.pattern.ready {
			t.Errorf("%s: an event that comes again matches no pattern", path)
		}
		for at := range len(data) {
			for _, insert := range inserts {
				for _, cut := range []int{0, 1, len(insert)} {
					w := newTwins(t, path)
					w.show(name, data)
					w.show(name, data)
					w.show(name, put(data, at, cut, insert))
					w.show(name, put(data, at, cut, insert+insert))
					w.show(name, data)
				}
			}
		}
	}
}

// TestPatternWords: what differs from event to event is counted without a search.
func TestPatternWords(t *testing.T) {
	words := []string{" word", "", `\n`, ` \"quoted\"`, `\\`, `\u00e9\ud83d\ude00`, "long " + strings.Repeat("é", 1000), `a\\\"b`}
	for path, event := range benchEvents {
		w := newTwins(t, path)
		for _, word := range append([]string{" word", " word"}, words...) {
			for _, other := range []string{"17", "18"} {
				data := strings.Replace(event.data, " word", word, 1)
				data = strings.Replace(strings.Replace(data, ":17,", ":"+other+",", 1), "6PfkJQFAw", "N"+other, 1)
				w.show([]byte(event.name), []byte(data))
			}
		}
		if n := 2 * (len(words) + 1); w.matched < n {
			t.Errorf("%s: %d of %d events match the pattern", path, w.matched, n)
		}
	}
}

// TestPatternUnused: a stream whose events have no pattern is not searched for one at each of them.
func TestPatternUnused(t *testing.T) {
	w := newTwins(t, chatPath)
	learned := 0
	for i := range 100 {
		ready := w.quick.pattern.unused
		w.show(nil, []byte(`{"id":"`+strings.Repeat("x", i)+`","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}`))
		if w.quick.pattern.ready && w.quick.pattern.unused != ready {
			learned++
		}
	}
	if learned > 25 || w.matched > 0 {
		t.Errorf("%d patterns were made, and %d events matched", learned, w.matched)
	}
}

// FuzzPattern shows a stream whose events are changed a little to a reader with patterns and to one without: they come to know
// the same.
func FuzzPattern(f *testing.F) {
	paths := []string{chatPath, responsesPath, messagesPath, "/v1/completions"}
	for i, path := range paths {
		event := benchEvents[path]
		for _, insert := range []string{"", `\"`, `"`, `\u00e9`, `":1,"`, `","error":"`} {
			f.Add(uint8(i), uint16(strings.Index(event.data, "word")), uint8(1), insert, "x", []byte("event: "+event.name+"\ndata: "+event.data+"\n\n"))
		}
	}
	f.Fuzz(func(t *testing.T, api uint8, at uint16, cut uint8, insert, other string, stream []byte) {
		w := newTwins(t, paths[api%4])
		w.quick.content, w.slow.content = true, true
		for _, ev := range split(stream) {
			w.show(ev.name, ev.data)
			w.show(ev.name, ev.data)
			w.show(ev.name, put(ev.data, int(at), int(cut), insert))
			w.show(ev.name, put(ev.data, int(at), int(cut), other))
			w.show(ev.name, put(ev.data, int(at), 0, insert+other))
			w.show(bytes.ToUpper(ev.name), ev.data)
		}
	})
}
