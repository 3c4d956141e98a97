package relay

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestPeek(t *testing.T) {
	for body, want := range map[string]bool{
		"data: x\n\n": true, "event: x\n": true, ": ping\n": true, "id:1\n": true, "retry: 5\n": true, "\n\r\ndata:x": true,
		byteOrderMark + "data: x": true, ":": true,
		"": false, "{\"data:\":1}": false, "<html>": false, "dat": false, "data": false, "datax: y": false, " data: x": false, "Data: x": false,
		"\n\n\n": false, byteOrderMark: false,
	} {
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(body), "by bytes": iotest.OneByteReader(strings.NewReader(body)), "with its end": iotest.DataErrReader(strings.NewReader(body)),
		} {
			head, events, err := Peek(r, make([]byte, 512))
			if err != nil || events != want {
				t.Errorf("%q %s: %v, %v", body, name, events, err)
			}
			if got, err := io.ReadAll(Unread(head, io.NopCloser(r))); string(got) != body || err != nil {
				t.Errorf("%q %s came back as %q, %v", body, name, got, err)
			}
		}
	}
	r := io.MultiReader(strings.NewReader("da"), iotest.ErrReader(errReset))
	head, events, err := Peek(r, make([]byte, 512))
	if events || err != errReset {
		t.Errorf("%v %v", events, err)
	}
	if got, err := io.ReadAll(Unread(head, io.NopCloser(r))); string(got) != "da" || err != errReset {
		t.Errorf("%q %v", got, err)
	}
}

func TestPeekEvents(t *testing.T) {
	for body, want := range map[string]bool{
		"data: x\n\n": true, "anything": true, "": true, " \r\n\t": true, byteOrderMark + ": x": true,
		"{\"id\":1}": false, "\n\n [": false, byteOrderMark + "<html>": false,
	} {
		head, events, err := PeekEvents(iotest.OneByteReader(strings.NewReader(body)), make([]byte, 512))
		if err != nil || events != want || !strings.HasPrefix(body, string(head)) {
			t.Errorf("%q: %v, %v after %q", body, events, err, head)
		}
	}
}

func TestHeart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		w := &page{start: time.Now(), log: &log}
		begun := 0
		h := NewHeart(w, 15*time.Second, func() { begun++ })
		time.Sleep(34 * time.Second)
		if first, again := h.Stop(), h.Stop(); !first || !again || begun != 1 || log.String() != "15s \": \\n\\n\"\n30s \": \\n\\n\"\n" {
			t.Errorf("begun %d times: %s", begun, &log)
		}
		time.Sleep(time.Minute)
		if strings.Count(log.String(), "\n") != 2 {
			t.Errorf("it beats after it was stopped: %s", &log)
		}

		h = NewHeart(w, 15*time.Second, func() { t.Error("begun") })
		time.Sleep(time.Second)
		if h.Stop() {
			t.Error("stopped before the first beat, it says that it has begun")
		}
	})
}

// A client that has left ends the heartbeats; they are stopped all the same.
func TestHeartOfClientThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		close(gone)
		h := NewHeart(&page{start: time.Now(), log: new(strings.Builder), gone: gone}, time.Second, func() {})
		time.Sleep(10 * time.Second)
		if !h.Stop() {
			t.Error("the headers were given away")
		}
	})
}

