package e2e

import (
	"context"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The load of a soak, and what may be left of it.
const (
	soakClients = 16
	soakPhases  = 6
	// What may be more after a phase than it was after the first. The collector's slack and the newest tables come and go.
	heapSlack     = 8 << 20
	residentSlack = 24 << 20
)

// TestSoakChaos has whole answers, streams, clients that leave, sellers that fail and reloads go on together. After each phase
// the process must soon have given back its goroutines and files, and its memory must be where it was after the first: what the ledger
// takes while it merges tables may pass, what grows with it does not. It lasts some seconds; TOKENBUDDY_SOAK gives another time,
// such as 10m.
func TestSoakChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	lasts := 12 * time.Second
	if text := os.Getenv("TOKENBUDDY_SOAK"); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	sellers := []*fakeSeller{newSeller(t, "acme", nil), newSeller(t, "bolt", nil)}
	var turn atomic.Int64
	sellers[0].answer = func(w http.ResponseWriter, r *http.Request, body []byte) {
		switch n := turn.Add(1); {
		case n%50 == 0:
			panic(http.ErrAbortHandler)
		case n%25 == 0:
			http.Error(w, `{"error":{"message":"down","code":"down"}}`, http.StatusServiceUnavailable)
		default:
			sellers[1].answer(w, r, body)
		}
	}
	sellers[1].answer = func(w http.ResponseWriter, r *http.Request, body []byte) {
		if !strings.Contains(string(body), `"stream":true`) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, plainAnswer)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, roleEvent)
		for range 5 {
			_, _ = io.WriteString(w, textEvent("word"))
			w.(http.Flusher).Flush()
			await(r, time.Millisecond)
		}
		_, _ = io.WriteString(w, endEvents)
	}
	registry := registryOf(t, []string{"m"}, sellers...)
	c := newCaddy(t, market(registry, "\t\tfailover {\n\t\t\tcooldown 1s\n\t\t}\n"))
	c.start()
	c.post("/v1/chat/completions", chatOf("m", ""))

	var all soak
	all.run(t, c, lasts/soakPhases/2) // what is there from the start comes into memory
	var base taken
	for phase := range soakPhases {
		all.run(t, c, lasts/soakPhases)
		for _, s := range sellers {
			s.CloseClientConnections()
			s.mu.Lock()
			s.asked = nil // it would fill the memory of the test
			s.mu.Unlock()
		}
		http.DefaultClient.CloseIdleConnections()
		now := c.settled(t, base)
		t.Logf("after phase %d: %d served, %d left, %d failed; %s", phase+1, all.served.Load(), all.left.Load(), all.failed.Load(), now)
		if phase == 0 {
			base = now
		}
	}
	if all.failed.Load() > 0 {
		t.Errorf("%d requests failed", all.failed.Load())
	}
	c.verify()
}

// soak counts what came of the requests.
type soak struct{ served, left, failed atomic.Int64 }

// run has clients ask for a while, and the config change in the middle of it.
func (s *soak) run(t *testing.T, c *caddy, lasts time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: soakClients}}
	defer client.CloseIdleConnections()
	var wait sync.WaitGroup
	for n := range soakClients {
		wait.Go(func() {
			for i := n; ctx.Err() == nil; i++ {
				s.ask(t, client, c.url("/v1/chat/completions"), i)
			}
		})
	}
	reload := time.NewTicker(max(lasts/4, time.Second))
	defer reload.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		select {
		case <-ctx.Done():
		case <-reload.C:
			text := c.wrote()
			c.write(strings.NewReplacer("cooldown 1s", "cooldown 2s", "cooldown 2s", "cooldown 1s").Replace(text))
			c.reload()
		}
	}
	wait.Wait()
}

// ask asks once: for a stream or a whole answer, and of the streams one in ten is left in the middle.
func (s *soak) ask(t *testing.T, client *http.Client, url string, i int) {
	body := chatOf("m", "")
	if i%2 == 0 {
		body = chatOf("m", `"stream":true,`)
	}
	res, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		// Connections that are being made while Caddy hands its listener over may be reset: no handler gets to see them.
		return
	}
	defer res.Body.Close()
	if i%20 == 0 {
		_, _ = io.ReadFull(res.Body, make([]byte, 10))
		s.left.Add(1)
		return
	}
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Logf("status %d, %v: %s", res.StatusCode, err, text)
		s.failed.Add(1)
		return
	}
	s.served.Add(1)
}

// settled waits until the process takes no more than the base, and gives what it takes: without a base the least within some seconds.
// An idle connection to a seller is a file for a while, also where the seller has closed it.
func (c *caddy) settled(t *testing.T, base taken) taken {
	t.Helper()
	now := c.takes()
	if base == (taken{}) {
		settle := time.Now().Add(4 * time.Second)
		eventually(t, "the end of what was going on", func() bool {
			n := c.takes()
			now = taken{min(now.goroutines, n.goroutines), min(now.files, n.files), min(now.heap, n.heap), min(now.resident, n.resident)}
			return time.Now().After(settle)
		})
		return now
	}
	most := taken{base.goroutines + 15, base.files + 2*soakClients + 15, base.heap + heapSlack, base.resident + residentSlack}
	if raced {
		most.resident = math.MaxInt
	}
	defer func() {
		if t.Failed() {
			t.Logf("it takes %s", now)
		}
	}()
	eventually(t, "no more than "+most.String(), func() bool {
		now = c.takes()
		return now.goroutines <= most.goroutines && now.files <= most.files && now.heap <= most.heap && now.resident <= most.resident
	})
	return now
}
