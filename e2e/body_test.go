package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

func quoted(s string) string {
	b, _ := json.Marshal(s) // strings always encode
	return string(b)
}

// TestBodyBytes sends bodies that any re-encoding would change. They come to the seller as they are, but for the request's
// id in front and the model's id where it was an alias.
func TestBodyBytes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seller := s.seller("acme", answerPlain, priced("m", "m-latest"), "große/m:1", "other")
	s.open("\t\tmodel_alias fast m\n\t\tmodel_alias \"very fast\" \"große/m:1\"\n\t\tmodel_alias other m\n")
	for name, try := range map[string]struct {
		body string
		// sent is the body with ID where the request's id goes; empty: the client's with `"requestId":ID,` put in front.
		sent string
	}{
		"plain":              {body: `{"model":"m"}`},
		"blanks all over":    {" \r\n\t{ \n \"messages\" :\t[ ] ,\r\n  \"model\"\n:\t\"m\"\r\n } \n\n", " \r\n\t{\"requestId\":ID, \n \"messages\" :\t[ ] ,\r\n  \"model\"\n:\t\"m\"\r\n } \n\n"},
		"escapes":            {body: `{"model":"m","messages":[{"content":"\u003chi\u003e \/ \u00e4 \ud83d\ude00 \b\f","role":"user"}]}`},
		"unicode":            {body: `{"model":"m","messages":"<ä> & 😀 ` + "\u2028\u007f" + `"}`},
		"numbers":            {body: `{"model":"m","a":1e400,"b":-0.0,"c":12345678901234567890123,"d":1.10,"e":1E+2,"temperature":0.70}`},
		"twins of others":    {body: `{"a":1,"a":2,"model":"m","messages":[1],"user":"x","user":"y"}`},
		"nested ones":        {body: `{"metadata":{"model":"x","model":"y","requestId":1,"stream":"no"},"model":"m","tools":[{"model":1}]}`},
		"odd names":          {body: `{"":0," ":1,"\u0061":2,"ä":3,"model":"m","toString":null}`},
		"escaped model":      {body: `{"model":"\u006d"}`},
		"deep":               {body: `{"model":"m","x":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`},
		"large":              {body: `{"x":"` + strings.Repeat("a\\n", 1<<20) + `","model":"m"}`},
		"alias of config":    {`{"a":1.0,"model" : "fast" ,"b":[ ]}`, `{"requestId":ID,"a":1.0,"model" : "m" ,"b":[ ]}`},
		"alias of registry":  {`{"model":"m-latest","user":"m-latest"}`, `{"requestId":ID,"model":"m","user":"m-latest"}`},
		"escaped alias":      {`{"model":"fa\u0073t"}`, `{"requestId":ID,"model":"m"}`},
		"alias over an id":   {`{"model":"other"}`, `{"requestId":ID,"model":"m"}`},
		"alias to a hard id": {`{"model":"very fast"}`, `{"requestId":ID,"model":"große/m:1"}`},
		"id of its own":      {`{"requestId":"mine", "model":"m"}`, `{"requestId":"mine", "model":"m"}`},
		"id of its own last": {`{"model":"m","requestId" : "mine"}`, `{"model":"m","requestId" : "mine"}`},
		"id and alias":       {`{"model":"fast","requestId":"mine"}`, `{"model":"m","requestId":"mine"}`},
		"id null":            {`{"model":"m","requestId":null}`, `{"model":"m","requestId":null}`},
		"id twin":            {`{"model":"m","request_id":"mine"}`, `{"model":"m","request_id":"mine"}`},
	} {
		id := "body " + name
		for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/v1/embeddings"} {
			a := s.ask(0, "POST", path, try.body, "X-Request-Id", id)
			asked := seller.inferences()
			if a.StatusCode != http.StatusOK || len(asked) == 0 {
				t.Errorf("%s: status %d: %s", name, a.StatusCode, a.body)
				continue
			}
			want := try.sent
			if want == "" {
				want = `{"requestId":ID,` + try.body[1:]
			}
			want = strings.Replace(want, "ID", quoted(id), 1)
			if got := string(asked[len(asked)-1].Body); got != want {
				t.Errorf("%s:\n got %.300q\nwant %.300q", name, got, want)
			}
		}
	}
}

