package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
)

// refusal is what the client is to be told in the gateway's own words.
type refusal struct {
	status          int
	code, anthropic string
	noRetry         bool // X-Should-Retry: false
	later           bool // Retry-After
}

var (
	refusedInvalid  = refusal{400, "invalid_request_error", "invalid_request_error", true, false}
	refusedKey      = refusal{401, "invalid_api_key", "authentication_error", true, false}
	refusedModel    = refusal{403, "model_not_allowed", "permission_error", true, false}
	refusedNoModel  = refusal{404, "model_not_found", "not_found_error", true, false}
	refusedTooLarge = refusal{413, "request_too_large", "request_too_large", true, false}
	refusedUpstream = refusal{502, "upstream_error", "api_error", false, true}
	refusedAgain    = refusal{502, "upstream_error", "api_error", true, true} // the gateway has asked again already
	refusedNoSeller = refusal{503, "no_seller_available", "overloaded_error", false, true}
	refusedDeadline = refusal{504, "deadline_exceeded", "timeout_error", false, false}
)

// assertRefused checks an answer against what a refusal looks like for the path that was asked.
func assertRefused(t *testing.T, row string, a *answered, want refusal, anthropicShape bool) {
	t.Helper()
	if a.StatusCode != want.status {
		t.Errorf("%s: status %d, want %d: %.300s", row, a.StatusCode, want.status, a.body)
		return
	}
	h := a.Header
	if got := h.Get("X-Should-Retry"); (got == "false") != want.noRetry || !want.noRetry && got != "" {
		t.Errorf("%s: X-Should-Retry %q", row, got)
	}
	after := h.Get("Retry-After")
	if n, err := strconv.Atoi(after); want.later && (err != nil || n < 1) || !want.later && after != "" {
		t.Errorf("%s: Retry-After %q", row, after)
	}
	if h.Get("Cache-Control") != "no-store" || h.Get("Vary") != "Authorization, X-Api-Key" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: a cache or a browser may make something of it: %v", row, h)
	}
	if h.Get("Content-Type") != "application/json" || h.Get("X-Request-Id") == "" || a.ContentLength != int64(len(a.body)) {
		t.Errorf("%s: headers %v", row, h)
	}
	if anthropicShape {
		assertAnthropicError(t, row, a, want.anthropic)
	} else {
		assertOpenAIError(t, row, a, want.code)
	}
}

func assertOpenAIError(t *testing.T, row string, a *answered, code string) {
	t.Helper()
	var body map[string]map[string]any
	err := json.Unmarshal([]byte(a.body), &body)
	e := body["error"]
	param, hasParam := e["param"]
	_, text := param.(string)
	message, _ := e["message"].(string)
	kind, _ := e["type"].(string)
	if err != nil || len(body) != 1 || len(e) != 4 || e["code"] != code || message == "" || kind == "" || !hasParam || param != nil && !text {
		t.Errorf("%s: not the OpenAI error %s: %s", row, code, a.body)
	}
	if got := a.Header.Get("Request-Id"); got != "" {
		t.Errorf("%s: an Anthropic header in an OpenAI answer: %q", row, got)
	}
}

