package dialect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	openairesponses "github.com/openai/openai-go/v3/responses"
)

// refusals are one of each kind, and how it is written.
var refusals = []struct {
	refusal           *Refusal
	status            int
	code, typ, claude string
	noRetry           bool
	after             string
}{
	{InvalidRequest("n", `say "hi"`), 400, "invalid_request_error", "invalid_request_error", "invalid_request_error", true, ""},
	{InvalidKey(), 401, "invalid_api_key", "invalid_request_error", "authentication_error", true, ""},
	{BudgetSpent(), 402, "insufficient_quota", "insufficient_quota", "billing_error", true, ""},
	{ModelNotAllowed("m"), 403, "model_not_allowed", "invalid_request_error", "permission_error", true, ""},
	{ModelNotFound("m"), 404, "model_not_found", "invalid_request_error", "not_found_error", true, ""},
	{notServed("/v1/images"), 404, "not_found", "invalid_request_error", "not_found_error", true, ""},
	{methodNotAllowed("/v1/models", []string{"GET"}), 405, "not_found", "invalid_request_error", "not_found_error", true, ""},
	{ResponseNotFound("previous_response_id"), 404, "response_not_found", "invalid_request_error", "not_found_error", true, ""},
	{ThreadNotFound(), 404, "thread_not_found", "invalid_request_error", "not_found_error", true, ""},
	{UnknownEncoding(), 415, "invalid_request_error", "invalid_request_error", "invalid_request_error", true, ""},
	{FleetUnavailable(0), 503, "fleet_unavailable", "server_error", "overloaded_error", false, "1"},
	{TooLarge(10), 413, "request_too_large", "invalid_request_error", "request_too_large", true, ""},
	{RateLimited(1500 * time.Millisecond), 429, "rate_limit_exceeded", "rate_limit_error", "rate_limit_error", false, "2"},
	{Upstream(0), 502, "upstream_error", "upstream_error", "api_error", false, "1"},
	{NoSeller(30 * time.Second), 503, "no_seller_available", "server_error", "overloaded_error", false, "15"},
	{Unavailable(time.Millisecond, "full"), 503, "no_seller_available", "server_error", "overloaded_error", false, "1"},
	{DeadlineExceeded(), 504, "deadline_exceeded", "server_error", "timeout_error", false, ""},
	{Loop(), 508, "loop_detected", "invalid_request_error", "invalid_request_error", true, ""},
	{TooEarly(), 425, "too_early", "invalid_request_error", "invalid_request_error", false, ""},
	{UpgradeRequired(), 426, "upgrade_required", "invalid_request_error", "invalid_request_error", true, ""},
}

