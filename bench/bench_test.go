package main

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSummary: medians, and ratios by round, so that a machine that is slow for a while is slow for both.
func TestSummary(t *testing.T) {
	seen := map[string][]figures{
		proxy:   {{cpu: 100, p50: 10, p99: 20}, {cpu: 1000, p50: 100, p99: 200}, {cpu: 200, p50: 10, p99: 20}},
		gateway: {{cpu: 150, p50: 10, p99: 40}, {cpu: 1500, p50: 300, p99: 400}, {cpu: 600, p50: 20, p99: 60}},
	}
	r := summarize(load{name: "a"}, seen)
	if got := r.ratios[gateway]; got != (ratio{cost: 1.5, p50: 2, p99: 2}) {
		t.Errorf("ratios are %+v", got)
	}
	if got := r.figures[gateway].cpu; got != 600*time.Nanosecond {
		t.Errorf("the median is %s", got)
	}
	if got := r.ratios[proxy].cost; got != 1 {
		t.Errorf("reverse_proxy costs %.2f times itself", got)
	}
}

// TestRatios: what is a quarter dearer than it was is told from what is not, and cases that were not measured keep their ratio.
func TestRatios(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ratios.json")
	of := func(name string, cost float64) result {
		return result{load: load{name: name}, ratios: map[string]ratio{gateway: {cost: cost}}}
	}
	for _, results := range [][]result{{of("a", 1.004), of("b", 2)}, {of("b", 1.5)}} {
		if err := writeRatios(file, results); err != nil {
			t.Fatal(err)
		}
	}
	ratios, err := readRatios(file)
	if err != nil || len(ratios) != 2 || ratios["a"] != 1 || ratios["b"] != 1.5 {
		t.Fatalf("read %v, %v", ratios, err)
	}
	dear := tooDear([]result{of("a", 1.26), of("b", 1.87), of("c", 9)}, ratios)
	if len(dear) != 1 || dear[0].name != "a" {
		t.Errorf("too dear: %v", dear)
	}
}

// TestPicture: it is XML, and a title cannot break it.
func TestPicture(t *testing.T) {
	svg := picture([]result{{load: load{title: `a <b> & "c"`}, ratios: map[string]ratio{gateway: {cost: 1.25}}}})
	decoder := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
	if !strings.Contains(string(svg), ">1.25<") {
		t.Errorf("the ratio is not in\n%s", svg)
	}
}

// TestComponents: a sample belongs to the first component that has a function on its stack.
func TestComponents(t *testing.T) {
	const traces = `File: bench
Type: cpu
-----------+-------------------------------------------------------
      20ms   golang.org/x/sys/unix.Fdatasync
             github.com/tokenbuddy/caddy-tokenbuddy/ledger/store.(*Store).Sync
             github.com/tokenbuddy/caddy-tokenbuddy/ledger.(*Ledger).run
-----------+-------------------------------------------------------
      30ms   encoding/json.Marshal
             github.com/tokenbuddy/caddy-tokenbuddy/ledger.(*batch).end
-----------+-------------------------------------------------------
    1.50s   internal/runtime/syscall.Syscall6
             net/http.checkConnErrorWriter.Write
             github.com/tokenbuddy/caddy-tokenbuddy/gateway.(*reply).deliver
             net/http.(*conn).serve
-----------+-------------------------------------------------------
      10ms   runtime.memmove
-----------+-------------------------------------------------------
`
	want := map[string]time.Duration{
		"ledger: sync": 20 * time.Millisecond, "ledger: booking": 30 * time.Millisecond,
		"writes to the client": 1500 * time.Millisecond, rest: 10 * time.Millisecond,
	}
	if got := spent(strings.NewReader(traces)); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
