package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recordings is a folder of recorded event streams of real providers. It is an extra: where it is not there the tests that
// use it skip, and the filter's own scripts and fuzzing stand for them.
const recordings = "../../shared/fixtures"

// recording is what the manifest says of one of them.
type recording struct {
	File          string          `json:"file"`
	Kind          string          `json:"kind"`
	ExpectedUsage json.RawMessage `json:"expected_usage"`
	stream        []byte
}

func loadRecordings(t *testing.T) []recording {
	b, err := os.ReadFile(filepath.Join(recordings, "manifest.json"))
	if err != nil {
		t.Skip("no recordings here")
	}
	var all, streams []recording
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if !strings.HasSuffix(r.File, ".sse") {
			continue
		}
		if r.stream, err = os.ReadFile(filepath.Join(recordings, r.File)); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, r)
	}
	return streams
}

// path is where the API of a recording is asked.
func (r recording) path() string {
	switch folder, _, _ := strings.Cut(r.File, "/"); folder {
	case "chat":
		return "/v1/chat/completions"
	case "completions":
		return "/v1/completions"
	case "messages":
		return "/v1/messages"
	default:
		return "/v1/responses"
	}
}

// TestRecordings has a seller replay every recording in random pieces, with a settlement at the start, between two events
// and at the end. The client must get the recording's very bytes, and the entry the recording's usage.
func TestRecordings(t *testing.T) {
	all := loadRecordings(t)
	byModel := make(map[string]recording)
	var models []string
	for i, r := range all {
		model := fmt.Sprintf("recording-%d", i)
		models = append(models, model)
		byModel[model] = r
	}
	s := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		var ask struct{ Model, Where string }
		_ = json.Unmarshal(body, &ask)
		settlement := fmt.Sprintf("event: tokenbuddy.settlement\ndata: {\"settlementId\":\"%s\",\"billedMicros\":1}\n\n", r.Header.Get("Idempotency-Key"))
		w.Header().Set("Content-Type", "text/event-stream")
		replay(w, withSettlement(byModel[ask.Model].stream, settlement, ask.Where))
	})
	s.credit = 50_000_000
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, models, s), ""))
	c.start()
	for model, r := range byModel {
		for _, where := range []string{"start", "between", "end"} {
			// The prompt is long enough for the usage that was recorded to be believed.
			body := fmt.Sprintf(`{"model":%q,"where":%q,"stream":true,"pad":%q}`, model, where, strings.Repeat("x", 600_000))
			res, got := c.tryPost(r.path(), body)
			if r.failsBeforeContent() {
				if res.StatusCode != http.StatusBadGateway {
					t.Errorf("%s: status %d for a stream that says its own error before content", r.File, res.StatusCode)
				}
				continue
			}
			if res.StatusCode != http.StatusOK || !bytes.HasPrefix(got, r.stream) {
				t.Errorf("%s, settlement at the %s: status %d, %d bytes came for %d:\n%q\nand were\n%q", r.File, where, res.StatusCode, len(got), len(r.stream), got, r.stream)
			}
		}
	}
	eventually(t, "every entry", func() bool { return len(c.entries("inference")) == 3*len(all) })
	for _, e := range c.entries("inference") {
		r := byModel[e.RequestedModel]
		if r.failsBeforeContent() {
			continue
		}
		prompt, completion, cached := r.usage(t)
		if e.PromptTokens != prompt || e.CompletionTokens != completion || e.CacheReadTokens != cached {
			t.Errorf("%s: booked %d, %d, %d tokens; recorded %d, %d, %d", r.File,
				e.PromptTokens, e.CompletionTokens, e.CacheReadTokens, prompt, completion, cached)
		}
		if e.BilledMicros != 1 {
			t.Errorf("%s: billed %d by %s, the settlement said 1", r.File, e.BilledMicros, e.BilledSource)
		}
	}
	c.verify()
}

// failsBeforeContent is true of the recording of a spent account: the stream says so before any content, so the gateway would
// go to another seller, and here there is none.
func (r recording) failsBeforeContent() bool { return strings.Contains(r.File, "insufficient-quota") }

// usage is the recorded usage as the ledger counts: the prompt with its cached part, in every API, and the completion with its
// reasoning, which xAI's chat says beside it: there it is only the total that has all three.
func (r recording) usage(t *testing.T) (prompt, completion, cached int64) {
	var u struct {
		PromptTokens     int64 `json:"prompt_tokens"`
		CompletionTokens int64 `json:"completion_tokens"`
		TotalTokens      int64 `json:"total_tokens"`
		InputTokens      int64 `json:"input_tokens"`
		OutputTokens     int64 `json:"output_tokens"`
		CacheRead        int64 `json:"cache_read_input_tokens"`
		CacheCreation    int64 `json:"cache_creation_input_tokens"`
		PromptDetails    struct {
			Cached int64 `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		CompletionDetails struct {
			Reasoning int64 `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
		InputDetails struct {
			Cached int64 `json:"cached_tokens"`
		} `json:"input_tokens_details"`
	}
	if len(r.ExpectedUsage) > 0 {
		if err := json.Unmarshal(r.ExpectedUsage, &u); err != nil {
			t.Fatalf("%s: %v", r.File, err)
		}
	}
	if reasoning := u.CompletionDetails.Reasoning; u.TotalTokens == u.PromptTokens+u.CompletionTokens+reasoning {
		u.CompletionTokens += reasoning
	}
	return u.PromptTokens + u.InputTokens + u.CacheRead + u.CacheCreation, u.CompletionTokens + u.OutputTokens,
		u.PromptDetails.Cached + u.InputDetails.Cached + u.CacheRead
}

// withSettlement puts a settlement into a stream. The line ends of the recordings are LF or CRLF.
func withSettlement(stream []byte, settlement, where string) []byte {
	blank := []byte("\n\n")
	if bytes.Contains(stream, []byte("\r\n\r\n")) {
		blank = []byte("\r\n\r\n")
	}
	at := 0
	switch where {
	case "between":
		var ends []int
		for i := 0; ; {
			n := bytes.Index(stream[i:], blank)
			if n < 0 {
				break
			}
			i += n + len(blank)
			ends = append(ends, i)
		}
		at = ends[rand.IntN(len(ends))]
	case "end":
		if !bytes.HasSuffix(stream, blank) {
			// An unfinished last block would swallow what follows; a seller finishes it first, and those bytes are not the client's.
			return append(append(bytes.Clone(stream), settlementAfterUnfinished(stream)...), settlement...)
		}
		at = len(stream)
	}
	return bytes.Join([][]byte{stream[:at], []byte(settlement), stream[at:]}, nil)
}

// settlementAfterUnfinished is what ends the last block of a stream that does not end in a blank line.
func settlementAfterUnfinished(stream []byte) string {
	if bytes.HasSuffix(stream, []byte("\n")) {
		return "\n"
	}
	return "\n\n"
}

// replay writes a stream in pieces of random length.
func replay(w http.ResponseWriter, stream []byte) {
	for len(stream) > 0 {
		n := min(len(stream), 1+rand.IntN(4000))
		if _, err := w.Write(stream[:n]); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		stream = stream[n:]
	}
}
