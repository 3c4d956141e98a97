package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// beat is a sign of life in a stream.
const beat = ": \n\n"

// TestHeartbeat has sellers be silent before the headers, before content, between blocks and inside of one. Clients of a stream get
// signs of life, but never inside a block, and without them the stream is what the seller sent. Failover goes on; what ends otherwise
// is an error event with the status's type, and the end of the stream.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	const silence = 200 * time.Millisecond
	slowly := func(r *http.Request, w http.ResponseWriter, parts ...string) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("OpenAI-Processing-Ms", "7")
		for _, part := range parts {
			_, _ = io.WriteString(w, part)
			w.(http.Flusher).Flush()
			await(r, silence)
		}
	}
	good := func(q *speech) string { return q.begin + q.text("one") + q.text("two") + q.end }
	s := newStage(t)
	s.seller("slow", func(w http.ResponseWriter, r *http.Request, body []byte) {
		q := speechOf(r.URL.Path)
		if !strings.Contains(string(body), `"stream":true`) {
			await(r, silence)
			sayJSON(200, q.plain("plain"))(w, r, body)
			return
		}
		await(r, silence)
		two := q.text("two")
		slowly(r, w, q.begin, q.text("one"), two[:len(two)/2], two[len(two)/2:])
		_, _ = io.WriteString(w, q.end)
	}, priced("slow"))
	failing := func(w http.ResponseWriter, r *http.Request, body []byte) {
		await(r, silence)
		sayJSON(500, errorBody("server_error"))(w, r, body)
	}
	s.seller("fails", failing, priced("fails over"))
	s.seller("serves", func(w http.ResponseWriter, r *http.Request, body []byte) {
		await(r, silence)
		streamOf(good(speechOf(r.URL.Path)))(w, r, body)
	}, priced("fails over"))
	s.seller("alone", func(w http.ResponseWriter, r *http.Request, body []byte) {
		await(r, silence)
		panic(http.ErrAbortHandler)
	}, priced("fails"))
	const said = `{"type":"error","error":{"type":"rate_limit_error","message":"slow down","code":"rate_limited"}}`
	s.seller("limits", func(w http.ResponseWriter, r *http.Request, body []byte) {
		await(r, silence)
		sayJSON(429, said)(w, r, body)
	}, priced("limits"))
	s.seller("refuses", func(w http.ResponseWriter, r *http.Request, body []byte) {
		await(r, silence)
		sayJSON(400, `{"type":"error","error":{"type":"invalid_request_error","message":"not so"}}`)(w, r, body)
	}, priced("refuses"))
	s.seller("plain", func(w http.ResponseWriter, r *http.Request, body []byte) {
		await(r, silence)
		sayJSON(200, speechOf(r.URL.Path).plain("plain"))(w, r, body)
	}, priced("plain"), priced("plain over"), priced("all plain"))
	for _, id := range []string{"plain too", "plain as well"} {
		s.seller(id, func(w http.ResponseWriter, r *http.Request, body []byte) {
			sayJSON(200, speechOf(r.URL.Path).plain("plain"))(w, r, body)
		}, priced("all plain"))
	}
	s.seller("streams", func(w http.ResponseWriter, r *http.Request, body []byte) {
		await(r, silence)
		streamOf(good(speechOf(r.URL.Path)))(w, r, body)
	}, priced("plain over"))
	const failover = "\t\tfailover {\n\t\t\tretries 0\n\t\t\tcooldown 1ms\n\t\t}\n"
	s.open("\t\theartbeat 40ms\n"+failover, failover)
	for _, q := range speeches {
		t.Run(q.api, func(t *testing.T) {
			ask := func(site int, model, more string) *answered {
				return s.ask(site, "POST", q.path, q.body(more+fmt.Sprintf(`"model":%q,`, model), "Hello"), "X-Request-Id", q.api+" "+model)
			}
			a := ask(0, "slow", "")
			if a.body != q.plain("plain") || a.Header.Get("X-TokenBuddy-Seller") != "slow" {
				t.Errorf("an answer that is no stream: %v: %q", a.Header, a.body)
			}
			if a := ask(1, "slow", `"stream":true,`); a.body != good(q) || a.Header.Get("OpenAI-Processing-Ms") != "7" {
				t.Errorf("without heartbeats: %v, %q", a.Header, a.body)
			}
			for _, model := range []string{"slow", "fails over", "plain over"} {
				a := ask(0, model, `"stream":true,`)
				for try := 1; try < 6 && !strings.HasPrefix(a.body, beat+beat); try++ { // once it may be the machine's fault, which has other work to do
					a = ask(0, model, `"stream":true,`)
				}
				if a.StatusCode != 200 || a.cut != nil || strings.ReplaceAll(a.body, beat, "") != good(q) {
					t.Errorf("%s: status %d, %v: %q", model, a.StatusCode, a.cut, a.body)
				}
				if !strings.HasPrefix(a.body, beat+beat) || model == "slow" && !strings.Contains(a.body, q.text("one")+beat) {
					t.Errorf("%s: no signs of life: %q", model, a.body)
				}
				if model == "slow" && !strings.Contains(a.body, q.text("two")) {
					t.Errorf("a sign of life inside of a block: %q", a.body)
				}
				h := a.Header
				if h.Get("Content-Type") != "text/event-stream" || h.Get("X-TokenBuddy-Seller") != "" || h.Get("X-TokenBuddy-Attempts") != "" ||
					h.Get("X-Request-Id") == "" || h.Get("X-Accel-Buffering") != "no" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Cache-Control"), "no-transform") {
					t.Errorf("%s: headers %v", model, h)
				}
				if id := h.Get("Request-Id"); (id == h.Get("X-Request-Id")) != isAnthropic(q.path) {
					t.Errorf("%s: request-id %q", model, id)
				}
			}
			for i := range 4 { // which has its price at each seller that is asked
				id := fmt.Sprint(q.api, " all plain ", i)
				s.ask(0, "POST", q.path, q.body(`"stream":true,"model":"all plain",`, "Hello"), "X-Request-Id", id)
				if e := s.entryOf(id); e.Attempts > 2 {
					t.Errorf("%d sellers of what none has a stream of were asked", e.Attempts)
				}
			}
			if a := ask(0, "all plain", ""); a.StatusCode != 200 {
				t.Errorf("without a stream: status %d: %s", a.StatusCode, a.body)
			}
			for model, kind := range map[string][2]string{ // as the API's shape has it: OpenAI's, Anthropic's
				"fails": {"server_error|upstream_error", "api_error"}, "limits": {"rate_limit_error|rate_limited", "rate_limit_error"},
				"refuses": {"invalid_request_error", "invalid_request_error"}, "plain": {"server_error|upstream_error", "api_error"},
			} {
				a := ask(0, model, `"stream":true,`)
				event := strings.ReplaceAll(a.body, beat, "")
				if a.StatusCode != 200 || a.cut != nil || !strings.HasPrefix(a.body, beat) {
					t.Errorf("%s: status %d, %v: %q", model, a.StatusCode, a.cut, a.body)
				}
				want := kind[0]
				if q.api == "messages" {
					want = kind[1]
				}
				if !regexp.MustCompile(`"(type|code)": ?"(` + want + `)"`).MatchString(event) {
					t.Errorf("%s: the event is %q", model, event)
				}
				assertErrorEvent(t, model, q.api, event)
			}
		})
	}
	s.verify()
}

