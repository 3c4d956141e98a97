package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
)

// sink is a client that takes all.
type sink struct{ header http.Header }

func (s sink) Header() http.Header         { return s.header }
func (s sink) WriteHeader(int)             {}
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (s sink) Flush()                      {}

// BenchmarkStream relays a stream of chat that is there already: what is measured is the filter and the reading of the events.
func BenchmarkStream(b *testing.B) {
	var stream strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&stream, `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1771438841,"model":"gpt-5","service_tier":"default","system_fingerprint":"fp_1",`+
			`"choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"%x"}`+"\n\n", i%97, i*i)
	}
	stream.WriteString(`data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n")
	b.SetBytes(int64(stream.Len()))
	for b.Loop() {
		s := relay.NewStream(io.NopCloser(strings.NewReader(stream.String())), func() {}, relay.StreamOptions{
			Watcher: dialect.Lookup("/v1/chat/completions").Events(), Idle: time.Minute, Shutdown: b.Context(), Client: b.Context(),
		})
		if got := s.Begin(); got != relay.Committed {
			b.Fatal(got)
		}
		if got := s.Relay(sink{http.Header{}}); got != relay.Whole {
			b.Fatal(got)
		}
	}
}
