package e2e

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestTerms: what is asked for on other terms than the usual ones, or may be served by another model, is held of the budget, and booked, by that
// price; and by what the provider says that it has served. Terms whose price nobody has named are asked for only where they can't be dearer.
func TestTerms(t *testing.T) {
	t.Parallel()
	const usage = `{"prompt_tokens":20,"completion_tokens":50}`
	whole := func(members string) handler {
		return sayJSON(200, strings.Replace(completion(usage), "{", "{"+members, 1))
	}
	stream := func(members string) handler {
		of := func(events string) string { return strings.ReplaceAll(events, `{"id":"c",`, `{"id":"c",`+members) }
		return sayStream(of(roleEvent + textEvent("Hi") + strings.Replace(endEvents, "data: [DONE]", `data: {"id":"c","choices":[],"usage":`+usage+"}\n\ndata: [DONE]", 1)))
	}
	message := func(more string) handler {
		return sayJSON(200, `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":20,"output_tokens":50`+more+`}}`)
	}
	events := func(more string) handler {
		return sayStream("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":20,\"output_tokens\":1" + more + "}}}\n\n" +
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n" +
			"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":50}}\n\n" +
			"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
	}
	response := func(tier string) string {
		return `{"id":"resp_1","object":"response","status":"completed","service_tier":"` + tier + `","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}],` +
			`"usage":{"input_tokens":20,"output_tokens":50}}`
	}
	responses := func(asked, served string) handler {
		return sayStream("event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"service_tier\":\"" + asked + "\"}}\n\n" +
			"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n" +
			"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":" + response(served) + "}\n\n")
	}
	var answer atomic.Pointer[handler]
	own := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) { (*answer.Load())(w, r, body) })
	local := newProvider(t, whole(""))
	s := newStage(t)
	bought := s.seller("bought", answerPlain, priced("both"))
	const key = "api_key sk-own-account-key\n"
	s.open(`
		seller own ` + own.URL + ` {
			` + key + `
			price m 1 2
			price_on m service_tier priority 6 12
			price_on m service_tier flex 0.5 1
			price_on m speed fast 6 12
			price both 1 2
			price free 0 0
			price dear 10 20
			models m both free dear unknown
		}
		seller local ` + local.URL + ` {
			no_key
			price local 1 2
		}
		member small {
			key key-of-small
			daily_budget 0.0003
		}
		member large {
			key key-of-large
		}
		failover {
			retries 0
		}
	`)
	const chat, messages, respond = "/v1/chat/completions", "/v1/messages", "/v1/responses"
	const plain, dear = 120, 720
	for _, row := range []struct {
		name, path, model, members string
		answer                     handler
		cost                       int64 // -1: the request is refused
		seller                     string
	}{
		{"no terms", chat, "m", ``, whole(``), plain, "own"},
		{"the usual ones", chat, "m", `"service_tier":"auto",`, whole(`"service_tier":"default",`), plain, "own"},
		{"none", chat, "m", `"service_tier":null,`, whole(`"service_tier":"default",`), plain, "own"},
		{"priority", chat, "m", `"service_tier":"priority",`, whole(`"service_tier":"priority",`), dear, "own"},
		{"priority, and the answer says nothing", chat, "m", `"service_tier":"priority",`, whole(``), dear, "own"},
		{"priority, and the answer says no word that has a price", chat, "m", `"service_tier":"priority",`, whole(`"service_tier":"turbo",`), dear, "own"},
		{"priority that was not to be had", chat, "m", `"service_tier":"priority",`, whole(`"service_tier":"default",`), plain, "own"},
		{"priority in another spelling", chat, "m", `"service_tier":"pri\u006frity",`, whole(`"service_tier":"priority",`), dear, "own"},
		{"priority by the account's own setting", chat, "m", ``, whole(`"service_tier":"priority",`), dear, "own"},
		{"flex", chat, "m", `"service_tier":"flex",`, whole(`"service_tier":"flex",`), 60, "own"},
		{"a stream", chat, "m", `"stream":true,"service_tier":"priority",`, stream(`"service_tier":"priority",`), dear, "own"},
		{"a stream that was not to be had", chat, "m", `"stream":true,"service_tier":"priority",`, stream(`"service_tier":"default",`), plain, "own"},
		{"a response", respond, "m", `"service_tier":"priority",`, sayJSON(200, response("default")), plain, "own"},
		{"a response's stream", respond, "m", `"stream":true,"service_tier":"priority",`, responses("priority", "default"), plain, "own"},
		{"a response's stream of priority", respond, "m", `"stream":true,"service_tier":"priority",`, responses("auto", "priority"), dear, "own"},
		{"fast", messages, "m", `"max_tokens":50,"speed":"fast",`, message(`,"speed":"fast","service_tier":"standard"`), dear, "own"},
		{"fast that was not to be had", messages, "m", `"max_tokens":50,"speed":"fast",`, message(`,"speed":"standard"`), plain, "own"},
		{"a fast stream", messages, "m", `"max_tokens":50,"stream":true,"speed":"fast",`, events(`,"speed":"fast"`), dear, "own"},
		{"terms without a price", chat, "m", `"service_tier":"scale",`, whole(``), -1, ""},
		{"a place without a price", messages, "m", `"max_tokens":50,"inference_geo":"us",`, message(``), -1, ""},
		{"two at once", messages, "m", `"max_tokens":50,"speed":"fast","service_tier":"priority",`, message(``), -1, ""},
		{"twice", chat, "m", `"service_tier":"default","Service_Tier":"scale",`, whole(``), -1, ""},
		{"for a provider behind", chat, "m", `"providerOptions":{"openai":{"serviceTier":"scale"}},`, whole(``), -1, ""},
		{"a provider behind", chat, "m", `"provider":{"order":["dear"]},`, whole(``), plain, "own"},
		{"another seller", chat, "both", `"service_tier":"scale",`, whole(``), -2, "bought"},
		{"what is free", chat, "free", `"service_tier":"scale",`, whole(``), 0, "own"},
		{"without any price", chat, "unknown", `"service_tier":"scale",`, whole(``), 50_000, "own"},
		{"what no account is billed for", chat, "local", `"service_tier":"scale",`, whole(``), plain, "local"},
		{"a dearer model beside", chat, "m", `"models":["dear"],`, whole(`"model":"dear",`), 1200, "own"},
		{"a dearer model beside that has not served", chat, "m", `"models":["dear"],`, whole(`"model":"m",`), plain, "own"},
		{"a dearer model beside, and a release of the other", chat, "m", `"models":["dear"],`, whole(`"model":"m-2025-08-07",`), plain, "own"},
		{"a dearer model beside, and nobody says which", chat, "m", `"fallbacks":["dear"],`, whole(``), 1200, "own"},
		{"a dearer model beside a stream", chat, "m", `"stream":true,"models":["dear"],`, stream(`"model":"dear",`), 1200, "own"},
		{"a dearer model beside, on other terms", chat, "m", `"models":["dear"],"service_tier":"priority",`, whole(``), -1, ""},
		{"a cheaper model beside", chat, "dear", `"models":["m"],`, whole(`"model":"m",`), plain, "own"},
		{"a model beside that is not known", chat, "m", `"models":["vendor/strange"],`, whole(`"model":"vendor/strange",`), 50_000, "own"},
		{"a model beside that is not known and has not served", chat, "m", `"models":["vendor/strange"],`, whole(`"model":"m",`), plain, "own"},
		{"what is no dearer", chat, "dear", `"service_tier":"flex",`, whole(`"service_tier":"flex",`), 1200, "own"},
	} {
		t.Run(row.name, func(t *testing.T) {
			answer.Store(&row.answer)
			before := len(own.asked)
			body := chatOf(row.model, row.members)
			if row.path == respond {
				body = strings.Replace(body, `"messages":`, `"input":`, 1)
			}
			a := s.ask(0, http.MethodPost, row.path, body, "Authorization", "Bearer key-of-large", "X-Request-Id", row.name)
			if row.cost == -1 {
				if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "invalid_request_error") || len(own.asked) > before {
					t.Errorf("status %d: %s", a.StatusCode, a.body)
				}
				return
			}
			if a.StatusCode != http.StatusOK {
				t.Fatalf("status %d: %s", a.StatusCode, a.body)
			}
			if e := s.entryOf(row.name); e.Seller != row.seller || row.cost >= 0 && e.ExpenseMicros != row.cost {
				t.Errorf("booked %+v", e)
			}
		})
	}
	if len(bought.inferences()) != 1 {
		t.Errorf("the other seller was asked %d times", len(bought.inferences()))
	}
	// About 20 tokens of prompt and 50 of an answer: at most 130 micros, or 780.
	answer.Store(new(whole(``)))
	for members, want := range map[string]int{`"max_tokens":50,`: 200, `"max_tokens":50,"service_tier":"priority",`: 402, `"max_tokens":50,"models":["dear"],`: 402} {
		if a := s.ask(0, http.MethodPost, chat, chatOf("m", members), "Authorization", "Bearer key-of-small"); a.StatusCode != want {
			t.Errorf("%s: status %d, want %d: %s", members, a.StatusCode, want, a.body)
		}
	}
	s.verify()
}

