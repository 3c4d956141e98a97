package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestMessageThread has a seller keep a conversation by the messages API's thread: what goes on from it goes to that seller and nowhere
// else, is its member's alone, may cost what reading all of it costs, and is known after a restart. Who goes on from one that is not known
// is told in the words after which SDKs send the whole conversation.
func TestMessageThread(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	first := s.seller("first", sayJSON(500, errorBody("server_error")), priced("m"))
	said := func(id string) string {
		return `{"id":"` + id + `","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":90000}}`
	}
	second := s.seller("second", func(w http.ResponseWriter, r *http.Request, body []byte) {
		id := "msg_" + r.Header.Get("X-Request-Id")
		if strings.HasPrefix(id, "msg_down") {
			sayJSON(500, errorBody("server_error"))(w, r, body)
			return
		}
		if !strings.Contains(string(body), `"stream":true`) {
			sayJSON(200, said(id))(w, r, body)
			return
		}
		streamOf(event("message_start", `{"type":"message_start","message":{"id":"`+id+`","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":9,"output_tokens":1}}}`)+
			event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hi"}}`)+
			event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":90000}}`)+
			event("message_stop", `{"type":"message_stop"}`))(w, r, body)
	}, priced("m"))
	s.open("\t\tdefault_seller first\n\t\taffinity off\n\t\tfailover {\n\t\t\tretries 0\n\t\t\tcooldown 1ms\n\t\t}\n" +
		"\t\tmember ada {\n\t\t\tkey sk-ada-long-key\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-long-key\n\t\t\tdaily_budget 0.25\n\t\t}\n")
	ask := func(who, id, members string) *answered {
		t.Helper()
		return s.ask(0, "POST", "/v1/messages", `{"model":"m","max_tokens":100000,`+members+`"messages":[{"role":"user","content":"Hello"}]}`,
			"Authorization", "Bearer sk-"+who+"-long-key", "X-Request-Id", id)
	}
	goOn := func(from string) string {
		return fmt.Sprintf(`"thread":{"type":"continue","previous_message_id":%q},`, from)
	}
	served := func(a *answered) {
		t.Helper()
		if a.StatusCode != http.StatusOK || a.Header.Get("X-TokenBuddy-Seller") != "second" {
			t.Errorf("status %d of %q: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
		}
	}
	unknown := func(a *answered) {
		t.Helper()
		if a.StatusCode != http.StatusNotFound || !strings.Contains(a.body, `"details":{"error_code":"thread_not_found"}`) || !strings.Contains(a.body, `"not_found_error"`) {
			t.Errorf("status %d: %s", a.StatusCode, a.body)
		}
	}

	served(ask("ada", "whole", `"thread":{"type":"create"},`))
	served(ask("ada", "streamed", `"stream":true,"thread":{"type":"create"},`))
	served(ask("ada", "alone", ""))
	s.entryOf("alone")
	asked, before := len(first.inferences()), len(second.inferences())
	if asked == 0 {
		t.Fatal("the first seller was not asked: nothing is shown by not asking it again")
	}
	for i, stream := range []string{"", `"stream":true,`} {
		served(ask("ada", fmt.Sprint("on", i), stream+goOn("msg_whole")))
		served(ask("ada", fmt.Sprint("and", i), stream+goOn("msg_streamed")))
	}
	served(ask("ada", "further", goOn("msg_on1")))
	if n := len(first.inferences()); n != asked {
		t.Errorf("the first seller was asked %d times to go on from what it does not have", n-asked)
	}
	asked = len(second.inferences())
	if asked != before+5 {
		t.Errorf("the second seller was asked %d times", asked-before)
	}
	unknown(ask("ada", "down", goOn("msg_whole"))) // sent whole, it may be served by another
	if a := ask("ada", "down too", `"thread":{"type":"create"},`); a.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d: %s", a.StatusCode, a.body)
	}
	asked = len(second.inferences())
	unknown(ask("bob", "another's", goOn("msg_whole")))
	unknown(ask("ada", "nobody's", goOn("msg_of_nobody")))
	unknown(ask("ada", "not kept", goOn("msg_alone")))
	for _, twice := range []string{
		`"thread":{"type":"create"},"Thread":{"type":"continue","previous_message_id":"msg_whole"},`,
		`"thread":{"type":"continue","previous_message_id":"msg_whole","Previous_message_id":"msg_x"},`,
		`"thread":{"type":"continue","previous_message_id":7},`,
	} {
		if a := ask("ada", "twice", twice); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d: %s", twice, a.StatusCode, a.body)
		}
	}
	if n := len(second.inferences()); n != asked {
		t.Errorf("the second seller was asked %d times for what is not known", n-asked)
	}

	served(ask("bob", "bob", `"thread":{"type":"create"},`)) // 180,009 micros, where 200,000 can be written at the most
	s.entryOf("bob")
	s.stop()
	file, err := os.ReadFile(s.caddyfile())
	if err != nil {
		t.Fatal(err)
	}
	s.write(strings.Replace(string(file), "daily_budget 0.25", "daily_budget 0.45", 1))
	s.start()
	if a := ask("bob", "too much", goOn("msg_bob")); a.StatusCode != http.StatusPaymentRequired {
		t.Errorf("90,000 tokens more: status %d: %s", a.StatusCode, a.body)
	}
	served(ask("bob", "less", ""))
	served(ask("ada", "after the restart", goOn("msg_whole")))
	if status := s.do(http.MethodPost, "/tokenbuddy/sellers?pause=second", ""); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	unknown(ask("ada", "paused", goOn("msg_whole")))
	s.verify()
}