func TestRefusalWrite(t *testing.T) {
	for _, test := range refusals {
		for _, shape := range []Shape{OpenAI, Anthropic} {
			w := httptest.NewRecorder()
			test.refusal.Write(w, shape, "req_1")
			h := w.Result().Header
			if w.Code != test.status || h.Get("Content-Type") != "application/json" || (h.Get("X-Should-Retry") == "false") != test.noRetry ||
				h.Get("Retry-After") != test.after {
				t.Errorf("%d %v", w.Code, h)
			}
			var got, want any
			want = map[string]any{"error": map[string]any{"message": test.refusal.Message, "type": test.typ, "param": nil, "code": test.code}}
			if test.refusal.Param != "" {
				want.(map[string]any)["error"].(map[string]any)["param"] = test.refusal.Param
			}
			if shape == Anthropic {
				said := map[string]any{"type": test.claude, "message": test.refusal.Message}
				if test.refusal.Detail != "" {
					said["details"] = map[string]any{"error_code": test.refusal.Detail}
				}
				want = map[string]any{"type": "error", "error": said, "request_id": "req_1"}
			}
			if (h.Get("request-id") == "req_1") != (shape == Anthropic) {
				t.Errorf("request-id: %v", h)
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || !equalJSON(got, want) {
				t.Errorf("%s, want %v", w.Body, want)
			}
		}
	}
}

// TestRefusalsAreTold looks for every refusal in the table that the docs have of them.
func TestRefusalsAreTold(t *testing.T) {
	docs, err := os.ReadFile("../docs/requests.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range refusals {
		row := fmt.Sprintf("(?m)^\\|.*\\|[^|]*\\b%d\\b[^|]*\\| `%s` \\| `%s` \\|$", test.status, test.code, test.claude)
		if !regexp.MustCompile(row).Match(docs) {
			t.Errorf("docs/requests.md has no row with %d, %s and %s", test.status, test.code, test.claude)
		}
	}
}

func equalJSON(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// A model's name is shown only where it can't hurt.
func TestRefusalModelName(t *testing.T) {
	for model, shown := range map[string]bool{
		"gpt-5": true, "org/model:free": true, "": false, "two words": false, "é": false, "a\nb": false, strings.Repeat("m", 101): false,
	} {
		for _, r := range []*Refusal{ModelNotFound(model), ModelNotAllowed(model)} {
			if got := strings.Contains(r.Message, "the model "+model); got != shown {
				t.Errorf("%q: %s", model, r.Message)
			}
		}
	}
}

func TestWriteModels(t *testing.T) {
	for _, test := range []struct {
		shape Shape
		ids   []string
		want  string
	}{
		{OpenAI, nil, `{"object":"list","data":[]}`},
		{OpenAI, []string{"a"}, `{"object":"list","data":[{"id":"a","object":"model","created":0,"owned_by":"tokenbuddy"}]}`},
		{Anthropic, nil, `{"data":[],"has_more":false,"first_id":null,"last_id":null}`},
		{Anthropic, []string{"a", "b"}, `{"data":[{"type":"model","id":"a","display_name":"a","created_at":"1970-01-01T00:00:00Z"},` +
			`{"type":"model","id":"b","display_name":"b","created_at":"1970-01-01T00:00:00Z"}],"has_more":false,"first_id":"a","last_id":"b"}`},
	} {
		w := httptest.NewRecorder()
		WriteModels(w, test.shape, test.ids, nil)
		if w.Body.String() != test.want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s", w.Body)
		}
	}
	for shape, want := range map[Shape]string{
		OpenAI:    `{"id":"a/b","object":"model","created":0,"owned_by":"tokenbuddy"}`,
		Anthropic: `{"type":"model","id":"a/b","display_name":"a/b","created_at":"1970-01-01T00:00:00Z"}`,
	} {
		w := httptest.NewRecorder()
		WriteModel(w, shape, "a/b")
		if w.Body.String() != want {
			t.Errorf("%s", w.Body)
		}
	}
}

// answer is a transport that gives one answer to all.
type answer func(w http.ResponseWriter)

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a(w)
	res := w.Result()
	res.Request = r
	return res, nil
}

