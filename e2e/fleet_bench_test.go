package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// BenchmarkFleet tells what a request of a member with a budget costs a gateway in a fleet, beside one in none: the ratio of the CPU time
// of both processes, which are loaded in turn by 16 clients.
func BenchmarkFleet(b *testing.B) {
	pg := pgtest.New(b)
	acme := newSeller(b, "acme", settledBy(answerPlain, "Billed-Micros", "9"))
	registry := registryOf(b, []string{"m"}, acme)
	const body = "\t\tmember m {\n\t\t\tkey key-of-m\n\t\t\tdaily_budget 100000\n\t\t}\n\t\tpurchase {\n\t\t\tamount 1000\n\t\t\tdaily_limit 1000000\n\t\t}\n"
	var both [2]*caddy
	for i, fleet := range []string{"", "\t\tfleet postgres {env.FLEET_DSN}\n"} {
		c := newCaddy(b, "")
		c.env = append(c.env, "FLEET_DSN="+pg.DSN())
		c.write(strings.Replace(c.global(""), "\tdebug\n", "\tlog {\n\t\tlevel ERROR\n\t}\n", 1) +
			fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n%s\n\t}\n}\n", c.site, market(registry, fleet+body)))
		c.launch()
		eventually(b, "the gateway serves", func() bool {
			res, err := c.send(context.Background(), "/v1/chat/completions", chatOf("m", ""), "Authorization", "Bearer key-of-m")
			if err != nil {
				return false
			}
			defer res.Body.Close()
			return res.StatusCode == http.StatusOK
		})
		both[i] = c
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	load := func(c *caddy, n int) {
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for range n / 16 {
					req, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, c.url("/v1/chat/completions"), strings.NewReader(chatOf("m", "")))
					req.Header.Set("Authorization", "Bearer key-of-m")
					req.Header.Set("Content-Type", "application/json")
					res, err := client.Do(req)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if res.StatusCode != http.StatusOK {
						b.Errorf("status %d", res.StatusCode)
					}
				}
			})
		}
		all.Wait()
	}
	var ticks [2]float64
	requests := 0
	for b.Loop() {
		for i, c := range both {
			before := cpuTicks(b, c)
			load(c, 1600)
			ticks[i] += cpuTicks(b, c) - before
		}
		requests += 1600
	}
	b.ReportMetric(ticks[1]/ticks[0], "fleet/alone")
	b.ReportMetric(ticks[0]*1e4/float64(requests), "µs-alone/req") // a tick is 10 ms
}

// cpuTicks is the CPU time that a Caddy has used, in ticks of the clock.
func cpuTicks(tb testing.TB, c *caddy) float64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/stat")
	if err != nil {
		tb.Skip("no CPU time of another process here: ", err)
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return user + system
}
