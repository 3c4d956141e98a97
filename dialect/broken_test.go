package dialect

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// After a heartbeat an error is an event, of the status's type and message.
func TestErrorEvents(t *testing.T) {
	for path, want := range map[string]string{chatPath: "upstream_error", responsesPath: "upstream_error", messagesPath: "api_error"} {
		e := Lookup(path)
		v := e.Events()
		for _, event := range split(Upstream(0).Event(e)) {
			v.Event(event.name, event.data, true)
			if !json.Valid(event.data) {
				t.Errorf("%s: %s", path, event.data)
			}
		}
		if f := v.Failure(); f == nil || f.Type != want {
			t.Errorf("%s: %+v", path, f)
		}
	}
	for body, want := range map[string]string{
		`{"error":{"message":"slow \u0000 \ud83d\ude00 down","type":"rate_limit_error","code":"rate_limited"}}`: "rate_limit_error",
		`{"error":"slow down"}`: "server_error", `<html>`: "server_error", ``: "server_error",
	} {
		for _, path := range []string{chatPath, responsesPath, messagesPath} {
			e := Lookup(path)
			events := split(e.ErrorEvent(http.StatusBadGateway, []byte(body)))
			if len(events) != 1 || !json.Valid(events[0].data) {
				t.Fatalf("%s %s: %q", path, body, events)
			}
			v := e.Events()
			v.Event(events[0].name, events[0].data, true)
			if f := v.Failure(); f == nil || f.Type != want && (e.Shape != Anthropic || f.Type != "api_error") {
				t.Errorf("%s %s: %+v", path, body, f)
			}
			if strings.Contains(body, "down") != strings.Contains(string(events[0].data), "down") {
				t.Errorf("%s: %s", body, events[0].data)
			}
		}
	}
}

// Where a seller's error says no type or code, they go by its status: a client would ask again for a request that is at fault.
func TestErrorEventsByStatus(t *testing.T) {
	for _, test := range []struct {
		status            int
		body              string
		openAI, anthropic string
	}{
		{400, `{"error":{"message":"m","type":"invalid_request_error"}}`, `"code":"invalid_request_error"`, `"type":"invalid_request_error"`},
		{409, byteOrderMark + `{"error":{"message":"m","type":"conflict"}}`, `"type":"conflict"`, `"type":"conflict"`},
		{404, `<html>`, `"type":"invalid_request_error"`, `"type":"not_found_error"`},
		{413, ``, `"code":"invalid_request_error"`, `"type":"invalid_request_error"`},
		{429, `{"detail":"m"}`, `"code":"rate_limit_exceeded"`, `"type":"rate_limit_error"`},
		{529, ``, `"type":"server_error"`, `"type":"overloaded_error"`},
		{500, `<html>`, `"code":"server_error"`, `"type":"api_error"`},
	} {
		for path, want := range map[string]string{
			chatPath: test.openAI, "/v1/completions": test.openAI, responsesPath: test.openAI, messagesPath: test.anthropic,
		} {
			got := string(Lookup(path).ErrorEvent(test.status, []byte(test.body)))
			if !strings.Contains(got, want) || test.status < 500 && strings.Contains(got, "server_error") {
				t.Errorf("%s %d: %s", path, test.status, got)
			}
		}
	}
}

// The words and the type of a break are those by which clients know a fault of the server, and a shutdown blames no seller.
func TestBreakWords(t *testing.T) {
	for path, kinds := range map[string][2]string{
		chatPath: {"server_error", "server_error"}, "/v1/completions": {"server_error", "server_error"},
		responsesPath: {"server_error", "server_error"}, messagesPath: {"api_error", "overloaded_error"},
	} {
		for i, shutdown := range []bool{false, true} {
			text := string(Lookup(path).Events().Break(shutdown))
			if !strings.Contains(text, `"type":"`+kinds[i]+`"`) || strings.Contains(text, "seller") == shutdown {
				t.Errorf("%s: %s", path, text)
			}
			for _, words := range []string{"server error", "connection reset", "retry your request"} {
				if !strings.Contains(strings.ToLower(text), words) {
					t.Errorf("%s does not say %q: %s", path, words, text)
				}
			}
		}
	}
}