// TestBreakRaises shows streams that break to the official clients: each raises its own error.
func TestBreakRaises(t *testing.T) {
	stream := func(path, begun string) answer {
		return func(w http.ResponseWriter) {
			v := Lookup(path).Events()
			for _, e := range split([]byte(begun)) {
				v.Event(e.name, e.data, true)
			}
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, begun+string(v.Break(false)))
		}
	}
	ctx := context.Background()
	client := func(a answer) openai.Client {
		return openai.NewClient(option.WithAPIKey("k"), option.WithBaseURL("http://gateway.test/v1"), option.WithHTTPClient(&http.Client{Transport: a}))
	}

	c := client(stream(chatPath, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n"))
	chat := c.Chat.Completions.NewStreaming(ctx, openai.ChatCompletionNewParams{Model: "m"})
	if !chat.Next() || chat.Current().Choices[0].Delta.Content != "Hi" {
		t.Error("chat: the first event is lost")
	}
	if chat.Next() || chat.Err() == nil || !strings.Contains(chat.Err().Error(), "broke off") {
		t.Errorf("chat: %v", chat.Err())
	}

	c = client(stream("/v1/completions", "data: {\"choices\":[{\"index\":0,\"text\":\"Hi\"}]}\n\n"))
	text := c.Completions.NewStreaming(ctx, openai.CompletionNewParams{Model: "m"})
	if !text.Next() || text.Next() || text.Err() == nil {
		t.Errorf("completions: %v", text.Err())
	}

	c = client(stream(responsesPath, "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\",\"sequence_number\":4}\n\n"))
	response := c.Responses.NewStreaming(ctx, openairesponses.ResponseNewParams{Model: "m"})
	if !response.Next() || response.Current().Delta != "Hi" {
		t.Error("responses: the first event is lost")
	}
	if response.Next() || response.Err() == nil || !strings.Contains(response.Err().Error(), "broke off") {
		t.Errorf("responses: %v", response.Err())
	}

	claude := anthropic.NewClient(anthropicoption.WithAPIKey("k"), anthropicoption.WithBaseURL("http://gateway.test"),
		anthropicoption.WithHTTPClient(&http.Client{Transport: stream(messagesPath,
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n")}))
	message := claude.Messages.NewStreaming(ctx, anthropic.MessageNewParams{Model: "m", MaxTokens: 5})
	if !message.Next() || message.Current().Delta.Text != "Hi" {
		t.Error("messages: the first event is lost")
	}
	more := message.Next()
	if raised, ok := errors.AsType[*anthropic.Error](message.Err()); more || !ok || raised.Type() != "api_error" {
		t.Errorf("messages: %v", message.Err())
	}
}

// The official clients raise their own error for a refusal, once: what can't be bettered is not tried again.
func TestRefusalRaises(t *testing.T) {
	tries := 0
	refuse := func(s Shape) answer {
		return func(w http.ResponseWriter) {
			tries++
			BudgetSpent().Write(w, s, "req_1")
		}
	}
	c := openai.NewClient(option.WithAPIKey("k"), option.WithBaseURL("http://gateway.test/v1"), option.WithHTTPClient(&http.Client{Transport: refuse(OpenAI)}))
	_, err := c.Chat.Completions.New(context.Background(), openai.ChatCompletionNewParams{Model: "m"})
	if e, ok := errors.AsType[*openai.Error](err); !ok || e.StatusCode != 402 || e.Code != "insufficient_quota" || tries != 1 {
		t.Errorf("openai: %v after %d tries", err, tries)
	}
	tries = 0
	claude := anthropic.NewClient(anthropicoption.WithAPIKey("k"), anthropicoption.WithBaseURL("http://gateway.test"),
		anthropicoption.WithHTTPClient(&http.Client{Transport: refuse(Anthropic)}))
	_, err = claude.Messages.New(context.Background(), anthropic.MessageNewParams{Model: "m", MaxTokens: 5})
	if e, ok := errors.AsType[*anthropic.Error](err); !ok || e.StatusCode != 402 || e.Type() != "billing_error" || e.RequestID != "req_1" || tries != 1 {
		t.Errorf("anthropic: %v after %d tries", err, tries)
	}
}

// Claude Code shows its user "Please run /login" in the place of an error that names this header.
func TestWordsOfAnInvalidKey(t *testing.T) {
	if said := string(InvalidKey().JSON(Anthropic, "req_1")); strings.Contains(strings.ToLower(said), "x-api-key") || !strings.Contains(said, "this gateway") {
		t.Error(said)
	}
}

func TestWaits(t *testing.T) {
	for name, test := range map[string]struct {
		r     *Refusal
		after string
		final bool
	}{
		"a guess":                  {NoSeller(10 * time.Minute), "15", false},
		"a short guess":            {Upstream(0), "1", false},
		"asked by a seller":        {NoSeller(0).Asked(28 * time.Second), "28", false},
		"a minute":                 {RateLimited(time.Minute), "60", false},
		"longer":                   {RateLimited(61 * time.Second), "", true},
		"until tomorrow":           {NoSeller(0).Because("No money.").Asked(7 * time.Hour), "", true},
		"the fleet's":              {FleetUnavailable(time.Hour), "15", false},
		"waited and asked already": {Upstream(time.Second).Final(), "1", true},
		"held for others":          {BudgetHeld(), "", false},
		"an unknown coding":        {UnknownEncoding(), "", true},
		"another's response":       {ResponseNotFound(""), "", true},
	} {
		w := httptest.NewRecorder()
		w.Header().Set("Vary", "Accept-Encoding")
		test.r.Write(w, OpenAI, "r")
		h := w.Header()
		if h.Get("Retry-After") != test.after || (h.Get("X-Should-Retry") == "false") != test.final {
			t.Errorf("%s: %v", name, h)
		}
		if h.Get("Cache-Control") != "no-store" || len(h["Vary"]) != 2 || h["Vary"][1] != "Authorization, X-Api-Key" {
			t.Errorf("%s: %v", name, h)
		}
		if long := test.after == "" && test.r.RetryAfter > 0; long != strings.Contains(w.Body.String(), "Ask again at 20") {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
	if FleetUnavailable(0).Code != "fleet_unavailable" || UnknownEncoding().Status != http.StatusUnsupportedMediaType {
		t.Error("another case")
	}
}