// TestBreakIsRead has a stream break off: the error event comes a moment before the connection is torn, as some clients miss it
// otherwise.
func TestBreakIsRead(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("cuts", func(w http.ResponseWriter, r *http.Request, body []byte) {
		q := speechOf(r.URL.Path)
		streamOf(q.begin+q.text("one"))(w, r, body)
		panic(http.ErrAbortHandler)
	}, priced("m"))
	s.open("\t\tfailover {\n\t\t\tcooldown 1ms\n\t\t}\n")
	read := func(q *speech) (got string, pause time.Duration) {
		res, err := s.send(t.Context(), q.path, q.body(`"model":"m","stream":true,`, "Hello"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		buf := make([]byte, 4096)
		var said time.Time
		for {
			n, err := res.Body.Read(buf)
			if got += string(buf[:n]); n > 0 {
				said = time.Now()
			}
			if err != nil {
				return got, time.Since(said)
			}
		}
	}
	for _, q := range speeches {
		got, pause := read(q)
		for try := 1; try < 6 && pause < 150*time.Millisecond; try++ { // what a busy machine lets this test read late seems to come together
			got, pause = read(q)
		}
		if pause < 150*time.Millisecond {
			t.Errorf("%s: the connection was torn %s after the last event", q.api, pause)
		}
		rest, _ := strings.CutPrefix(got, q.begin+q.text("one"))
		assertErrorEvent(t, "broken", q.api, rest)
		if !json.Valid([]byte(dataOf(rest))) {
			t.Errorf("%s: the event is %q", q.api, rest)
		}
	}
}

// dataOf is the data of one event.
func dataOf(event string) string {
	for line := range strings.Lines(event) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return data
		}
	}
	return ""
}