func compressed(t testing.TB, coding string, body []byte) []byte {
	var buf bytes.Buffer
	var w interface {
		Write([]byte) (int, error)
		Close() error
	}
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "br":
		w = brotli.NewWriter(&buf)
	case "deflate":
		w = zlib.NewWriter(&buf)
	case "zstd":
		z, err := zstd.NewWriter(&buf)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestCompressedRequests sends bodies as coding agents do, and as nobody should. max_body is on the decoded size.
func TestCompressedRequests(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seller := s.seller("acme", answerPlain, "m")
	s.open("\t\tmax_body 64KiB\n", "")
	full := `{"model":"m","pad":"` + strings.Repeat("x", 64<<10-22) + `"}` // to the byte what max_body allows
	over := full[:len(full)-2] + `x"}`
	for _, coding := range []string{"gzip", "zstd", "br"} {
		for body, want := range map[string]int{`{ "model" : "m" }`: 200, full: 200, over: 413} {
			a := s.ask(0, "POST", "/v1/chat/completions", string(compressed(t, coding, []byte(body))), "Content-Encoding", coding, "X-Request-Id", "r")
			if a.StatusCode != want {
				t.Errorf("%s, %d bytes: status %d, want %d: %s", coding, len(body), a.StatusCode, want, a.body)
			}
			if want != 200 || a.StatusCode != want {
				continue
			}
			asked := seller.inferences()
			last := asked[len(asked)-1]
			if string(last.Body) != `{"requestId":"r",`+body[1:] {
				t.Errorf("%s: came as %.100q", coding, last.Body)
			}
			if last.Header.Get("Content-Encoding") != "" || last.Header.Get("Content-Length") != strconv.Itoa(len(last.Body)) {
				t.Errorf("%s: came with the headers %v", coding, last.Header)
			}
		}
		good := compressed(t, coding, []byte(chatBody))
		for name, bad := range map[string][]byte{"cut": good[:len(good)-5], "no such coding": []byte(chatBody), "empty": {}} {
			if a := s.ask(0, "POST", "/v1/chat/completions", string(bad), "Content-Encoding", coding); a.StatusCode != 400 {
				t.Errorf("%s, %s: status %d: %s", coding, name, a.StatusCode, a.body)
			}
		}
	}
	for body, want := range map[string]int{full: 200, over: 413} {
		if a := s.ask(0, "POST", "/v1/messages", body); a.StatusCode != want {
			t.Errorf("%d bytes: status %d, want %d", len(body), a.StatusCode, want)
		}
		if a := s.ask(0, "POST", "/v1/messages", body, "Content-Encoding", "identity"); a.StatusCode != want {
			t.Errorf("%d bytes with coding identity: status %d, want %d", len(body), a.StatusCode, want)
		}
	}
	if a := s.ask(0, "POST", "/v1/messages", string(compressed(t, "gzip", []byte(chatBody))), "Content-Encoding", "GZip"); a.StatusCode != 200 {
		t.Errorf("the coding in another case: status %d", a.StatusCode)
	}
	before := len(seller.inferences())
	for _, unknown := range []string{"deflate", "compress", "gzip, gzip", "x-unknown"} {
		a := s.ask(0, "POST", "/v1/chat/completions", string(compressed(t, "deflate", []byte(chatBody))), "Content-Encoding", unknown)
		if a.StatusCode/100 != 4 || a.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("coding %s: status %d: %s", unknown, a.StatusCode, a.body)
		}
	}
	if after := len(seller.inferences()); after != before {
		t.Errorf("%d requests that can't be read went to a seller", after-before)
	}
}

// TestBombs sends bodies that unfold to gigabytes, many at once. They are refused, and the process does not grow with them.
func TestBombs(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", answerPlain, "m")
	s.open("")
	for _, coding := range []string{"gzip", "zstd", "br"} {
		bomb := string(bombOf(t, coding, 256<<20))
		done := make(chan *answered)
		for range 8 {
			go func() { done <- s.ask(0, "POST", "/v1/chat/completions", bomb, "Content-Encoding", coding) }()
		}
		for range 8 {
			a := <-done // one member does not get the memory for all of them at once
			tooLarge := a.StatusCode == http.StatusRequestEntityTooLarge && strings.Contains(a.body, "request_too_large")
			tooMuch := a.StatusCode == http.StatusServiceUnavailable && strings.Contains(a.body, "of yours")
			if !tooLarge && !tooMuch {
				t.Errorf("%s: status %d: %s", coding, a.StatusCode, a.body)
			}
		}
	}
	if peak := s.peakMemory(); peak > 600<<20 && !raced {
		t.Errorf("the process grew to %d MiB", peak>>20)
	}
	if a := s.infer("after", "m", ""); a.StatusCode != http.StatusOK {
		t.Errorf("after the bombs: status %d: %s", a.StatusCode, a.body)
	}
}

// bombOf is a JSON string of n blanks, compressed.
func bombOf(t testing.TB, coding string, n int) []byte {
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	var buf bytes.Buffer
	var w interface {
		Write([]byte) (int, error)
		Close() error
	}
	switch coding {
	case "gzip":
		w, _ = gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	case "br":
		w = brotli.NewWriterLevel(&buf, 1)
	case "zstd":
		w, _ = zstd.NewWriter(&buf, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	}
	_, _ = w.Write([]byte(`{"model":"m","x":"`))
	for range n / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = w.Write([]byte(`"}`))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// peakMemory is the most that the process has had in memory, 0 where the system does not say.
func (c *caddy) peakMemory() int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}
