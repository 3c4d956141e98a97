package seller

import (
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Model is one model of a seller.
type Model struct {
	// ID is the model's id. Required.
	ID string `json:"id"`

	// Aliases are other ids under which the model can be asked for.
	Aliases []string `json:"aliases,omitempty"`

	// InputPrice and OutputPrice are micros of a US dollar per million tokens. A model without them is listed without a
	// price and costs nothing.
	InputPrice  *money.Micros `json:"input_price_micros_per_1m,omitempty"`
	OutputPrice *money.Micros `json:"output_price_micros_per_1m,omitempty"`

	// CacheReadPrice is the price of prompt tokens that stood at the head of an earlier prompt under the same token.
	// Without it nothing counts as cached.
	CacheReadPrice *money.Micros `json:"cache_read_price_micros_per_1m,omitempty"`

	// CacheWritePrice is the price of the other prompt tokens on the messages API. Without it none counts as written.
	CacheWritePrice *money.Micros `json:"cache_write_price_micros_per_1m,omitempty"`

	cacheWrite1h *money.Micros // an upstream's, of what is kept for an hour
}

func (m *Model) check() error {
	for _, id := range append([]string{m.ID}, m.Aliases...) {
		if err := checkModelID(id); err != nil {
			return err
		}
	}
	if (m.InputPrice == nil) != (m.OutputPrice == nil) {
		return fmt.Errorf("model %s: expected an input and an output price, or neither", m.ID)
	}
	if m.InputPrice == nil && (m.CacheReadPrice != nil || m.CacheWritePrice != nil) {
		return fmt.Errorf("model %s: a cache price without an input and an output price", m.ID)
	}
	for _, p := range []*money.Micros{m.InputPrice, m.OutputPrice, m.CacheReadPrice, m.CacheWritePrice, m.cacheWrite1h} {
		if p != nil && (*p < 0 || *p > money.Max) {
			return fmt.Errorf("model %s: expected prices from 0 to %s dollars per million tokens", m.ID, money.Max)
		}
	}
	return nil
}

// index gives the models by their ids and aliases.
func index(models []Model) (map[string]*Model, error) {
	byID := make(map[string]*Model)
	for i := range models {
		m := &models[i]
		for _, id := range append([]string{m.ID}, m.Aliases...) {
			if byID[id] != nil {
				return nil, fmt.Errorf("model %q is named twice: expected an id or alias to stand for one model", id)
			}
			byID[id] = m
		}
	}
	return byID, nil
}

// price gives the model's price for the calculation, with what stands for a price that is not there.
func (m *Model) price(missing money.Micros) money.Price {
	or := func(p *money.Micros) money.Micros {
		if p == nil {
			return missing
		}
		return *p
	}
	price := money.Price{
		Input: or(m.InputPrice), Output: or(m.OutputPrice), CacheRead: or(m.CacheReadPrice), CacheWrite: or(m.CacheWritePrice),
	}
	if m.cacheWrite1h != nil {
		price.CacheWrite1h = money.At(*m.cacheWrite1h)
	}
	return price
}

func checkModelID(id string) error {
	if id == "" || len(id) > 256 {
		return fmt.Errorf("model %q: expected an id of 1 to 256 bytes", id)
	}
	return nil
}
