package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// span is one as OpenTelemetry's exporter to the console writes it.
type span struct {
	Name        string
	SpanContext struct{ TraceID, SpanID string }
	Parent      struct{ SpanID string }
	Attributes  []struct {
		Key   string
		Value struct{ Value any }
	}
	Status struct{ Code string }
}

func (s *span) attribute(key string) any {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.Value
		}
	}
	return nil
}

// TestTracing has a request go to a seller that fails, then to one's own, behind Caddy's tracing.
func TestTracing(t *testing.T) {
	t.Parallel()
	const trace = "0af7651916cd43dd8448eb211c80319c"
	s := newStage(t)
	stranger := s.seller("stranger", sayJSON(500, `{}`), priced("m"))
	lan, silent := newProvider(t, answerPlain), newProvider(t, answerPlain)
	s.prepare("\t\ttracing\n+++\t\tdefault_seller stranger\n\t\tseller lan " + lan.URL + " {\n\t\t\tno_key\n\t\t\tprice m 1 2\n\t\t\ttrace\n\t\t}\n" +
		"\t\tseller silent " + silent.URL + " {\n\t\t\tno_key\n\t\t\tprice quiet 1 2\n\t\t}\n")
	s.env = append(s.env, "OTEL_TRACES_EXPORTER=console", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none", "OTEL_BSP_SCHEDULE_DELAY=100")
	s.start()
	parent := "00-" + trace + "-b7ad6b7169203331-01"
	for _, model := range []string{"m", "quiet"} {
		if a := s.ask(0, "POST", "/v1/chat/completions", chatOf(model, ""), "Traceparent", parent, "X-Request-Id", "traced "+model); a.StatusCode != 200 {
			t.Fatalf("status %d: %s", a.StatusCode, a.body)
		}
	}
	var failed, served, purchase *span
	commits := 0
	eventually(t, "the spans", func() bool {
		failed, served, purchase, commits = nil, nil, nil, 0
		for line := range strings.Lines(s.log.String()) {
			one := new(span)
			if !strings.HasPrefix(line, `{"Name"`) || json.Unmarshal([]byte(line), one) != nil || one.SpanContext.TraceID != trace {
				continue
			}
			switch by := one.attribute("gen_ai.provider.name"); {
			case by == "stranger" && failed == nil: // it was tried again
				failed = one
			case by == "lan":
				served = one
			case one.Name == "purchase":
				purchase = one
			case one.Name == "commit":
				commits++
			}
		}
		return failed != nil && served != nil && purchase != nil && commits >= 2
	})
	for key, want := range map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "server.address": "127.0.0.1", "http.response.status_code": 200.0,
		"gen_ai.usage.input_tokens": 5.0, "tokenbuddy.request_id": "traced m", "error.type": nil,
	} {
		if got := served.attribute(key); got != want {
			t.Errorf("the span of the answer: %s is %v, want %v", key, got, want)
		}
	}
	if served.Name != "chat m" || failed.Status.Code != "Error" || failed.attribute("error.type") != "soft_5xx" || purchase.Parent.SpanID != failed.SpanContext.SpanID {
		t.Errorf("served %+v, failed %+v, purchase %+v", served, failed, purchase)
	}
	if got, want := lan.asked[0].Header.Get("Traceparent"), "00-"+trace+"-"+served.SpanContext.SpanID+"-01"; got != want {
		t.Errorf("one's own is told %q, want %q", got, want)
	}
	for who, asked := range map[string][]inference{"stranger": stranger.asked, "silent": silent.asked} {
		if len(asked) == 0 {
			t.Errorf("%s was not asked", who)
		}
		for _, a := range asked {
			if a.Header.Get("Traceparent")+a.Header.Get("Tracestate") != "" {
				t.Errorf("%s is told %v", who, a.Header)
			}
		}
	}
	s.verify()
}
