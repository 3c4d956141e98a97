package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// component is a part of the work of a request. A sample of a profile belongs to the first one that has a function on its stack.
type component struct {
	name      string
	functions []string // a part of their names
}

const ours = "tokenbuddy/caddy-tokenbuddy/"

var components = []component{
	{"garbage collection", []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart"}},
	{"ledger: sync", []string{"unix.Fdatasync", "unix.Msync", "syscall.Fsync", "store.(*Store).Sync"}},
	{"ledger: Badger", []string{"dgraph-io/badger"}},
	{"ledger: booking", []string{ours + "ledger"}},
	{"stream: filter and events", []string{ours + "relay.(*filter)", ours + "dialect.(*Events)"}},
	{"client to the sellers", []string{"net/http.(*persistConn)", "net/http.(*Transport)", ours + "relay/", ours + "relay.(*Carrier)", ours + "relay.(*Call)", ours + "relay.(*Body)"}},
	{"writes to the client", []string{"net/http.checkConnErrorWriter.Write", "net/http.(*response).Flush", "net/http.(*response).finishRequest", "net/http.(*http2"}},
	{"request: read, scanned, hashed", []string{ours + "dialect", ours + "gateway.(*promptHasher)", ours + "gateway.(*hashers)", "net/http.(*body).Read"}},
	{"routing, members, limits", []string{ours + "routing", ours + "member", ours + "market", ours + "purchase", ours + "prewarm"}},
	{"gateway: the rest", []string{ours}},
	{"reverse_proxy", []string{"caddyhttp/reverseproxy"}},
	{"server: net/http and Caddy", []string{"net/http.(*conn)", "net/http.(*Server)", "net/http.(*connReader)", "caddyserver/caddy"}},
	{"scheduler", []string{"runtime.mcall", "runtime.schedule", "runtime.park_m", "runtime.mstart", "runtime.sysmon", "runtime.goexit0"}},
}

// rest is what belongs to none.
const rest = "what is left"

// spent gives the time of each component in a profile's traces, as go tool pprof prints them.
func spent(traces io.Reader) map[string]time.Duration {
	times := map[string]time.Duration{}
	var took time.Duration
	var stack []string
	end := func() {
		if took > 0 {
			times[componentOf(stack)] += took
		}
		took, stack = 0, nil
	}
	for lines := bufio.NewScanner(traces); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "-----------+") {
			end()
			continue
		}
		value, function, ok := strings.Cut(strings.TrimSpace(line), " ")
		d, err := time.ParseDuration(value)
		switch {
		case ok && err == nil: // a trace begins with its time
			took, stack = d, append(stack, strings.TrimSpace(function))
		case took > 0:
			stack = append(stack, strings.TrimSpace(line))
		}
	}
	end()
	return times
}

func componentOf(stack []string) string {
	for _, c := range components {
		for _, part := range c.functions {
			if slices.ContainsFunc(stack, func(function string) bool { return strings.Contains(function, part) }) {
				return c.name
			}
		}
	}
	return rest
}

// profileTable gives the CPU time a request by component, of the cases that were profiled, in Markdown.
func profileTable(ctx context.Context, file func(load) string, results []result) (string, error) {
	shares := map[string][]string{}
	var heads, lines strings.Builder
	heads.WriteString("| µs a request |")
	lines.WriteString("| --- |")
	for _, r := range results {
		if r.open {
			continue
		}
		traces, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-traces", file(r.load)).Output() //nolint:gosec // a file that was just written
		if err != nil {
			return "", fmt.Errorf("go tool pprof: %w", err)
		}
		times := spent(bytes.NewReader(traces))
		var sum time.Duration
		for _, d := range times {
			sum += d
		}
		fmt.Fprintf(&heads, " %s |", r.name)
		lines.WriteString(" --- |")
		for _, name := range componentNames() {
			part := float64(r.figures[gateway].cpu.Microseconds()) * float64(times[name]) / float64(max(sum, 1))
			shares[name] = append(shares[name], fmt.Sprintf("%.0f", part))
		}
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%s\n%s\n", heads.String(), lines.String())
	for _, name := range componentNames() {
		fmt.Fprintf(&table, "| %s | %s |\n", name, strings.Join(shares[name], " | "))
	}
	return table.String(), nil
}

func componentNames() []string {
	names := make([]string, 0, len(components)+1)
	for _, c := range components {
		names = append(names, c.name)
	}
	return append(names, rest)
}