// TestTermsOfWhatWasCut: what an answer says once it is done of the terms that it was served on is final, also where its last event does not come.
func TestTermsOfWhatWasCut(t *testing.T) {
	t.Parallel()
	const (
		said = `{"id":"c","service_tier":"default",`
		used = `data: {"id":"c","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":50}}` + "\n\n"
	)
	finished, _, _ := strings.Cut(endEvents, "data: [DONE]")
	for name, c := range map[string]struct {
		answer string
		source string
		cost   int64 // -1: a guess
	}{
		"done":     {roleEvent + textEvent("Hi") + finished + used, "usage", 120},
		"not done": {roleEvent + textEvent("Hi"), "estimate", -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := newProvider(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, strings.ReplaceAll(c.answer, `{"id":"c",`, said))
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			})
			s := newStage(t)
			s.open("\t\tseller own " + own.URL + " {\n\t\t\tapi_key sk-own-account-key\n\t\t\tmodels m\n\t\t\tprice m 1 2\n\t\t\tprice_on m service_tier priority 6 12\n\t\t}\n")
			res, err := s.send(t.Context(), "/v1/chat/completions", chatOf("m", `"stream":true,"service_tier":"priority",`), "X-Request-Id", "cut")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadAll(res.Body)
			_ = res.Body.Close()
			e := s.entryOf("cut")
			if e.Status != "interrupted" || e.BilledSource != c.source || c.cost >= 0 && e.ExpenseMicros != c.cost {
				t.Errorf("booked %+v", e)
			}
			s.verify()
		})
	}
}
