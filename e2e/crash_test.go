package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCrash kills the process under load, again and again, at random moments. Each time the ledger opens by itself and
// verifies, every answer that a client had whole is booked, nothing is booked twice, what was open is booked as an estimate,
// and the token goes on serving.
//
// A failed run is repeated by giving its seed in TOKENBUDDY_SEED, as far as the machine repeats itself. TOKENBUDDY_CHAOS in
// the environment makes it longer.
func TestCrash(t *testing.T) {
	kills := 3
	if os.Getenv("TOKENBUDDY_CHAOS") != "" {
		kills = 10
	}
	seed := seedOf(t)
	random := rand.New(rand.NewPCG(seed, 0))
	load := &load{t: t, seed: seed, delivered: make(map[string]bool), sent: make(map[string]bool)}
	seller := newSeller(t, "acme", load.serve)
	c := newCaddy(t, "")
	// Nothing here makes Caddy begin a certificate authority: it does not start again when it was killed in the middle of that.
	c.write("{\n\tadmin " + c.admin + "\n}\n" + siteOf(c.site, market(registryOf(t, []string{"m"}, seller), "")))
	load.caddy = c
	for kill := range kills {
		c.launch()
		<-time.After(upTo(random, 150*time.Millisecond)) // a process that dies while it opens what the one before has left
		c.kill()
		c.start()
		load.check()
		killed := make(chan struct{})
		hung := load.hang(fmt.Sprintf("%d-hung", kill))
		var clients sync.WaitGroup
		for i := range 12 {
			clients.Go(func() { load.run(killed, fmt.Sprintf("%d-%d", kill, i), i%2 == 0) })
		}
		after := 20*time.Millisecond + upTo(random, 400*time.Millisecond)
		<-time.After(after)
		close(killed)
		c.kill()
		clients.Wait()
		_ = hung.Close()
		t.Logf("killed after %s; %d requests sent so far, %d answers delivered whole", after, len(load.sent), len(load.delivered))
	}
	c.start()
	recovered := load.check()
	if recovered < kills {
		t.Errorf("%d holds were recovered, and each of %d kills left at least one", recovered, kills)
	}
	if n := seller.purchases(); n != 1 {
		t.Errorf("%d purchases: the token bought first has credit for all", n)
	}
	if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	c.stop()
	c.start()
	c.verify()
	t.Logf("%d kills: %d requests, %d delivered whole, %d holds recovered", kills, len(load.sent), len(load.delivered), recovered)
}

// TestCrashWhileBuying kills the process while the seller works on a step of a purchase. After the next start the purchase goes
// on with the same key as soon as a request wants it: one purchase is paid, and its token serves.
func TestCrashWhileBuying(t *testing.T) {
	for _, step := range []string{"/purchase/create", "/purchase/complete"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			seller := newSeller(t, "acme", answerPlain)
			var mu sync.Mutex
			keys := make(map[string]int)
			asked, dead := make(chan struct{}), make(chan struct{})
			seller.buying = func(r *http.Request) {
				mu.Lock()
				first := len(keys) == 0 || r.URL.Path == "/purchase/complete" && seller.purchases() == 0
				keys[r.Header.Get("Idempotency-Key")]++
				mu.Unlock()
				if first && r.URL.Path == step {
					close(asked)
					<-dead
				}
			}
			c := newCaddy(t, "")
			c.configure(market(registryOf(t, []string{"m"}, seller), ""))
			c.start()
			lost := make(chan struct{})
			go func() {
				defer close(lost)
				_, _, _ = fetch(http.DefaultClient, c.url("/v1/chat/completions"), chatBody)
			}()
			within(t, 5*time.Second, step, asked)
			c.kill()
			<-lost
			close(dead)
			c.start()
			if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
				t.Errorf("status %d: %s", res.StatusCode, body)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(keys) != 1 || seller.purchases() != 1 {
				t.Errorf("%d purchases were paid, under the keys %v; want one", seller.purchases(), keys)
			}
			if e := c.oneEntry(); e.Status != "ok" {
				t.Errorf("booked: %+v", e)
			}
		})
	}
}

// seedOf gives the seed of a random test, and logs it.
func seedOf(t *testing.T) uint64 {
	seed := rand.Uint64()
	if s := os.Getenv("TOKENBUDDY_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("TOKENBUDDY_SEED: %v", err)
		}
	}
	t.Logf("TOKENBUDDY_SEED=%d", seed)
	return seed
}

// upTo is a random time.
func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// load is what the clients and the seller of TestCrash do, and what they know of it.
type load struct {
	t     *testing.T
	caddy *caddy
	seed  uint64

	mu        sync.Mutex      // protects all following fields
	sent      map[string]bool // ids of requests
	delivered map[string]bool // ids of requests whose answer a client had whole
}

