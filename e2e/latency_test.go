package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What TestLatency measures with, and what it allows.
const (
	latencyStreams = 20
	latencyEvents  = 10 // in each stream
	latencyPace    = 100 * time.Millisecond
	latencyBound   = 5 * time.Millisecond
	latencyTries   = 6
)

// TestLatency has a seller stamp its events with the time at which it sends them, one each 100 ms, in many streams at once.
// They must be with the client within 5 ms, or where other work keeps the machine, half of them, and all soon by what it takes without a gateway.
func TestLatency(t *testing.T) {
	clock := time.Now()
	var streams struct {
		sync.Mutex
		n int
	}
	answer := func(w http.ResponseWriter, r *http.Request, _ []byte) {
		streams.Lock()
		phase := latencyPace * time.Duration(streams.n%latencyStreams) / latencyStreams
		streams.n++
		streams.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		send := func(event string) {
			_, _ = io.WriteString(w, event)
			w.(http.Flusher).Flush()
		}
		send(roleEvent)
		await(r, phase) // no two streams speak at the same moment
		for range latencyEvents {
			await(r, latencyPace)
			send(textEvent(stampOf(time.Since(clock))))
		}
		send(endEvents)
	}
	s := newSeller(t, "acme", answer)
	alone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		answer(w, r, nil)
	}))
	t.Cleanup(alone.Close)
	registry := registryOf(t, []string{"m"}, s)
	for _, over := range []string{"HTTP/1.1", "TLS and HTTP/2.0"} {
		t.Run(over, func(t *testing.T) {
			c := newCaddy(t, "")
			client, url := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: latencyStreams}}, c.url("")
			if strings.HasPrefix(over, "TLS") {
				client, url = c.startSecure(market(registry, ""))
			} else {
				c.configure(market(registry, ""))
				c.start()
			}
			t.Cleanup(client.CloseIdleConnections)
			read := func() []time.Duration { return readStamps(t, client, url, strings.Fields(over), clock) }
			read() // connections, a token, code that has never run
			for try := 1; ; try++ {
				late := read()
				slices.Sort(late)
				p50, p99, most := late[len(late)/2], late[len(late)*99/100], late[len(late)-1]
				t.Logf("%d events: p50 %s, p99 %s, max %s", len(late), p50, p99, most)
				if p99 <= latencyBound || raced || testing.Short() {
					break
				}
				direct := readStamps(t, http.DefaultClient, alone.URL, []string{"HTTP/1.1"}, clock)
				slices.Sort(direct)
				t.Logf("without a gateway: p99 %s", direct[len(direct)*99/100])
				if p50 <= latencyBound && p99 <= 4*direct[len(direct)*99/100] { // two connections, two more processes to wake
					break
				}
				if try == latencyTries { // once may be the machine's fault, which has other work to do
					t.Errorf("p99 is %s, for the %dth time more than %s", p99, try, latencyBound)
					break
				}
			}
			c.verify()
		})
	}
}

// await paces a seller.
func await(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// stampOf writes a time into an event, and stampIn reads it there.
func stampOf(d time.Duration) string { return "stamp " + strconv.FormatInt(int64(d), 10) }

func stampIn(line string) (time.Duration, bool) {
	_, rest, ok := strings.Cut(line, "stamp ")
	digits, _, _ := strings.Cut(rest, `"`)
	n, err := strconv.ParseInt(digits, 10, 64)
	return time.Duration(n), ok && err == nil
}

// startSecure starts Caddy with the site on HTTPS, under a certificate of Caddy's own authority, and gives a client that
// trusts it and speaks HTTP/2, and the site's URL.
func (c *caddy) startSecure(tokenbuddy string) (client *http.Client, url string) {
	c.t.Helper()
	_, port, err := net.SplitHostPort(c.site)
	if err != nil {
		c.t.Fatal(err)
	}
	url = "https://localhost:" + port
	c.write(c.global("") + fmt.Sprintf("%s {\n\tbind 127.0.0.1\n\ttls internal\n\ttokenbuddy {\n%s\n\t}\n}\n", url, tokenbuddy))
	c.start()
	eventually(c.t, "a certificate", func() bool { return c.log.has("certificate obtained successfully") })
	root, err := os.ReadFile(filepath.Join(c.dir, "data", "caddy", "pki", "authorities", "local", "root.crt"))
	if err != nil {
		c.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		c.t.Fatal("no certificate in root.crt")
	}
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	eventually(c.t, "the site's certificate", func() bool {
		res, err := client.Get(url + "/v1/models")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return true
	})
	return client, url
}

// readStamps reads all streams at once and gives how late each event was.
func readStamps(t *testing.T, client *http.Client, url string, over []string, clock time.Time) []time.Duration {
	t.Helper()
	var mu sync.Mutex
	var late []time.Duration
	var wg sync.WaitGroup
	for range latencyStreams {
		wg.Go(func() {
			res, err := client.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(streamBody))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if want := over[len(over)-1]; res.Proto != want || res.StatusCode != http.StatusOK {
				t.Errorf("status %d over %s, want %s", res.StatusCode, res.Proto, want)
			}
			var own []time.Duration
			lines := bufio.NewScanner(res.Body)
			for lines.Scan() {
				now := time.Since(clock)
				if sent, ok := stampIn(lines.Text()); ok {
					own = append(own, now-sent)
				}
			}
			if err := lines.Err(); err != nil || len(own) != latencyEvents {
				t.Errorf("%d events came, and then: %v", len(own), err)
			}
			mu.Lock()
			late = append(late, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(late) == 0 {
		t.FailNow()
	}
	return late
}
