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
	if u := v.Usage(); u.Known&ClassWholes == ClassWholes {
		words = append(words, fmt.Sprintf("{prompt %d completion %d read %d write %d%s}", u.Prompt, u.Completion, u.CacheRead, u.CacheWrite, others(u)))
	} else if u.Known != 0 {
		words = append(words, fmt.Sprintf("{only%s%s}", named(u, classes[:4]), others(u)))
	}
	if v.EndedWithoutReason() {
		words = append(words, "for no reason")
	}
	if v.Drop() {
		words = append(words, "taken out")
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, " ")
}

var classes = []struct {
	class Class
	name  string
	of    func(Usage) int64
}{
	{ClassPrompt, "prompt", func(u Usage) int64 { return u.Prompt }},
	{ClassCompletion, "completion", func(u Usage) int64 { return u.Completion }},
	{ClassCacheRead, "read", func(u Usage) int64 { return u.CacheRead }},
	{ClassCacheWrite, "write", func(u Usage) int64 { return u.CacheWrite }},
	{ClassCacheWrite1h, "write1h", func(u Usage) int64 { return u.CacheWrite1h }},
	{ClassAudioIn, "audioIn", func(u Usage) int64 { return u.AudioIn }},
	{ClassImageIn, "imageIn", func(u Usage) int64 { return u.ImageIn }},
	{ClassAudioOut, "audioOut", func(u Usage) int64 { return u.AudioOut }},
	{ClassImageOut, "imageOut", func(u Usage) int64 { return u.ImageOut }},
	{ClassReasoning, "reasoning", func(u Usage) int64 { return u.Reasoning }},
	{ClassWebSearches, "searches", func(u Usage) int64 { return u.WebSearches }},
}

// named gives the known ones of some classes.
func named(u Usage, of []struct {
	class Class
	name  string
	of    func(Usage) int64
},
) (s string) {
	for _, c := range of {
		if u.Known&c.class != 0 {
			s += fmt.Sprintf(" %s %d", c.name, c.of(u))
		}
	}
	return s
}

func others(u Usage) string { return named(u, classes[4:]) }

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
			if d.HasArg("take-out") {
				v.TakeOutUsage()
			}
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
				fmt.Fprint(&out, state(v))
				if d.HasArg("said") {
					fmt.Fprintf(&out, " said %d+%d", v.Output().Text, v.Output().Media)
				}
				fmt.Fprintln(&out)
			}
			return out.String()
		})
	})
}