// random is a source that depends on the seed and a request alone, so that both sides may ask it the same.
func (l *load) random(id string) *rand.Rand {
	var sum uint64
	for _, b := range []byte(id) {
		sum = sum*31 + uint64(b)
	}
	return rand.New(rand.NewPCG(l.seed, sum))
}

// serve is the seller: streams with a settlement somewhere, late, or not at all, and plain answers with one in the header.
func (l *load) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	id := r.Header.Get("X-Request-Id")
	random := l.random(id)
	if !bytes.Contains(body, []byte(`"stream":true`)) {
		await(r, upTo(random, 8*time.Millisecond))
		w.Header().Set("X-TokenBuddy-Settlement-Id", "s_"+id)
		w.Header().Set("X-TokenBuddy-Billed-Micros", "70")
		answerPlain(w, r, body)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(text string) {
		_, _ = io.WriteString(w, text)
		w.(http.Flusher).Flush()
		await(r, upTo(random, 2*time.Millisecond))
	}
	settlement := settlementEvent(r.Header, 70)
	position := random.IntN(4)
	send(roleEvent)
	for i := range 4 {
		send(textEvent(fmt.Sprint(i)))
	}
	if strings.HasSuffix(id, "hung") {
		<-r.Context().Done()
		return
	}
	if position == 0 {
		send(settlement)
	}
	send(endEvents)
	if position == 1 {
		await(r, 20*time.Millisecond)
	}
	if position <= 2 && position > 0 {
		send(settlement)
	}
}

// crashStream is what serve streams, without the settlement.
var crashStream = roleEvent + textEvent("0") + textEvent("1") + textEvent("2") + textEvent("3") + endEvents

// run is a client: it sends one request after the other until the process is dead.
func (l *load) run(killed <-chan struct{}, name string, stream bool) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	body, want := chatBody, plainAnswer
	if stream {
		body, want = streamBody, crashStream
	}
	for n := 0; ; n++ {
		id := fmt.Sprintf("%s-%d", name, n)
		l.note(l.sent, id)
		res, got, err := fetch(client, l.caddy.url("/v1/chat/completions"), body, "X-Request-Id", id)
		dead := false
		select {
		case <-killed:
			dead = true
		default:
		}
		switch {
		case err != nil && dead:
			return
		case err != nil:
			l.t.Errorf("request %s: %v", id, err)
			return
		case res.StatusCode != http.StatusOK || string(got) != want || res.Header.Get("X-Request-Id") != id:
			l.t.Errorf("request %s: status %d: %q", id, res.StatusCode, got)
			return
		}
		l.note(l.delivered, id)
	}
}

func (l *load) note(ids map[string]bool, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids[id] = true
}

// hang opens a stream that does not end by itself, and gives it once there is content: its hold is then on disk, and is
// what the next kill leaves behind for sure.
func (l *load) hang(id string) io.Closer {
	l.t.Helper()
	l.note(l.sent, id)
	res, err := l.caddy.send(l.t.Context(), "/v1/chat/completions", streamBody, "X-Request-Id", id)
	if err != nil {
		l.t.Fatal(err)
	}
	readUntil(l.t, res.Body, textEvent("0"))
	return res.Body
}

// check compares the books with what the clients know, while nothing is going on. It gives how many entries are of holds
// that a dead process has left.
func (l *load) check() (recovered int) {
	l.t.Helper()
	l.caddy.verify()
	booked := make(map[string]entry)
	for _, e := range l.caddy.entries("inference") {
		if _, twice := booked[e.RequestID]; twice {
			l.t.Errorf("request %s has two entries: %+v and %+v", e.RequestID, booked[e.RequestID], e)
		}
		if !l.sent[e.RequestID] {
			l.t.Errorf("an entry of a request that nobody made: %+v", e)
		}
		booked[e.RequestID] = e
		if slices.Contains(e.Flags, "recovered") {
			recovered++
			if e.Status != "interrupted" || e.BilledSource != "estimate" || !slices.Contains(e.Flags, "estimated") || e.BilledMicros <= 0 {
				l.t.Errorf("a hold that was left behind is booked as %+v", e)
			}
		} else if e.Status == "ok" && e.BilledMicros != 70 && e.BilledSource == "settlement" {
			l.t.Errorf("the settlement said 70: %+v", e)
		}
	}
	for id := range l.delivered {
		if _, ok := booked[id]; !ok {
			l.t.Errorf("the answer to %s was delivered whole and is not booked", id)
		}
	}
	for id := range l.sent {
		if e, ok := booked[id]; strings.HasSuffix(id, "hung") && (!ok || !slices.Contains(e.Flags, "recovered")) {
			l.t.Errorf("the stream %s that the kill cut: %+v", id, e)
		}
	}
	return recovered
}
