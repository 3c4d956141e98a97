package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestManyStreams holds many streams open at once, half over HTTP/1.1 and half over HTTP/2, has the config change in the middle,
// and then has all of them go on: each ends whole, each is booked once, and what they took is given back. With TOKENBUDDY_CHAOS
// they are 10,000, as far as the process may have that many files open.
func TestManyStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of streams")
	}
	n := min(chaosSize(1000, 10_000), mostStreams(t))
	release := make(chan struct{})
	var open atomic.Int64
	s := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, roleEvent+textEvent("one"))
		w.(http.Flusher).Flush()
		open.Add(1)
		select {
		case <-release:
			_, _ = io.WriteString(w, textEvent("two")+endEvents)
		case <-r.Context().Done():
		}
	})
	s.tokens["sk-acme"] = true
	c := newCaddy(t, "")
	directive := func(attempts int) string {
		return fmt.Sprintf("\t\tseller acme %s {\n\t\t\tapi_key sk-acme\n\t\t\tprice m 1 2\n\t\t}\n\t\tfailover {\n\t\t\tmax_attempts %d\n\t\t}\n", s.URL, attempts)
	}
	h2, url := c.startSecure(directive(2))
	secure := h2.Transport.(*http.Transport).TLSClientConfig.Clone()
	secure.NextProtos = []string{"http/1.1"}
	h1 := &http.Client{Transport: &http.Transport{TLSClientConfig: secure}}
	before := c.takes()

	streams := make([]*http.Response, n)
	begun := time.Now()
	openStreams(t, streams[:n/2], []*http.Client{h1, h2}, url)
	c.write(strings.Replace(c.wrote(), "max_attempts 2", "max_attempts 3", 1))
	c.reload()
	openStreams(t, streams[n/2:], []*http.Client{h1, h2}, url)
	eventually(t, "all streams are open", func() bool { return open.Load() == int64(n) })
	held := c.takes()
	t.Logf("%d streams open after %s: %d goroutines, %d files, %d MB; %d, %d and %d before", n, time.Since(begun).Round(time.Millisecond),
		held.goroutines, held.files, held.resident>>20, before.goroutines, before.files, before.resident>>20)

	close(release)
	endStreams(t, streams)
	h1.CloseIdleConnections()
	h2.CloseIdleConnections()
	s.CloseClientConnections()
	entries := c.entries("inference")
	for _, e := range entries {
		if e.Status != "ok" || e.BilledMicros != 20 {
			t.Fatalf("booked: %+v", e)
		}
	}
	if len(entries) != n || len(s.inferences()) != n {
		t.Errorf("%d entries and %d attempts for %d streams", len(entries), len(s.inferences()), n)
	}
	c.verify()
	eventually(t, "goroutines and files are given back", func() bool {
		now := c.takes()
		return now.goroutines <= before.goroutines+20 && now.files <= before.files+20
	})
}

// mostStreams gives how many streams fit into the files that a process may have open: each takes one here and one in Caddy for
// the seller, and half of them another for the client.
func mostStreams(t *testing.T) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(min(limit.Cur, 1<<20)-500) * 2 / 3
}

// openStreams opens streams in turn by each of the clients, and reads the beginning of each.
func openStreams(t *testing.T, streams []*http.Response, clients []*http.Client, url string) {
	t.Helper()
	const begins = roleEvent
	var wait sync.WaitGroup
	free := make(chan struct{}, 64)
	for i := range streams {
		wait.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			res, err := clients[i%len(clients)].Post(url+"/v1/chat/completions", "application/json", strings.NewReader(streamBody))
			if err != nil {
				t.Error(err)
				return
			}
			streams[i] = res
			head := make([]byte, len(begins))
			if _, err := io.ReadFull(res.Body, head); err != nil || string(head) != begins {
				t.Errorf("status %d, %v after %q", res.StatusCode, err, head)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// endStreams reads the rest of all streams.
func endStreams(t *testing.T, streams []*http.Response) {
	t.Helper()
	want := textEvent("one") + textEvent("two") + endEvents
	var wait sync.WaitGroup
	for _, res := range streams {
		wait.Go(func() {
			defer res.Body.Close()
			if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != want {
				t.Errorf("%v after %q", err, rest)
			}
		})
	}
	wait.Wait()
}

// taken is what a process takes of the machine: goroutines, files, and bytes.
type taken struct{ goroutines, files, heap, resident int }

func (t taken) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d MB in memory, %d of them in use", t.goroutines, t.files, t.resident>>20, t.heap>>20)
}

// takes looks at what Caddy takes, after its garbage has been collected. The ledger's tables, each of which is open for as long as it is
// there, are not among the files.
func (c *caddy) takes() taken {
	c.t.Helper()
	c.look("/debug/pprof/heap?gc=1")
	_, body := c.look("/metrics")
	var t taken
	for name, to := range map[string]*int{
		"go_goroutines": &t.goroutines, "process_open_fds": &t.files,
		"go_memstats_heap_alloc_bytes": &t.heap, "process_resident_memory_bytes": &t.resident,
	} {
		_, rest, ok := bytes.Cut(body, []byte("\n"+name+" "))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		value, err := strconv.ParseFloat(string(line), 64)
		if !ok || err != nil {
			c.t.Skipf("no %s here: %v", name, err)
		}
		*to = int(value)
	}
	tables, err := filepath.Glob(filepath.Join(c.ledgerDir(), "*.sst"))
	if err != nil {
		c.t.Fatal(err)
	}
	t.files -= len(tables)
	return t
}

// wrote gives the Caddyfile as it is now.
func (c *caddy) wrote() string {
	text, err := os.ReadFile(c.caddyfile())
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}