func TestHeaders(t *testing.T) {
	for name, test := range map[string]struct {
		seller    http.Header
		untouched bool
		want      http.Header // beside nosniff
	}{
		"JSON":                           {http.Header{"Content-Type": {"application/json"}, "Content-Length": {"5"}, "Cache-Control": {"no-cache"}}, true, http.Header{"Content-Type": {"application/json"}, "Content-Length": {"5"}, "Cache-Control": {"no-cache"}}},
		"what stays here":                {http.Header{"Set-Cookie": {"a=b"}, "Location": {"/"}, "Content-Security-Policy": {"x"}, "X-Tokenbuddy-Billed-Micros": {"1"}, "Age": {"5"}}, true, http.Header{}},
		"a web page":                     {http.Header{"Content-Type": {"Text/HTML; charset=utf-8"}}, true, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}},
		"XHTML":                          {http.Header{"Content-Type": {"application/xhtml+xml"}}, true, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}},
		"a drawing":                      {http.Header{"Content-Type": {"image/svg+xml"}}, true, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}},
		"two types":                      {http.Header{"Content-Type": {"application/json", "text/html"}}, true, http.Header{"Content-Type": {"application/json"}}},
		"problem":                        {http.Header{"Content-Type": {"application/problem+json"}}, true, http.Header{"Content-Type": {"application/problem+json"}}},
		"public":                         {http.Header{"Cache-Control": {"public, max-age=3600, s-maxage=60, immutable"}}, true, http.Header{}},
		"some of it":                     {http.Header{"Cache-Control": {"Max-Age=0, must-revalidate", "private,stale-if-error=9"}}, true, http.Header{"Cache-Control": {"Max-Age=0, must-revalidate", "private,stale-if-error=9"}}},
		"in private":                     {http.Header{"Cache-Control": {"no-store, x-private=1"}}, true, http.Header{"Cache-Control": {"no-store, x-private=1"}}},
		"the rule":                       {http.Header{"Cache-Control": {"max-age=60, must-revalidate"}}, true, http.Header{"Cache-Control": {"must-revalidate"}}},
		"a stream":                       {http.Header{"Content-Type": {"text/event-stream"}, "Content-Length": {"5"}}, false, http.Header{"Content-Type": {"text/event-stream"}, "Cache-Control": {"no-transform"}, "X-Accel-Buffering": {"no"}}},
		"a stream with words of its own": {http.Header{"Cache-Control": {"no-cache"}}, false, http.Header{"Cache-Control": {"no-cache"}, "X-Accel-Buffering": {"no"}}},
		"a public stream":                {http.Header{"Cache-Control": {"public"}}, false, http.Header{"Cache-Control": {"no-transform"}, "X-Accel-Buffering": {"no"}}},
		"rates":                          {http.Header{"X-Ratelimit-A": {strings.Repeat("a", 3000)}, "X-Ratelimit-B": {strings.Repeat("b", 3000)}, "X-Ratelimit-C": {"c"}, "Anthropic-Ratelimit-X": {"1"}, "Request-Id": {strings.Repeat("r", 60_000)}}, true, http.Header{"X-Ratelimit-A": {strings.Repeat("a", 3000)}, "X-Ratelimit-C": {"c"}, "Anthropic-Ratelimit-X": {"1"}}},
	} {
		dst := http.Header{}
		AnswerHeader(dst, test.seller, test.untouched)
		test.want.Set("X-Content-Type-Options", "nosniff")
		if test.want.Get("Content-Type") == "" {
			test.want.Set("Content-Type", map[bool]string{true: "text/plain; charset=utf-8", false: "text/event-stream"}[test.untouched])
		}
		if len(dst) != len(test.want) {
			t.Errorf("%s: %v", name, dst)
		}
		for key, values := range test.want {
			if strings.Join(dst[key], "|") != strings.Join(values, "|") {
				t.Errorf("%s: %s is %.80q, want %.80q", name, key, dst[key], values)
			}
		}
	}
}

func TestVia(t *testing.T) {
	const own = "tokenbuddy-0011223344556677"
	in := http.Header{"Via": {"1.0 fred, 1.1 p.example.net (Apache/1.1)", "2 other"}}
	if InVia(in, own) {
		t.Error("it does not stand there")
	}
	h := http.Header{}
	AddVia(h, in, 1, 1, own)
	if got := h.Get("Via"); got != "1.0 fred, 1.1 p.example.net (Apache/1.1), 2 other, 1.1 "+own {
		t.Errorf("%q", got)
	}
	if !InVia(h, own) || !InVia(http.Header{"Via": {"HTTP/2.0 TokenBuddy-0011223344556677 (x)"}}, own) {
		t.Error("a loop is not seen")
	}
	for _, via := range []string{"", "1.1", "1.1 " + own + "8", "(1.1 " + own + ")", own} {
		if InVia(http.Header{"Via": {via}}, own) {
			t.Errorf("%q is taken for a loop", via)
		}
	}
	h = http.Header{}
	AddVia(h, http.Header{"Via": {strings.Repeat("1.1 x, ", 2000)}}, 2, 0, own)
	if got := h.Get("Via"); got != "2.0 "+own {
		t.Errorf("%.100q", got)
	}
}

// TestStreamThatBegins: to look at how a stream begins takes no object, however much of it has come.
func TestStreamThatBegins(t *testing.T) {
	head := []byte(strings.Repeat("data: content\n\n", 300))
	if n := testing.AllocsPerRun(100, func() { isDocument(head) }); n != 0 {
		t.Errorf("%v objects", n)
	}
}