func assertAnthropicError(t *testing.T, row string, a *answered, kind string) {
	t.Helper()
	var body struct {
		Type  string
		Error struct{ Type, Message string }
		ID    string `json:"request_id"`
	}
	d := json.NewDecoder(strings.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil || body.Type != "error" || body.Error.Type != kind || body.Error.Message == "" {
		t.Errorf("%s: not the Anthropic error %s: %s", row, kind, a.body)
	}
	if id := a.Header.Get("X-Request-Id"); body.ID != id || a.Header.Get("Request-Id") != id {
		t.Errorf("%s: request_id %q, request-id %q, X-Request-Id %q", row, body.ID, a.Header.Get("Request-Id"), id)
	}
}

func isAnthropic(path string) bool { return strings.HasPrefix(path, "/v1/messages") }

// TestRefusals goes through every way in which the gateway says no by itself, on every path.
func TestRefusals(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }
	s := newStage(t)
	good := s.seller("good", answerPlain, "m", "forbidden")
	for path := range inferencePaths { // each has its own: one that fails again and again is not asked any more
		s.seller("html"+strings.ReplaceAll(path, "/", "."), say(500, "text/html", "<b>broken</b>"), "html"+path)
		s.seller("cuts"+strings.ReplaceAll(path, "/", "."), func(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }, "cut"+path)
	}
	s.seller("hangs", hang, "hang")
	s.lists = append(s.lists, listing{ID: "closed", URL: "http://" + freeAddress(t), Models: []any{"closed"}})
	s.lists = append(s.lists, listing{ID: "unpayable", URL: good.URL, PaymentMethods: []string{"clawtip"}, Models: []any{"unpayable"}})
	s.lists = append(s.lists, listing{ID: "narrow", URL: good.URL, Protocols: []string{"embeddings"}, Models: []any{"vectors"}})
	const ada = "\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t\tmodels m html* cut* hang closed unpayable vectors none\n\t\t}\n"
	s.open(ada+"\t\tmax_body 4KiB\n\t\tfailover {\n\t\t\tdeadline 2s 2s\n\t\t}\n", ada+"\t\tmodel_alias good forbidden\n")

	key := []string{"Authorization", "Bearer sk-ada-key"}
	for _, row := range []struct {
		name, body string
		key        []string
		want       refusal
		but        string // not on this path
	}{
		{name: "empty body", body: "", want: refusedInvalid},
		{name: "not JSON", body: `model=m`, want: refusedInvalid},
		{name: "cut JSON", body: `{"model":"m"`, want: refusedInvalid},
		{name: "a list", body: `[{"model":"m"}]`, want: refusedInvalid},
		{name: "a string", body: `"m"`, want: refusedInvalid},
		{name: "null", body: `null`, want: refusedInvalid},
		{name: "two objects", body: `{"model":"m"}{"model":"m"}`, want: refusedInvalid},
		{name: "something after it", body: `{"model":"m"} x`, want: refusedInvalid},
		{name: "a comma too many", body: `{"model":"m",}`, want: refusedInvalid},
		{name: "a bad number", body: `{"model":"m","x":01}`, want: refusedInvalid},
		{name: "a bad escape", body: `{"model":"m","x":"\q"}`, want: refusedInvalid},
		{name: "a raw line break in a string", body: "{\"model\":\"m\",\"x\":\"a\nb\"}", want: refusedInvalid},
		{name: "NaN", body: `{"model":"m","x":NaN}`, want: refusedInvalid},
		{name: "no model", body: `{"messages":[]}`, want: refusedInvalid},
		{name: "model in a list", body: `{"messages":[{"model":"m"}]}`, want: refusedInvalid},
		{name: "model empty", body: `{"model":""}`, want: refusedInvalid},
		{name: "model null", body: `{"model":null}`, want: refusedInvalid},
		{name: "model a number", body: `{"model":5}`, want: refusedInvalid},
		{name: "model a list", body: `{"model":["m"]}`, want: refusedInvalid},
		{name: "model twice", body: `{"model":"m","model":"m"}`, want: refusedInvalid},
		{name: "model twice by escapes", body: `{"model":"m","\u006dodel":"forbidden"}`, want: refusedInvalid},
		{name: "model twice by case", body: `{"Model":"m","model":"forbidden"}`, want: refusedInvalid},
		{name: "model twice by a letter that folds", body: `{"model":"m","max_to\u212Aens":9,"max_tokens":1}`, want: refusedInvalid, but: "/v1/embeddings"},
		{name: "stream twice", body: `{"model":"m","stream":false,"stream":true}`, want: refusedInvalid},
		{name: "stream twice by case", body: `{"model":"m","stream":false,"STREAM":true}`, want: refusedInvalid},
		{name: "n twice", body: `{"model":"m","n":1,"n":100}`, want: refusedInvalid},
		{name: "limit twice", body: `{"model":"m","max_tokens":1,"max_tokens":100000}`, want: refusedInvalid},
		{name: "limit twice by case", body: `{"model":"m","max_completion_tokens":1,"Max_Completion_Tokens":100000}`, want: refusedInvalid},
		{name: "other limit twice", body: `{"model":"m","max_output_tokens":1,"max_output_token\u0073":100000}`, want: refusedInvalid},
		{name: "cache key twice", body: `{"model":"m","prompt_cache_key":"a","prompt_cache_key":"b"}`, want: refusedInvalid},
		{name: "previous response twice", body: `{"model":"m","previous_response_id":"a","previous_response_id":"b"}`, want: refusedInvalid},
		{name: "background twice", body: `{"model":"m","background":true,"background":false}`, want: refusedInvalid},
		{name: "no key", body: `{"model":"m"}`, key: []string{}, want: refusedKey},
		{name: "wrong key", body: `{"model":"m"}`, key: []string{"Authorization", "Bearer sk-eve"}, want: refusedKey},
		{name: "wrong x-api-key", body: `{"model":"m"}`, key: []string{"X-Api-Key", "sk-eve"}, want: refusedKey},
		{name: "empty key", body: `{"model":"m"}`, key: []string{"Authorization", "Bearer "}, want: refusedKey},
		{name: "part of a key", body: `{"model":"m"}`, key: []string{"X-Api-Key", "sk-ad"}, want: refusedKey},
		{name: "other scheme", body: `{"model":"m"}`, key: []string{"Authorization", "Basic c2stYWRh"}, want: refusedKey},
		{name: "wrong key before all else", body: `not JSON`, key: []string{"X-Api-Key", "sk-eve"}, want: refusedKey},
		{name: "not allowed", body: `{"model":"forbidden"}`, want: refusedModel},
		{name: "unknown model", body: `{"model":"none"}`, want: refusedNoModel},
		{name: "model of another case", body: `{"model":"M"}`, want: refusedNoModel},
		{name: "no way to pay", body: `{"model":"unpayable"}`, want: refusedNoModel},
		{name: "other protocol", body: `{"model":"vectors"}`, want: refusedNoModel, but: "/v1/embeddings"},
		{name: "too large", body: `{"model":"m","x":"` + strings.Repeat("x", 4<<10) + `"}`, want: refusedTooLarge},
		{name: "too large and not JSON", body: strings.Repeat("x", 4<<10+1), want: refusedTooLarge},
		{name: "a page of HTML", body: `{"model":"htmlPATH"}`, want: refusedAgain},
		{name: "a cut", body: `{"model":"cutPATH"}`, want: refusedAgain},
		{name: "nobody there", body: `{"model":"closed"}`, want: refusedNoSeller},
		{name: "too slow", body: `{"model":"hang"}`, want: refusedDeadline},
		{name: "too slow a stream", body: `{"model":"hang","stream":true}`, want: refusedDeadline},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.key == nil {
				row.key = key
			}
			for path := range inferencePaths {
				if path != row.but {
					a := s.ask(0, "POST", path, strings.ReplaceAll(row.body, "PATH", path), append([]string{"Content-Type", "application/json"}, row.key...)...)
					assertRefused(t, path, a, row.want, isAnthropic(path))
				}
			}
		})
	}
	t.Run("background", func(t *testing.T) {
		for path, protocol := range inferencePaths {
			a := s.ask(0, "POST", path, `{"model":"m","background":true}`, key...)
			if protocol == "responses" {
				assertRefused(t, path, a, refusedInvalid, false)
			} else if a.StatusCode != 200 {
				t.Errorf("%s does not know the word background: status %d: %s", path, a.StatusCode, a.body)
			}
			if a := s.ask(0, "POST", path, `{"model":"m","background":false}`, key...); a.StatusCode != 200 {
				t.Errorf("%s with background false: status %d: %s", path, a.StatusCode, a.body)
			}
		}
	})
	t.Run("an alias of a model that is not allowed", func(t *testing.T) {
		for path := range inferencePaths {
			assertRefused(t, path, s.ask(1, "POST", path, `{"model":"good"}`, key...), refusedModel, isAnthropic(path))
		}
	})
}

// TestRefusalOfLongBody has a client that sends its body to the end before it looks for the answer: it must find the refusal
// there, not a connection that was reset. One that looks first must not have to send it.
func TestRefusalOfLongBody(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("good", answerPlain, "m")
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n")
	body := `{"model":"m","x":"` + strings.Repeat("x", 33<<20) + `"}`
	for key, want := range map[string]refusal{"sk-ada-key": refusedTooLarge, "sk-bob-key": refusedKey} {
		for name, sent := range map[string]string{"whole": body, "not at all": ""} {
			t.Run(fmt.Sprint(want.status, " ", name), func(t *testing.T) {
				conn, err := net.Dial("tcp", s.site)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				request := fmt.Sprintf("POST /v1/messages HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n", s.site, key, len(body))
				if _, err := io.WriteString(conn, request+sent); err != nil {
					t.Fatalf("the body could not be sent: %v", err)
				}
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				said, err := io.ReadAll(res.Body)
				assertRefused(t, "/v1/messages", &answered{Response: res, body: string(said), cut: err}, want, true)
			})
		}
	}
}

// TestRefusalBeforeLeave has clients wait for leave to send what they have announced. Where they are refused they are told at once, and
// not first asked for the body.
func TestRefusalBeforeLeave(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, priced("m"))
	s.open("\t\tmax_body 64KiB\n\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n")
	body := chatOf("m", "")
	for name, row := range map[string]struct {
		head   string
		length int
		want   int
	}{
		"no key":               {"POST /v1/chat/completions", len(body), 401},
		"no key, long":         {"POST /v1/messages", 1 << 20, 401},
		"too long":             {"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer sk-ada-key", 1 << 20, 413},
		"not served":           {"POST /v1/images/generations HTTP/1.1\r\nAuthorization: Bearer sk-ada-key", len(body), 404},
		"comes from a gateway": {"POST /v1/responses HTTP/1.1\r\nX-TokenBuddy-Deadline-Ms: 5", len(body), 508},
		"welcome":              {"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer sk-ada-key", len(body), 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", s.site)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			line, more, _ := strings.Cut(row.head, " HTTP/1.1")
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s%s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", line, s.site, more, row.length)
			from := bufio.NewReader(conn)
			res, err := http.ReadResponse(from, nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != row.want {
				t.Errorf("status %d, want %d", res.StatusCode, row.want)
			}
			if row.want != 100 {
				if b, err := io.ReadAll(res.Body); err != nil || !json.Valid(b) || !res.Close {
					t.Errorf("%v, closes %t: %s", err, res.Close, b)
				}
				return
			}
			_, _ = io.WriteString(conn, body)
			if res, err = http.ReadResponse(from, nil); err != nil || res.StatusCode != 200 {
				t.Errorf("after leave was given: %v, %v", res, err)
			}
		})
	}
}

