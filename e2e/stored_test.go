package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStoredResponses makes responses at a seller and at an own account, streamed and not. Their retrieval, input items, cancelling and
// deletion go to whoever made them, also after a restart, and cost nothing. Nobody else's response is found.
func TestStoredResponses(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []string
	keeps := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.URL.Path == "/v1/responses" {
				id := "resp_" + name + "_" + strings.Trim(speechField(body, "user"), `"`)
				if strings.Contains(string(body), `"stream":true`) {
					streamOf(strings.ReplaceAll(responsesStream("null"), `"id":"r"`, `"id":"`+id+`"`))(w, r, body)
					return
				}
				sayJSON(200, strings.Replace(speeches[1].plain("Hi"), `"id":"r"`, `"id":"`+id+`"`, 1))(w, r, body)
				return
			}
			mu.Lock()
			told = append(told, name+" "+r.Method+" "+r.URL.RequestURI()+" "+string(body)+" "+r.Header.Get("Cookie")+r.Header.Get("X-Api-Key"))
			mu.Unlock()
			w.Header().Set("Set-Cookie", "a=b")
			sayJSON(200, `{"from":"`+name+`"}`)(w, r, body)
		}
	}
	s := newStage(t)
	s.seller("sells", func(w http.ResponseWriter, r *http.Request, body []byte) {
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		keeps("sells")(w, r)
	}, priced("sold"))
	own := httptest.NewServer(keeps("own"))
	t.Cleanup(own.Close)
	members := "\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-key\n\t\t}\n"
	s.open(members + "\t\tseller own " + own.URL + "/v1 {\n\t\t\tmodels owned\n\t\t\tapi_key sk-provider\n\t\t}\n")
	ada, bob := []string{"Authorization", "Bearer sk-ada-key", "Cookie", "c"}, []string{"Authorization", "Bearer sk-bob-key"}
	ids := make(map[string]string) // and who made them
	for model, name := range map[string]string{"sold": "sells", "owned": "own"} {
		for i, stream := range []string{"", `"stream":true,`} {
			mark := fmt.Sprint(model, i)
			a := s.ask(0, "POST", "/v1/responses", `{"model":"`+model+`",`+stream+`"user":"`+mark+`","input":"Hello"}`, ada...)
			if a.StatusCode != 200 {
				t.Fatalf("%s: status %d: %s", mark, a.StatusCode, a.body)
			}
			ids["resp_"+name+"_"+mark] = name
		}
	}
	eventually(t, "the entries", func() bool { return len(s.entries("inference")) == len(ids) })
	for round := range 2 {
		for id, name := range ids {
			for _, call := range []struct{ method, path string }{
				{"GET", id + "?include=x&stream=false"}, {"GET", id + "/input_items?limit=2"}, {"POST", id + "/cancel"},
			} {
				mu.Lock()
				told = nil
				mu.Unlock()
				a := s.ask(0, call.method, "/v1/responses/"+call.path, "", ada...)
				mu.Lock()
				if a.StatusCode != 200 || a.body != `{"from":"`+name+`"}` || a.Header.Get("Set-Cookie") != "" || len(told) != 1 ||
					told[0] != name+" "+call.method+" /v1/responses/"+call.path+"  " {
					t.Errorf("%s %s: status %d, %v: %s; the sellers were told %q", call.method, call.path, a.StatusCode, a.Header, a.body, told)
				}
				told = nil
				mu.Unlock()
				for who, header := range map[string][]string{"bob": bob, "nobody": nil} {
					a := s.ask(0, call.method, "/v1/responses/"+call.path, "", header...)
					if want := map[string]int{"bob": 404, "nobody": 401}[who]; a.StatusCode != want || a.Header.Get("X-Should-Retry") != "false" {
						t.Errorf("%s of %s: status %d: %s", call.path, who, a.StatusCode, a.body)
					}
				}
			}
			// Nor can another member go on from it.
			for header, want := range map[*[]string]int{&ada: 200, &bob: 404} {
				a := s.ask(0, "POST", "/v1/responses", `{"model":"`+map[string]string{"sells": "sold", "own": "owned"}[name]+`","previous_response_id":"`+id+`","input":"More"}`, *header...)
				if a.StatusCode != want || want == 404 && !strings.Contains(a.body, "previous_response_id") {
					t.Errorf("going on from %s: status %d: %s", id, a.StatusCode, a.body)
				}
			}
		}
		if round == 0 {
			s.stop()
			s.start()
		}
	}
	eventually(t, "the entries", func() bool { return len(s.entries("inference")) == 3*len(ids) })
	for id := range ids {
		for _, want := range []int{200, 404} {
			if a := s.ask(0, "DELETE", "/v1/responses/"+id, "", ada...); a.StatusCode != want {
				t.Errorf("deleting %s: status %d, want %d: %s", id, a.StatusCode, want, a.body)
			}
		}
	}
	if n := len(s.entries("inference")); n != 3*len(ids) {
		t.Errorf("%d entries: what is kept was charged", n)
	}
	s.verify()
}

