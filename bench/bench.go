package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// bench is one run.
type bench struct {
	options
	ctx     context.Context
	out     io.Writer
	seller  *target
	targets []*target
}

// result is what a case has shown: medians over the rounds, by the name of the target.
type result struct {
	load
	figures map[string]figures
	ratios  map[string]ratio // to reverse_proxy
}

// ratio is a target's figure by reverse_proxy's of the same round; the median over the rounds.
type ratio struct {
	cost     float64 // CPU time a request, or memory of an open stream
	p50, p99 float64
}

// start starts the seller and what is before it.
func (b *bench) start() error {
	fmt.Fprintf(b.out, "%s/%s, %d cores, %s; %d rounds of %s\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), b.rounds, b.measure)
	var err error
	if b.seller, err = startSeller(b.ctx); err != nil {
		return err
	}
	b.targets = append(b.targets, b.seller)
	if _, err := exec.LookPath("nginx"); err == nil {
		t, err := startNginx(b.ctx, b.seller.address)
		b.targets = append(b.targets, t)
		if err != nil {
			return err
		}
	}
	if err := b.caddy(proxy, "\treverse_proxy "+b.seller.address); err != nil {
		return err
	}
	if err := b.caddy(gateway, gatewayTo(b.seller.address, 1)); err != nil {
		return err
	}
	if !b.long {
		return nil
	}
	if err := b.caddy(crowd, gatewayTo(b.seller.address, 100_000)); err != nil {
		return err
	}
	if err := b.caddy(ledger, gatewayTo(b.seller.address, 1)); err != nil {
		return err
	}
	return b.fillLedger(b.target(ledger), 300_000)
}

func (b *bench) caddy(name, directive string) error {
	t, err := startCaddy(b.ctx, name, directive)
	b.targets = append(b.targets, t)
	if err != nil {
		return err
	}
	return b.ready(t)
}

// ready asks until the target answers well: a gateway has a registry to read and a token to buy before that.
func (b *bench) ready(t *target) error {
	request := loads[1].request(t.address)
	for tries := 0; ; tries++ {
		conn, reader, err := dial(b.ctx, t.address)
		if err != nil {
			return err
		}
		err = exchange(conn, reader, request)
		_ = conn.Close()
		if err == nil {
			return nil
		}
		if tries == 100 {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if err := pause(b.ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// fillLedger has the target serve n requests, each of which is an entry.
func (b *bench) fillLedger(t *target, n int) error {
	began := time.Now()
	slow := *b
	slow.warm, slow.measure = 0, 5*time.Second
	for served := 0; served < n; {
		f, err := slow.round(t, load{name: "fill", clients: 64})
		if err != nil {
			return err
		}
		served += int(f.rate * slow.measure.Seconds())
	}
	fmt.Fprintf(b.out, "%d entries booked in %s\n\n", n, time.Since(began).Round(time.Second))
	return nil
}

func (b *bench) target(name string) *target {
	for _, t := range b.targets {
		if t.name == name {
			return t
		}
	}
	return nil
}

// end ends all that was started.
func (b *bench) end() {
	for _, t := range slices.Backward(b.targets) {
		t.end()
	}
}

// measureAll measures the cases, and says of each what it has shown as soon as it is over.
func (b *bench) measureAll(chosen []load) ([]result, error) {
	var results []result
	fmt.Fprintln(b.out, tableHead)
	for _, l := range chosen {
		r, err := b.measureCase(l)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
		fmt.Fprint(b.out, r.table(b.names()))
	}
	for _, t := range b.targets[1:] {
		kB, err := t.memory()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(b.out, "\n%s: %d MB in memory at the end", t.name, kB/1000)
	}
	fmt.Fprintln(b.out)
	return results, nil
}

func (b *bench) names() []string {
	var names []string
	for _, t := range b.targets {
		names = append(names, t.name)
	}
	return names
}

// measureCase loads every target in turn, in another order each round.
func (b *bench) measureCase(l load) (result, error) {
	rounds := b.rounds
	if l.open {
		rounds = 1 // memory that was once taken is not given back for the next
	}
	seen := map[string][]figures{}
	for round := range rounds {
		turn := slices.Clone(b.targets)
		rand.Shuffle(len(turn), func(i, j int) { turn[i], turn[j] = turn[j], turn[i] })
		for _, t := range turn {
			f, err := b.one(t, l, round == 0)
			if err != nil {
				return result{}, err
			}
			seen[t.name] = append(seen[t.name], f)
		}
	}
	return summarize(l, seen), nil
}

func (b *bench) one(t *target, l load, first bool) (figures, error) {
	if l.open {
		return b.hold(t, l)
	}
	if first && b.profile != "" && t.name == gateway {
		defer b.takeProfile(t, l)()
	}
	return b.round(t, l)
}

// summarize gives the medians, and the medians of the rounds' own ratios.
func summarize(l load, seen map[string][]figures) result {
	r := result{load: l, figures: map[string]figures{}, ratios: map[string]ratio{}}
	for name, all := range seen {
		r.figures[name] = figures{
			cpu: median(all, func(f figures) time.Duration { return f.cpu }), rate: median(all, func(f figures) float64 { return f.rate }),
			p50: median(all, func(f figures) time.Duration { return f.p50 }), p99: median(all, func(f figures) time.Duration { return f.p99 }),
			objects: median(all, func(f figures) float64 { return f.objects }), bytes: median(all, func(f figures) float64 { return f.bytes }),
			kB: median(all, func(f figures) float64 { return f.kB }),
		}
		var pairs []ratio
		for i, f := range all {
			base := seen[proxy][i]
			pair := ratio{cost: float64(f.cpu) / float64(base.cpu), p50: float64(f.p50) / float64(base.p50), p99: float64(f.p99) / float64(base.p99)}
			if l.open {
				pair = ratio{cost: f.kB / base.kB}
			}
			pairs = append(pairs, pair)
		}
		r.ratios[name] = ratio{
			cost: median(pairs, func(r ratio) float64 { return r.cost }), p50: median(pairs, func(r ratio) float64 { return r.p50 }),
			p99: median(pairs, func(r ratio) float64 { return r.p99 }),
		}
	}
	return r
}

// median gives the middle one; of an even number the lower of the two.
func median[T any, V float64 | time.Duration](all []T, of func(T) V) V {
	values := make([]V, len(all))
	for i, one := range all {
		values[i] = of(one)
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

const tableHead = "| case | | CPU a request | to reverse_proxy | requests/s | p50 | p99 | allocated |\n| --- | --- | --- | --- | --- | --- | --- | --- |"

// table gives the rows of a result, in Markdown.
func (r result) table(names []string) string {
	var rows strings.Builder
	for _, name := range names {
		f, ratio := r.figures[name], r.ratios[name]
		switch {
		case name == direct && r.open:
			continue
		case r.open:
			fmt.Fprintf(&rows, "| %s | %s | %.0f kB of memory | %.2f | | | | |\n", r.title, name, f.kB, ratio.cost)
			continue
		case name == direct:
			fmt.Fprintf(&rows, "| %s | %s | | | %.0f | %s | %s | |\n", r.title, name, f.rate, ms(f.p50), ms(f.p99))
			continue
		}
		fmt.Fprintf(&rows, "| %s | %s | %d µs | %.2f | %.0f | %s (%.2f) | %s (%.2f) |", r.title, name, f.cpu.Microseconds(), ratio.cost, f.rate,
			ms(f.p50), ratio.p50, ms(f.p99), ratio.p99)
		if f.objects > 0 {
			fmt.Fprintf(&rows, " %.0f, %.1f kB |\n", f.objects, f.bytes/1000)
		} else {
			rows.WriteString(" |\n")
		}
	}
	return rows.String()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }
