package e2e

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestMessageContainer has a seller run code in a container of its own: what goes on in it goes to that seller and nowhere else, is its
// member's alone, and is known after a restart. One that nobody here has made may be anybody's.
func TestMessageContainer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	over := make(chan struct{})
	say := func(id string, w http.ResponseWriter, r *http.Request, body []byte) {
		container := `{"id":"` + id + `","expires_at":"2030-01-01T00:00:00Z"}`
		if !isStream(body) {
			sayJSON(200, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"}],"container":`+container+
				`,"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":1}}`)(w, r, body)
			return
		}
		streamOf(event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","container":null,"content":[],"usage":{"input_tokens":9,"output_tokens":1}}}`)+
			event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hi"}}`)+
			event("message_delta", `{"type":"message_delta","delta":{"container":`+container+`,"stop_reason":"end_turn"},"usage":{"output_tokens":1}}`)+
			event("message_stop", `{"type":"message_stop"}`))(w, r, body)
	}
	first := s.seller("first", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if strings.Contains(string(body), "box_of_nobody") {
			say("box_of_nobody", w, r, body)
			return
		}
		sayJSON(404, `{"type":"error","error":{"type":"not_found_error","message":"No such container."}}`)(w, r, body)
	}, priced("m"))
	second := s.seller("second", func(w http.ResponseWriter, r *http.Request, body []byte) {
		id := "box_" + r.Header.Get("X-Request-Id")
		for _, known := range []string{"box_whole", "box_streamed", "box_held"} {
			if strings.Contains(string(body), known) {
				id = known
			}
		}
		if say(id, w, r, body); id == "box_held" && isStream(body) {
			select {
			case <-over:
			case <-r.Context().Done():
			}
		}
	}, priced("m"))
	s.open("\t\tdefault_seller first\n\t\taffinity off\n" +
		"\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-long-key\n\t\t}\n")
	bodyOf := func(members string) string {
		return `{"model":"m","max_tokens":100,"tools":[{"type":"code_execution_20250825","name":"code_execution"}],` + members + `"messages":[{"role":"user","content":"Hello"}]}`
	}
	ask := func(who, id, members string) *answered {
		t.Helper()
		return s.ask(0, "POST", "/v1/messages", bodyOf(members), "Authorization", "Bearer sk-"+who+"-long-key", "X-Request-Id", id)
	}
	served := func(a *answered, by string) {
		t.Helper()
		if a.StatusCode != http.StatusOK || a.Header.Get("X-TokenBuddy-Seller") != by {
			t.Errorf("status %d of %q: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
		}
	}
	forms := []string{`"container":%q,`, `"stream":true,"container":{"skills":[],"id":%q},`}

	served(ask("ada", "whole", ""), "second")
	served(ask("ada", "streamed", `"stream":true,`), "second")
	asked, before := len(first.inferences()), len(second.inferences())
	if asked == 0 {
		t.Fatal("the first seller was not asked: nothing is shown by not asking it again")
	}
	for i, form := range forms {
		for _, id := range []string{"box_whole", "box_streamed"} {
			served(ask("ada", fmt.Sprint("on", i, id), fmt.Sprintf(form, id)), "second")
			if a := ask("bob", fmt.Sprint("another's", i, id), fmt.Sprintf(form, id)); a.StatusCode != http.StatusNotFound || !strings.Contains(a.body, `"not_found_error"`) {
				t.Errorf("status %d: %s", a.StatusCode, a.body)
			}
		}
	}
	if a, b := len(first.inferences())-asked, len(second.inferences())-before; a != 0 || b != 4 {
		t.Errorf("the sellers were asked %d and %d times to go on in what the second one has", a, b)
	}
	for i, form := range forms { // who goes on in what an account had before has not made it
		served(ask("ada", fmt.Sprint("nobody's", i), fmt.Sprintf(form, "box_of_nobody")), "first")
		served(ask("bob", fmt.Sprint("nobody's", i), fmt.Sprintf(form, "box_of_nobody")), "first")
	}

	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.sites[0]+"/v1/messages", strings.NewReader(bodyOf(`"stream":true,`)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer sk-ada-long-key"}, "X-Request-Id": {"held"}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && lines.Text() != "event: message_stop" {
	}
	asked = len(first.inferences())
	served(ask("ada", "while it is held", fmt.Sprintf(forms[0], "box_held")), "second") // its client is done, though the seller has not hung up yet
	if n := len(first.inferences()) - asked; n != 0 {
		t.Errorf("the first seller was asked %d times", n)
	}
	close(over)

	s.stop()
	s.start()
	served(ask("ada", "after the restart", fmt.Sprintf(forms[1], "box_streamed")), "second")
	if a := ask("bob", "another's then", fmt.Sprintf(forms[0], "box_streamed")); a.StatusCode != http.StatusNotFound {
		t.Errorf("status %d: %s", a.StatusCode, a.body)
	}
	if status := s.do(http.MethodPost, "/tokenbuddy/sellers?pause=second", ""); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	a := ask("ada", "paused", fmt.Sprintf(forms[0], "box_whole")+`"thread":{"type":"create"},`)
	if a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.body, "container") {
		t.Errorf("status %d: %s", a.StatusCode, a.body)
	}
	s.verify()
}