// TestRefusalsInSDKs has the official clients meet refusals: each must raise its own error type, streamed or not.
func TestRefusalsInSDKs(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("good", answerPlain, "m", "forbidden")
	s.seller("html", say(500, "text/html", "<b>broken</b>"), "html")
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t\tmodels m html\n\t\t}\n")
	for _, row := range []struct {
		key, model string
		want       refusal
	}{
		{"sk-eve", "m", refusedKey},
		{"sk-ada-key", "forbidden", refusedModel},
		{"sk-ada-key", "none", refusedNoModel},
		{"sk-ada-key", "html", refusedAgain},
	} {
		c := clients(t, "http://"+s.site, row.key)
		ctx := context.Background()
		_, plain := c.openai.Chat.Completions.New(ctx, chatParams(row.model))
		stream := c.openai.Chat.Completions.NewStreaming(ctx, chatParams(row.model))
		for stream.Next() {
			t.Errorf("%v: an event came", row.want)
		}
		for how, err := range map[string]error{"plain": plain, "streamed": stream.Err()} {
			if e, ok := errors.AsType[*openai.Error](err); !ok || e.StatusCode != row.want.status || e.Code != row.want.code || e.Message == "" || e.Type == "" {
				t.Errorf("OpenAI %s: %T %v, want %d %s", how, err, err, row.want.status, row.want.code)
			}
		}
		_, plain = c.anthropic.Messages.New(ctx, messageParams(row.model))
		events := c.anthropic.Messages.NewStreaming(ctx, messageParams(row.model))
		for events.Next() {
			t.Errorf("%v: an event came", row.want)
		}
		for how, err := range map[string]error{"plain": plain, "streamed": events.Err()} {
			if e, ok := errors.AsType[*anthropic.Error](err); !ok || e.StatusCode != row.want.status || string(e.Type()) != row.want.anthropic || e.RequestID == "" {
				t.Errorf("Anthropic %s: %T %v, want %d %s", how, err, err, row.want.status, row.want.anthropic)
			}
		}
		if c.tape.has("broken") {
			t.Error("what a seller wrote into a page that is not shown came to the client")
		}
	}
}

// TestSecondKeys sends two keys at once, as some clients do.
func TestSecondKeys(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("good", answerPlain, "m")
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-key\n\t\t}\n")
	for _, row := range [][]string{
		{"Authorization", "Bearer sk-ada-key", "X-Api-Key", "sk-ada-key"},
		{"Authorization", "Bearer dummy", "X-Api-Key", "sk-ada-key"},
		{"Authorization", "Bearer sk-ada-key", "X-Api-Key", "dummy"},
	} {
		a := s.ask(0, "POST", "/v1/messages", chatBody, append(slices.Clone(row), "X-Request-Id", strings.Join(row, " "))...)
		if a.StatusCode != 200 {
			t.Errorf("%v: status %d", row, a.StatusCode)
		} else if e := s.entryOf(strings.Join(row, " ")); e.Member != "ada" {
			t.Errorf("%v: booked on %s", row, e.Member)
		}
	}
}
