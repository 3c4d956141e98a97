package dialect

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// event is one block of a stream.
type event struct{ name, data []byte }

// split cuts a stream into its events, as a client would: any line end, several data lines, no need of a last blank line.
func split(stream []byte) (events []event) {
	stream = bytes.TrimPrefix(stream, []byte("\xef\xbb\xbf"))
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(stream))
	for block := range strings.SplitSeq(text+"\n", "\n\n") {
		var e event
		var data []string
		for line := range strings.SplitSeq(block, "\n") {
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch field {
			case "event":
				e.name = []byte(value)
			case "data":
				data = append(data, value)
			}
		}
		if e.name != nil || data != nil {
			e.data = []byte(strings.Join(data, "\n"))
			events = append(events, e)
		}
	}
	return events
}

// state says in one line what a reader has come to.
func state(v *Events) string {
	var words []string
	for _, w := range []struct {
		is   bool
		word string
	}{{v.Content(), "content"}, {v.Ended(), "ended"}, {v.Whole(), "whole"}, {v.Failed(), "failed"}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	if f := v.Failure(); f != nil {
		words = append(words, fmt.Sprintf("{status %d type %q code %q client %v}", f.Status, f.Type, f.Code, f.ClientFault()))
	}
	if t, ok := v.Usage(); ok {
		words = append(words, fmt.Sprintf("{prompt %d completion %d read %d write %d}", t.Prompt, t.Completion, t.CacheRead, t.CacheWrite))
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, " ")
}

// TestStreams runs the scripts in testdata: what is known after each event of a stream. A script's command is "stream" with
// a path; with "oversized" each event is shown as one that is too long to be held, byte by byte.
func TestStreams(t *testing.T) {
	datadriven.Walk(t, "testdata/streams", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var path string
			d.ScanArgs(t, "path", &path)
			e := Lookup(path)
			if e == nil {
				t.Fatalf("no endpoint at %s", path)
			}
			v := e.Events()
			var out strings.Builder
			for _, ev := range split([]byte(d.Input)) {
				if d.HasArg("oversized") {
					v.Event(ev.name, nil, false)
					for i := range ev.data {
						v.Tail(ev.data[i : i+1])
					}
				} else {
					v.Event(ev.name, ev.data, true)
				}
				fmt.Fprintln(&out, state(v))
			}
			return out.String()
		})
	})
}
