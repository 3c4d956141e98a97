// Command bench measures what the gateway costs beside Caddy's own reverse_proxy: the same binary, the same seller, the same
// load, in turn. What counts is the ratio of the two in one run; a figure alone says more of the machine.
//
//	go run ./bench                 all cases, some two minutes
//	go run ./bench -long           more rounds, 100,000 sellers, 300,000 entries: some fifteen minutes
//	go run ./bench -check          a short form, held against bench/ratios.json: what CI does
//
// It needs Linux, which tells the CPU time of another process. Where nginx is installed it is measured as well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/tokenbuddy/caddy-tokenbuddy"
)

// role in the environment makes the program one of the processes that it starts.
const role = "TOKENBUDDY_BENCH"

// options are what is measured, and how long.
type options struct {
	rounds  int
	warm    time.Duration // of a round, before it counts
	measure time.Duration // of a round
	streams int           // held open at once
	only    string        // names of cases, with commas between them; empty: all
	long    bool
	check   bool
	ratios  string // the file of the committed ratios
	write   bool
	picture string
	profile string
}

func main() {
	switch os.Getenv(role) {
	case "caddy":
		caddycmd.Main()
		return
	case "seller":
		if err := serveSeller(os.Args[1]); err != nil {
			fail(err)
		}
		return
	}
	if err := run(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func run() error {
	o := options{}
	flag.IntVar(&o.rounds, "rounds", 0, "rounds of each case; 0: as the form has it")
	flag.DurationVar(&o.measure, "time", 0, "how long a round is measured; 0: as the form has it")
	flag.StringVar(&o.only, "only", "", "only these `cases`, with commas between their names")
	flag.BoolVar(&o.long, "long", false, "more rounds, and a registry of 100,000 sellers and a ledger of 300,000 entries")
	flag.BoolVar(&o.check, "check", false, "the short form; fails where a ratio is more than a quarter above the committed one, twice")
	flag.StringVar(&o.ratios, "ratios", "bench/ratios.json", "the `file` of the committed ratios")
	flag.BoolVar(&o.write, "write", false, "write the ratios there")
	flag.StringVar(&o.picture, "svg", "", "write the ratios as a picture to this `file`")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the gateway for each case to this `directory`, and say what takes its time")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	o.fill()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	chosen, err := choose(o)
	if err != nil {
		return err
	}
	b := &bench{options: o, ctx: ctx, out: os.Stdout}
	defer b.end()
	if err := b.start(); err != nil {
		return err
	}
	results, err := b.measureAll(chosen)
	if err != nil {
		return err
	}
	if o.profile != "" {
		table, err := profileTable(ctx, b.profileOf, results)
		if err != nil {
			return err
		}
		fmt.Fprint(b.out, "\n", table)
	}
	if o.picture != "" {
		if err := os.WriteFile(o.picture, picture(results), 0o644); err != nil { //nolint:gosec // a picture for the docs
			return err
		}
	}
	if o.write {
		return writeRatios(o.ratios, results)
	}
	if o.check {
		return b.held(results)
	}
	return nil
}

// fill gives the form's own values to what was not asked for otherwise.
func (o *options) fill() {
	rounds, measure, streams := 3, time.Second, 1000
	switch {
	case o.long:
		rounds, measure, streams = 7, 2*time.Second, 2000
	case o.check:
		rounds, measure, streams = 5, 700*time.Millisecond, 500
	}
	if o.rounds == 0 {
		o.rounds = rounds
	}
	if o.measure == 0 {
		o.measure = measure
	}
	o.warm, o.streams = 300*time.Millisecond, streams
}

// choose gives the cases that the options ask for.
func choose(o options) ([]load, error) {
	var chosen []load
	names := strings.Split(o.only, ",")
	for _, l := range loads {
		if o.check && !l.short && o.only == "" {
			continue
		}
		if o.only == "" {
			chosen = append(chosen, l)
			continue
		}
		for _, name := range names {
			if name == l.name {
				chosen = append(chosen, l)
			}
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no such case; there are: " + strings.Join(caseNames(), ", "))
	}
	return chosen, nil
}
