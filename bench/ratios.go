package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
)

// tolerance is how much above the committed ratio one may be.
const tolerance = 1.25

// ratiosOf gives the gateway's ratios to reverse_proxy, by the name of the case.
func ratiosOf(results []result) map[string]float64 {
	ratios := map[string]float64{}
	for _, r := range results {
		ratios[r.name] = math.Round(100*r.ratios[gateway].cost) / 100
	}
	return ratios
}

// writeRatios puts the ratios of the results into the file, and leaves those of other cases there.
func writeRatios(file string, results []result) error {
	ratios, err := readRatios(file)
	if errors.Is(err, os.ErrNotExist) {
		ratios, err = map[string]float64{}, nil
	}
	if err != nil {
		return err
	}
	maps.Copy(ratios, ratiosOf(results))
	text, err := json.MarshalIndent(ratios, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644) //nolint:gosec // it is committed
}

func readRatios(file string) (map[string]float64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var ratios map[string]float64
	if err := json.Unmarshal(text, &ratios); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return ratios, nil
}

// held measures once more what was dearer than the file allows, and fails where it is so again.
func (b *bench) held(results []result) error {
	allowed, err := readRatios(b.ratios)
	if err != nil {
		return err
	}
	again := tooDear(results, allowed)
	if len(again) == 0 {
		return nil
	}
	fmt.Fprintf(b.out, "\nonce more, as they were dearer than %.2f times %s:\n", tolerance, b.ratios)
	var once []load
	for _, r := range again {
		if r.open {
			// Memory once taken is used again: only a process that is new tells.
			if err := b.renew(); err != nil {
				return err
			}
		}
		once = append(once, r.load)
	}
	results, err = b.measureAll(once)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range tooDear(results, allowed) {
		errs = append(errs, fmt.Errorf("%s: %.2f times reverse_proxy, twice; %.2f is committed", r.name, r.ratios[gateway].cost, allowed[r.name]))
	}
	return errors.Join(errs...)
}

// tooDear gives the results whose ratio is above what is allowed; one that the file does not name is allowed anything.
func tooDear(results []result, allowed map[string]float64) []result {
	var dear []result
	for _, r := range results {
		if limit, ok := allowed[r.name]; ok && r.ratios[gateway].cost > tolerance*limit {
			dear = append(dear, r)
		}
	}
	return dear
}

// renew starts all processes anew.
func (b *bench) renew() error {
	b.end()
	b.targets = nil
	return b.start()
}