// TestResponsesContainer is that for the responses API, where a tool names the container in which it is to run, and the calls of an answer
// say in which they were made.
func TestResponsesContainer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	first := s.seller("first", sayJSON(404, `{"error":{"message":"Container not found.","type":"invalid_request_error","code":null}}`), priced("m"))
	second := s.seller("second", func(w http.ResponseWriter, r *http.Request, body []byte) {
		id := "cntr_" + r.Header.Get("X-Request-Id")
		response := `{"id":"resp_` + r.Header.Get("X-Request-Id") + `","object":"response","model":"m","status":"completed","output":[{"type":"code_interpreter_call","id":"ci_1","container_id":"` + id +
			`"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":9,"output_tokens":1,"total_tokens":10}}`
		if !isStream(body) {
			sayJSON(200, response)(w, r, body)
			return
		}
		streamOf(event("response.created", `{"type":"response.created","response":{"id":"resp_1","status":"in_progress","output":[]}}`)+
			event("response.output_item.added", `{"type":"response.output_item.added","output_index":0,"item":{"type":"shell_call","id":"sh_1","environment":{"type":"container_reference","container_id":"`+id+`"}}}`)+
			event("response.output_text.delta", `{"type":"response.output_text.delta","delta":"Hi"}`)+
			event("response.completed", `{"type":"response.completed","response":`+response+`}`))(w, r, body)
	}, priced("m"))
	s.open("\t\tdefault_seller first\n\t\taffinity off\n" +
		"\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-long-key\n\t\t}\n")
	ask := func(who, id, members string) *answered {
		t.Helper()
		return s.ask(0, "POST", "/v1/responses", `{"model":"m","max_output_tokens":100,`+members+`"input":"Hello"}`, "Authorization", "Bearer sk-"+who+"-long-key", "X-Request-Id", id)
	}
	const auto = `"tools":[{"type":"code_interpreter","container":{"type":"auto"}}],`
	for id, members := range map[string]string{"whole": auto, "streamed": `"stream":true,` + auto} {
		if a := ask("ada", id, members); a.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", a.StatusCode, a.body)
		}
	}
	asked, before := len(first.inferences()), len(second.inferences())
	if asked == 0 {
		t.Fatal("the first seller was not asked: nothing is shown by not asking it again")
	}
	for i, form := range []string{
		`"tools":[{"type":"code_interpreter","container":%q}],`,
		`"stream":true,"tools":[{"type":"function","name":"f"},{"type":"shell","environment":{"type":"container_reference","container_id":%q}}],`,
	} {
		for _, id := range []string{"cntr_whole", "cntr_streamed"} {
			if a := ask("ada", fmt.Sprint("on", i, id), fmt.Sprintf(form, id)); a.StatusCode != http.StatusOK || a.Header.Get("X-TokenBuddy-Seller") != "second" {
				t.Errorf("status %d of %q: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
			}
			if a := ask("bob", fmt.Sprint("another's", i, id), fmt.Sprintf(form, id)); a.StatusCode != http.StatusNotFound || !strings.Contains(a.body, `"response_not_found"`) {
				t.Errorf("status %d: %s", a.StatusCode, a.body)
			}
		}
	}
	if a, b := len(first.inferences())-asked, len(second.inferences())-before; a != 0 || b != 4 {
		t.Errorf("the sellers were asked %d and %d times to go on in what the second one has", a, b)
	}
	if a := ask("ada", "nobody's", `"tools":[{"type":"code_interpreter","container":"cntr_of_nobody"}],`); a.StatusCode != http.StatusOK || len(first.inferences()) == asked {
		t.Errorf("status %d, and the first seller was not asked for what nobody here has made", a.StatusCode)
	}
	s.verify()
}
