package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A seller that answers from memory, so that it takes little of the processor that the others are measured on. It sells as
// the protocol says; reverse_proxy gets the same answers from it, settlements and all.
type seller struct {
	address string
	sold    atomic.Int64
	asked   atomic.Int64
	mu      sync.Mutex
	streams map[int][][]byte // by the number of events
}

// serveSeller serves on the address until the process is killed.
func serveSeller(address string) error {
	s := &seller{address: address, streams: map[int][][]byte{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /registry.json", s.registry)
	mux.HandleFunc("POST /purchase/create", s.create)
	mux.HandleFunc("POST /purchase/complete", s.complete)
	mux.HandleFunc("POST /v1/chat/completions", s.infer)
	listener, err := net.Listen("tcp", address) //nolint:noctx // it lives as long as the process
	if err != nil {
		return err
	}
	server := http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	return server.Serve(listener)
}

// registry names as many sellers as the query's n says, all of them this one; the first is the default.
func (s *seller) registry(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	n = max(n, 1)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", fmt.Sprintf("%q", strconv.Itoa(n)))
	if r.Header.Get("If-None-Match") == w.Header().Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = io.WriteString(w, `{"version":"1","defaultSeller":"s0","sellers":[`)
	for i := range n {
		if i > 0 {
			_, _ = io.WriteString(w, ",")
		}
		_, _ = fmt.Fprintf(w, `{"id":"s%d","url":"http://%s","paymentMethods":["mock"],"models":[{"id":"bench-1","inputPriceMicrosPer1m":100000,"outputPriceMicrosPer1m":400000}]}`, i, s.address)
	}
	_, _ = io.WriteString(w, "]}")
}

func (s *seller) create(w http.ResponseWriter, r *http.Request) {
	var order struct {
		AmountMicros int64 `json:"amountMicros"`
	}
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"orderId":"o-%d","amountMicros":%d,"currency":"USD","payment":{},"expiresAt":%q}`,
		order.AmountMicros, order.AmountMicros, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

func (s *seller) complete(w http.ResponseWriter, r *http.Request) {
	var order struct {
		OrderID string `json:"orderId"`
	}
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	amount := strings.TrimPrefix(order.OrderID, "o-")
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"accessToken":"bench-%d","expiresAt":%q,"creditMicros":%s,"paymentReference":"bench"}`,
		s.sold.Add(1), time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339), amount)
}

// answer is a whole answer of a kilobyte.
var answer = []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1771438841,"model":"bench-1","choices":[{"index":0,"message":{"role":"assistant","content":"` +
	strings.Repeat("One word and another. ", 33) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`)

// slowness is what it takes before an answer where a case asks for that: as much as a seller at its quickest.
const slowness = 20 * time.Millisecond

func (s *seller) infer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	id := s.asked.Add(1)
	wish := r.Header.Get("User-Agent")
	if wish == "hold" {
		s.hold(w, r)
		return
	}
	count, slow := strings.CutPrefix(wish, "slow/")
	if slow && pause(r.Context(), slowness) != nil {
		return
	}
	if !slow {
		count = strings.TrimPrefix(wish, "events/")
	}
	n, err := strconv.Atoi(count)
	h := w.Header()
	if err != nil || n == 0 {
		h.Set("Content-Type", "application/json")
		h.Set("X-Tokenbuddy-Settlement-Id", strconv.FormatInt(id, 10))
		h.Set("X-Tokenbuddy-Billed-Micros", "9")
		h.Set("X-Tokenbuddy-Prompt-Tokens", "10")
		h.Set("X-Tokenbuddy-Completion-Tokens", "20")
		_, _ = w.Write(answer)
		return
	}
	h.Set("Content-Type", "text/event-stream")
	events := s.events(n)
	for _, event := range events {
		_, _ = w.Write(event)
		w.(http.Flusher).Flush() // net/http's own can
	}
	_, _ = fmt.Fprintf(w, "event: tokenbuddy.settlement\ndata: {\"settlementId\":\"%d\",\"billedMicros\":9,\"promptTokens\":10,\"completionTokens\":20}\n\n", id)
}

// hold sends the head of a stream, and keeps it open until the other side leaves.
func (s *seller) hold(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, event := range s.events(53)[:4] {
		_, _ = w.Write(event)
		w.(http.Flusher).Flush() // net/http's own can
	}
	<-r.Context().Done()
}

// events gives the API's events of a stream, of which the last is its end.
func (s *seller) events(n int) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if events := s.streams[n]; events != nil {
		return events
	}
	const head = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1771438841,"model":"bench-1",`
	var events [][]byte
	add := func(data string) { events = append(events, []byte("data: "+data+"\n\n")) }
	add(head + `"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`)
	for i := range n - 3 {
		add(fmt.Sprintf(`%s"choices":[{"index":0,"delta":{"content":" word%d"},"finish_reason":null}]}`, head, i))
	}
	add(head + `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`)
	add("[DONE]")
	s.streams[n] = events
	return events
}
