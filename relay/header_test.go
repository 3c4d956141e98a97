package relay

import (
	"net/http"
	"reflect"
	"testing"
)

func TestRequestHeader(t *testing.T) {
	client := http.Header{}
	for name, values := range map[string][]string{
		"Accept": {"text/event-stream"}, "Accept-Encoding": {"gzip"}, "Anthropic-Beta": {"a", "b,c"}, "Anthropic-Version": {"2023-06-01"},
		"OpenAI-Beta": {"x"}, "User-Agent": {"sdk/1"}, "Content-Type": {"application/json; charset=utf-8"},
		"Authorization": {"Bearer secret"}, "X-Api-Key": {"secret"}, "Cookie": {"secret"}, "X-Forwarded-For": {"10.0.0.1"}, "Via": {"x"},
		"Forwarded": {"for=10.0.0.1"}, "Origin": {"https://team"}, "Referer": {"https://team"}, "X-Stainless-Os": {"Linux"},
		"X-Request-Id": {"client's"}, "Idempotency-Key": {"client's"}, "X-TokenBuddy-Deadline-Ms": {"1"}, "OpenAI-Organization": {"org"},
		"Content-Encoding": {"gzip"}, "Connection": {"Anthropic-Beta"}, "Anthropic-Dangerous-Direct-Browser-Access": {"true"},
	} {
		for _, v := range values {
			client.Add(name, v)
		}
	}
	want := http.Header{
		"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}, "Accept-Encoding": {"identity"},
		"Anthropic-Beta": {"a", "b,c"}, "Anthropic-Version": {"2023-06-01"}, "Openai-Beta": {"x"}, "User-Agent": {"sdk/1"},
		"X-Request-Id": {"r1"}, "Idempotency-Key": {"k1"},
	}
	got := RequestHeader(client, "r1", "k1")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	got["Anthropic-Beta"][0] = "changed"
	if client.Get("Anthropic-Beta") != "a" {
		t.Error("the client's headers are shared")
	}
	want = http.Header{"Content-Type": {"application/json"}, "Accept-Encoding": {"identity"}, "User-Agent": nil}
	if got := RequestHeader(http.Header{}, "", ""); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAnswerHeader(t *testing.T) {
	seller := http.Header{
		"Content-Type": {"text/event-stream"}, "Content-Length": {"12"}, "Cache-Control": {"no-cache"}, "Retry-After": {"1"},
		"Retry-After-Ms": {"900"}, "X-Should-Retry": {"true"}, "Request-Id": {"req_1"}, "Cf-Ray": {"ray"}, "Openai-Processing-Ms": {"5"},
		"Anthropic-Ratelimit-Tokens-Limit": {"1", "2"}, "X-Ratelimit-Remaining-Requests": {"3"}, "x-ratelimit-Reset": {"4"},

		"Set-Cookie": {"a=b"}, "Location": {"https://x"}, "Strict-Transport-Security": {"x"}, "Content-Security-Policy": {"x"},
		"Access-Control-Allow-Origin": {"*"}, "Alt-Svc": {"x"}, "Server": {"x"}, "Date": {"x"}, "Connection": {"close"},
		"Transfer-Encoding": {"chunked"}, "Content-Encoding": {"gzip"}, "X-Request-Id": {"seller's"}, "Www-Authenticate": {"x"},
		"X-Tokenbuddy-Billed-Micros": {"1"}, "X-Tokenbuddy-Seller": {"other"}, "Clear-Site-Data": {"*"}, "X-Accel-Redirect": {"/etc"},
		"X-Openai-Proxy": {"x"}, "X-Ratelimit": {"no prefix of it"},
	}
	want := http.Header{
		"Content-Type": {"text/event-stream"}, "Cache-Control": {"no-cache"}, "Retry-After": {"1"}, "Retry-After-Ms": {"900"},
		"X-Should-Retry": {"true"}, "Request-Id": {"req_1"}, "Cf-Ray": {"ray"}, "Openai-Processing-Ms": {"5"},
		"Anthropic-Ratelimit-Tokens-Limit": {"1", "2"}, "X-Ratelimit-Remaining-Requests": {"3"}, "X-Ratelimit-Reset": {"4"},
		"X-Request-Id": {"ours"}, "X-Content-Type-Options": {"nosniff"}, "X-Accel-Buffering": {"no"},
	}
	got := http.Header{"X-Request-Id": {"ours"}}
	AnswerHeader(got, seller, false)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	AnswerHeader(got, seller, true)
	if want["Content-Length"] = []string{"12"}; !reflect.DeepEqual(got, want) {
		t.Errorf("untouched: %v, want %v", got, want)
	}
}

// The server does not guess what a seller has left out: a body that begins like a page would be one.
func TestAnswerWithoutType(t *testing.T) {
	for _, seller := range []http.Header{{}, {"Content-Type": nil}, {"Content-Type": {""}}} {
		for untouched, want := range map[bool]string{true: "text/plain; charset=utf-8", false: "text/event-stream"} {
			got := http.Header{}
			if AnswerHeader(got, seller.Clone(), untouched); got.Get("Content-Type") != want {
				t.Errorf("%v, untouched %v: %q", seller, untouched, got["Content-Type"])
			}
		}
	}
}

func TestCompressed(t *testing.T) {
	for want, all := range map[bool][][]string{
		false: {nil, {""}, {"identity"}, {"Identity , identity"}},
		true:  {{"gzip"}, {"br"}, {"identity, zstd"}, {"identity", "x-unknown"}},
	} {
		for _, values := range all {
			if got := Compressed(http.Header{"Content-Encoding": values}); got != want {
				t.Errorf("%q: %v", values, got)
			}
		}
	}
}
