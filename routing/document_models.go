package routing

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

var (
	errModel       = errors.New("a model is neither an id nor an object with an id")
	errModelID     = errors.New("a model's id or alias is empty, too long, or not text")
	errModelAlias  = errors.New("a model's aliases are not a list of ids")
	errModelPrice  = errors.New("a price is not a whole number of micros in a sensible range")
	errModelTwoFor = errors.New("a model stands twice, at different prices")
)

// modelList reads what a seller offers.
func (p *parser) modelList(value gjson.Result) ([]Model, error) {
	models := p.offered[:0]
	err := eachItem(value, "models", func(item gjson.Result) error {
		m, err := p.model(item)
		if err != nil {
			return err
		}
		seen := p.models[m.ID]
		if seen.entry == p.count {
			first := &models[seen.at]
			if *first.Price != *m.Price {
				return errModelTwoFor
			}
			first.Aliases = slices.Concat(first.Aliases, m.Aliases)
			return nil
		}
		seen.entry, seen.at = p.count, len(models)
		models = append(models, m)
		return nil
	})
	if p.offered = models; err != nil {
		return nil, err
	}
	return slices.Clone(models), nil
}

func (p *parser) model(value gjson.Result) (Model, error) {
	price := money.NoPrice
	if value.Type == gjson.String {
		id, err := p.modelID(value)
		return Model{ID: id, Price: p.price(price)}, err
	}
	if !value.IsObject() {
		return Model{}, errModel
	}
	var id, aliases gjson.Result
	var input, output, cacheRead, cacheWrite twin
	value.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "id":
			id = v
		case "aliases":
			aliases = v
		case "inputPriceMicrosPer1m":
			input.set(v, true)
		case "input_price_micros_per_1m", "input_price_micros_per1m":
			input.set(v, false)
		case "outputPriceMicrosPer1m":
			output.set(v, true)
		case "output_price_micros_per_1m", "output_price_micros_per1m":
			output.set(v, false)
		case "cacheReadPriceMicrosPer1m":
			cacheRead.set(v, true)
		case "cache_read_price_micros_per_1m", "cache_read_price_micros_per1m":
			cacheRead.set(v, false)
		case "cacheWritePriceMicrosPer1m":
			cacheWrite.set(v, true)
		case "cache_write_price_micros_per_1m", "cache_write_price_micros_per1m":
			cacheWrite.set(v, false)
		}
		return true
	})
	var m Model
	var err error
	if m.ID, err = p.modelID(id); err != nil {
		return Model{}, err
	}
	if m.Aliases, err = p.aliasList(aliases); err != nil {
		return Model{}, err
	}
	for _, f := range []struct {
		to   *money.Micros
		from gjson.Result
	}{
		{&price.Input, input.value},
		{&price.Output, output.value},
		{&price.CacheRead, cacheRead.value},
		{&price.CacheWrite, cacheWrite.value},
	} {
		if f.from.Type == gjson.Null {
			continue // no such member: the price stays unknown
		}
		n, err := strconv.ParseInt(f.from.Raw, 10, 64)
		if f.from.Type != gjson.Number || err != nil || n < 0 || money.Micros(n) > money.Max {
			return Model{}, errModelPrice
		}
		*f.to = money.Micros(n)
	}
	m.Price = p.price(price)
	return m, nil
}

// modelID gives the one copy of a model's id.
func (p *parser) modelID(value gjson.Result) (string, error) {
	if value.Type != gjson.String || !validModelID(value.Str) {
		return "", errModelID
	}
	known := p.models[value.Str]
	if known == nil {
		known = &modelName{text: strings.Clone(value.Str)}
		p.models[known.text] = known
	}
	return known.text, nil
}

// aliasList reads a model's aliases. Lists that are written alike are kept once.
func (p *parser) aliasList(value gjson.Result) ([]string, error) {
	if known, ok := p.aliases[value.Raw]; ok {
		return known, nil
	}
	if value.Type != gjson.Null && !value.IsArray() {
		return nil, errModelAlias
	}
	var names []string
	err := eachItem(value, "aliases", func(item gjson.Result) error {
		name, err := p.modelID(item)
		names = append(names, name)
		return err
	})
	if err != nil || len(names) == 0 {
		return nil, err
	}
	p.aliases[strings.Clone(value.Raw)] = names
	return names, nil
}

// price gives the one copy of a price.
func (p *parser) price(price money.Price) *money.Price {
	known := p.prices[price]
	if known == nil {
		kept := price
		known = &kept
		p.prices[kept] = known
	}
	return known
}