// TestStoredAnswers: what a seller answers about a response that it keeps passes by the rules of every answer. A settlement in it stays
// here, whatever the stream calls itself; what is large flows on; a deadline is told as one, and ends no stream.
func TestStoredAnswers(t *testing.T) {
	t.Parallel()
	const kept = `{"id":"resp_kept","object":"response","status":"completed"}`
	large := `{"id":"resp_kept","text":"` + strings.Repeat("x", 9<<20) + `"}`
	events := responsesStream("null")
	slow := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		first, rest, _ := strings.Cut(events, "\n\n")
		_, _ = io.WriteString(w, first+"\n\n")
		for range 5 {
			_ = http.NewResponseController(w).Flush()
			pause(r.Context(), 500*time.Millisecond)
			_, _ = io.WriteString(w, ": still here\n\n")
		}
		_, _ = io.WriteString(w, rest)
	}
	silent := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	begins := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"id":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	says := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		}
	}
	cut := func(w http.ResponseWriter, r *http.Request) {
		says("application/json", large)(w, r)
		panic(http.ErrAbortHandler)
	}
	page := func(w http.ResponseWriter, r *http.Request) { sayUntyped(200, "<html>")(w, r, nil) }
	settled := settlesAs("stored", 7) + events
	long := strings.Replace(events, "\n\n", "\n\n"+strings.Repeat(": still here\n\n", 5), 1)
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		status int
		want   string // empty: an error of the gateway's own
		broken bool
		kind   string // of the answer, where it is not the seller's
	}{
		"plain":                           {answer: says("application/json", kept), status: 200, want: kept},
		"a page without a type":           {answer: page, status: 200, want: "<html>", kind: "text/plain; charset=utf-8"},
		"empty":                           {answer: says("application/json", ""), status: 200, want: ""},
		"a stream":                        {answer: says("text/event-stream", settled), status: 200, want: events},
		"a stream that calls itself JSON": {answer: says("application/json", settled), status: 200, want: events},
		"a stream that calls itself text": {answer: says("text/plain", settled), status: 200, want: events},
		"JSON that calls itself a stream": {answer: says("text/event-stream", kept), status: 200, want: kept},
		"it switches protocols":           {answer: switchProtocols, status: 502},
		"a long stream":                   {answer: slow, status: 200, want: long},
		"large":                           {answer: says("application/json", large), status: 200, want: large},
		"large and cut":                   {answer: cut, status: 200, want: large, broken: true},
		"silent":                          {answer: silent, status: 504},
		"silent in the middle":            {answer: begins, status: 504},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					sayJSON(200, strings.Replace(speeches[1].plain("Hi"), `"id":"r"`, `"id":"resp_kept"`, 1))(w, r, nil)
					return
				}
				row.answer(w, r)
			}))
			t.Cleanup(own.Close)
			deadline := "2s"
			if len(row.want) > 1<<20 { // which takes its time on a busy machine
				deadline = "1m"
			}
			s.open("\t\tseller own " + own.URL + "/v1 {\n\t\t\tmodels m\n\t\t\tapi_key sk-provider\n\t\t\tprotocols responses\n\t\t}\n\t\tfailover {\n\t\t\tdeadline " + deadline + "\n\t\t}\n")
			if a := s.ask(0, "POST", "/v1/responses", `{"model":"m","input":"Hello"}`); a.StatusCode != 200 {
				t.Fatalf("status %d: %s", a.StatusCode, a.body)
			}
			a := s.ask(0, "GET", "/v1/responses/resp_kept", "")
			if a.StatusCode != row.status || (a.cut != nil) != row.broken ||
				row.status == 200 && a.body != row.want && !(row.broken && strings.HasPrefix(row.want, a.body)) {
				t.Errorf("status %d, %d bytes, cut %v: %.300s", a.StatusCode, len(a.body), a.cut, a.body)
			}
			if got := a.Header.Get("Content-Type"); row.kind != "" && got != row.kind {
				t.Errorf("Content-Type %q, want %q", got, row.kind)
			}
			if row.status == 502 {
				for _, method := range []string{"DELETE", "GET"} { // what it does not say is done is not
					if a := s.ask(0, method, "/v1/responses/resp_kept", ""); a.StatusCode != 502 {
						t.Errorf("%s: status %d: %s", method, a.StatusCode, a.body)
					}
				}
			}
			if row.status == 504 && !strings.Contains(a.body, `"deadline_exceeded"`) {
				t.Errorf("the error is %s", a.body)
			}
		})
	}
}

// switchProtocols answers 101, which nobody has asked for, with what would be a stream.
func switchProtocols(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nContent-Type: text/event-stream\r\n\r\n"+responsesStream("null"))
}

// speechField is a member of a request's body, as it stands there.
func speechField(body []byte, name string) string {
	_, rest, _ := strings.Cut(string(body), `"`+name+`":`)
	value, _, _ := strings.Cut(rest, ",")
	return value
}

// TestWrongSeller has conversations that only their maker can go on with. The maker asks for a little patience, and the other seller
// can't read what the maker has sealed: the request goes back to the maker. Where the maker is away for long, the other serves if it
// can, and nobody's health suffers.
func TestWrongSeller(t *testing.T) {
	t.Parallel()
	sealed := map[string]string{
		"/v1/responses":        `{"input":[{"role":"user","content":"Hello"},{"type":"reasoning","id":"rs_1","encrypted_content":"c2VhbGVk","summary":[]},{"role":"user","content":"More"}],`,
		"/v1/messages":         `{"max_tokens":9,"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2VhbGVk"},{"type":"text","text":"Hi"}]},{"role":"user","content":"More"}],`,
		"/v1/chat/completions": `{"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi","reasoning_details":[{"type":"reasoning.encrypted","data":"c2VhbGVk"}]},{"role":"user","content":"More"}],`,
	}
	refusals := map[string]string{
		"/v1/responses":        `{"error":{"message":"The encrypted content for item rs_1 could not be verified.","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}`,
		"/v1/messages":         `{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid ` + "`signature`" + ` in ` + "`thinking`" + ` block"}}`,
		"/v1/chat/completions": `{"error":{"message":"messages.1: Invalid signature in thinking block","type":"invalid_request_error","param":null,"code":null}}`,
	}
	for _, q := range speeches {
		for _, stream := range []string{"", `"stream":true,`} {
			t.Run(fmt.Sprintf("%s/stream=%t", q.api, stream != ""), func(t *testing.T) {
				t.Parallel()
				good := sayJSON(200, q.plain("good"))
				want := q.plain("good")
				if stream != "" {
					want = q.begin + q.text("good") + q.end
					good = streamOf(want)
				}
				s := newStage(t)
				maker := s.seller("maker", inTurn(good, with(sayJSON(429, `{"error":{"message":"later"}}`), "Retry-After", "1"), good, with(sayJSON(429, `{"error":{"message":"later"}}`), "Retry-After", "60")), priced("m"))
				other := s.seller("other", func(w http.ResponseWriter, r *http.Request, body []byte) {
					if strings.Contains(string(body), "c2VhbGVk") {
						sayJSON(400, refusals[q.path])(w, r, body)
						return
					}
					good(w, r, body)
				}, priced("m"))
				s.open("\t\tfailover {\n\t\t\tretries 0\n\t\t}\n")
				first := q.body(stream+`"model":"m",`, "Hello")
				if q.api == "responses" {
					first = `{` + stream + `"model":"m","input":[{"role":"user","content":"Hello"}]}`
				}
				if a := s.ask(0, "POST", q.path, first); a.body != want || a.Header.Get("X-TokenBuddy-Seller") != "maker" {
					t.Fatalf("status %d by %s: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
				}
				more := sealed[q.path] + stream + `"model":"m"}`
				begun := time.Now()
				a := s.ask(0, "POST", q.path, more)
				if a.StatusCode != 200 || a.body != want || a.Header.Get("X-TokenBuddy-Seller") != "maker" || time.Since(begun) < time.Second {
					t.Errorf("status %d by %s after %s: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), time.Since(begun), a.body)
				}
				if n, m := len(maker.inferences()), len(other.inferences()); n != 3 || m != 1 {
					t.Errorf("the maker was asked %d times, the other %d times", n, m)
				}
				// The maker is away for a minute, and the other can't read it: that is no fault of the request's. It is served when the maker is
				// back, and not before.
				for range 2 { // the maker is asked, and then it rests
					a = s.ask(0, "POST", q.path, more)
					if a.StatusCode != 502 || strings.Contains(a.body, "signature") || strings.Contains(a.body, "encrypted") {
						t.Errorf("status %d by %s: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
					}
					if after, _ := strconv.Atoi(a.Header.Get("Retry-After")); after < 30 {
						t.Errorf("to be asked again after %q s: %s", a.Header.Get("Retry-After"), a.body)
					}
				}
				for range 4 {
					if a := s.ask(0, "POST", q.path, strings.ReplaceAll(more, "c2VhbGVk", "open")); a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Seller") != "other" {
						t.Errorf("its health has suffered: status %d by %s: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
					}
				}
				s.verify()
			})
		}
	}
}

// TestMakerOfConversation: who made what a conversation carries is asked first after a restart, too: nobody else can read it.
func TestMakerOfConversation(t *testing.T) {
	t.Parallel()
	const more = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2VhbGVk"},{"type":"text","text":"Hi"}]},{"role":"user","content":"More"}]}`
	answer := sayJSON(200, speeches[2].plain("good"))
	s := newStage(t)
	first := s.seller("first", inTurn(with(sayJSON(503, `{}`), "Retry-After", "1"), answer), priced("m"))
	s.seller("maker", answer, priced("m"))
	s.open("\t\tfailover {\n\t\t\tretries 0\n\t\t}\n")
	for _, body := range []string{speeches[2].body(`"model":"m",`, "Hello"), more} {
		if a := s.ask(0, "POST", "/v1/messages", body); a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Seller") != "maker" {
			t.Fatalf("status %d by %s: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
		}
	}
	s.stop()
	s.start()
	if a := s.ask(0, "POST", "/v1/messages", more); a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Seller") != "maker" {
		t.Errorf("status %d by %s: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
	}
	if n := len(first.inferences()); n != 1 {
		t.Errorf("the other was asked %d times", n)
	}
}

// TestMakerDisowns has the seller that made what a conversation carries say that it is not its own, before the other one says so too: it
// is not asked a second time, and the client is told what is wrong with its request.
func TestMakerDisowns(t *testing.T) {
	t.Parallel()
	const more = `{"model":"m","input":[{"role":"user","content":"Hello"},{"type":"reasoning","id":"rs_1","encrypted_content":"c2VhbGVk","summary":[]},{"role":"user","content":"More"}]}`
	const refusal = `{"error":{"message":"The encrypted content for item rs_1 could not be verified.","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}`
	s := newStage(t)
	maker := s.seller("maker", inTurn(sayJSON(200, speeches[1].plain("good")), sayJSON(400, refusal)), priced("m"))
	other := s.seller("other", sayJSON(400, refusal), priced("m"))
	s.open("")
	if a := s.ask(0, "POST", "/v1/responses", `{"model":"m","input":[{"role":"user","content":"Hello"}]}`); a.Header.Get("X-TokenBuddy-Seller") != "maker" {
		t.Fatalf("status %d by %s: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
	}
	if a := s.ask(0, "POST", "/v1/responses", more); a.StatusCode != 400 || a.body != refusal || a.Header.Get("X-TokenBuddy-Attempts") != "2" {
		t.Errorf("status %d after %s attempts: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Attempts"), a.body)
	}
	if n, m := len(maker.inferences()), len(other.inferences()); n != 2 || m != 1 {
		t.Errorf("the maker was asked %d times, the other %d times", n, m)
	}
	s.verify()
}

// TestMakerLacksModel goes on from a response with a model that its maker does not sell: another try would have the same answer, and
// nobody but the maker knows the response.
func TestMakerLacksModel(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	good := sayJSON(200, `{"id":"resp_made","object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"good"}]}]}`)
	s.seller("maker", good, priced("m"))
	other := s.seller("other", good, priced("n"), priced("m"))
	s.open("")
	if a := s.ask(0, "POST", "/v1/responses", `{"model":"m","input":"Hello"}`); a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Seller") != "maker" {
		t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	const goOn = `{"model":"n","input":"More","previous_response_id":"resp_made"}`
	a := s.ask(0, "POST", "/v1/responses", goOn)
	if a.StatusCode != 404 || !strings.Contains(a.body, `"model_not_found"`) || a.Header.Get("X-Should-Retry") != "false" || a.Header.Get("Retry-After") != "" ||
		!strings.Contains(a.body, "previous_response_id") {
		t.Errorf("status %d, %v: %s", a.StatusCode, a.Header, a.body)
	}
	if status := s.do(http.MethodPost, "/tokenbuddy/sellers?pause=maker", ""); status != http.StatusOK {
		t.Fatalf("pause: status %d", status)
	}
	for _, model := range []string{"n", "m"} { // it may be back
		a = s.ask(0, "POST", "/v1/responses", strings.Replace(goOn, `"n"`, `"`+model+`"`, 1))
		if a.StatusCode != 503 || a.Header.Get("Retry-After") == "" || !strings.Contains(a.body, "The seller that made the response") {
			t.Errorf("%s, status %d, %v: %s", model, a.StatusCode, a.Header, a.body)
		}
	}
	if n := len(other.inferences()); n != 0 {
		t.Errorf("the other was asked %d times", n)
	}
	s.verify()
}
