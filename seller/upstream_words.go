package seller

import (
	"errors"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// parseUpstream reads:
//
//	upstream <url> {
//		api_key     <secret>                  # the key of an account there
//		no_key                                # or it wants none
//		auth_header <name>                    # Authorization (with "Bearer "); e.g. x-api-key
//		path_prefix <path>                    # where its paths are not <url>/v1/...
//		header      <name> <value>            # repeatable
//		protocols   <protocol...>             # all: chat_completions responses messages completions embeddings
//		models      <model...>                # what is sold, without asking for a list
//		models      from <path>               # /v1/models: its own list, kept fresh
//		model       <id> as <theirs>          # repeatable: what we call it, and what it is called there
//		price       <model> <input> <output> [<cached_input> [<cache_write> [<cache_write_1h>]]]   # repeatable; * for all others of its list
//	}
func (s *Seller) parseUpstream(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("upstream: got %d arguments, expected <url>", len(args))
	}
	u := &Upstream{URL: args[0]}
	if !strings.Contains(u.URL, "{") {
		if err := checkUpstreamURL(u.URL); err != nil {
			return d.WrapErr(err)
		}
	}
	s.Upstream = u
	words := u.words()
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		parse := words[word]
		if parse == nil {
			return d.Errf("upstream: unknown word %q, expected one of %s", word, strings.Join(wordsOf(words), ", "))
		}
		if seen[word] && word != "header" && word != "model" && word != "price" {
			return d.Errf("upstream: %s stands here a second time, expected it once", word)
		}
		seen[word] = true
		if err := parse(d); err != nil {
			return err
		}
	}
	if err := u.check(); err != nil {
		return d.Errf("upstream: %v", err)
	}
	return nil
}

func (u *Upstream) words() map[string]func(*caddyfile.Dispenser) error {
	return map[string]func(*caddyfile.Dispenser) error{
		"api_key": func(d *caddyfile.Dispenser) error { return one(d, "a key, best as a placeholder", &u.APIKey, nil) },
		"no_key": func(d *caddyfile.Dispenser) error {
			if u.NoKey = true; d.NextArg() {
				return d.Errf("no_key: unexpected %q, expected nothing after it", d.Val())
			}
			return nil
		},
		"auth_header": func(d *caddyfile.Dispenser) error {
			return one(d, "the name of a header", &u.AuthHeader, nil)
		},
		"path_prefix": func(d *caddyfile.Dispenser) error {
			return one(d, "a path", &u.PathPrefix, func(v string) error { return checkPath("path_prefix", v) })
		},
		"header": u.parseHeader,
		"protocols": func(d *caddyfile.Dispenser) error {
			u.Protocols = d.RemainingArgs()
			if len(u.Protocols) == 0 {
				return d.Errf("protocols: expected at least one of %s", strings.Join(allProtocols(), ", "))
			}
			for _, p := range u.Protocols {
				if err := checkWord("protocols", p, allProtocols()...); err != nil {
					return d.WrapErr(err)
				}
			}
			return nil
		},
		"models": u.parseModels,
		"model":  u.parseName,
		"price":  u.parsePrice,
	}
}

func wordsOf(words map[string]func(*caddyfile.Dispenser) error) []string {
	var list []string
	for w := range words {
		list = append(list, w)
	}
	slices.Sort(list)
	return list
}

func (u *Upstream) parseHeader(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.Errf("header: expected <name> <value>")
	}
	if err := checkUpstreamHeader(name); err != nil {
		return d.WrapErr(err)
	}
	for known := range u.Headers {
		if strings.EqualFold(known, name) {
			return d.Errf("header %s stands here a second time, expected it once", name)
		}
	}
	if u.Headers == nil {
		u.Headers = make(map[string]string)
	}
	u.Headers[name] = value
	return nil
}

func (u *Upstream) parseModels(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 0:
		return d.Errf("models: expected at least one model id, or from <path>")
	case args[0] != "from":
		u.Models = args
		return nil
	case len(args) != 2:
		return d.Errf("models from: expected <path>")
	}
	u.ModelsFrom = args[1]
	if err := checkPath("models from", u.ModelsFrom); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (u *Upstream) parseName(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 3 || args[1] != "as" {
		return d.Errf("model: expected <id> as <theirs>")
	}
	if u.Names[args[0]] != "" {
		return d.Errf("model %s stands here a second time, expected it once", args[0])
	}
	if u.Names == nil {
		u.Names = make(map[string]string)
	}
	u.Names[args[0]] = args[2]
	return nil
}

func (u *Upstream) parsePrice(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 3 || len(args) > 6 {
		return d.Errf("price: got %d arguments, expected <model> <input> <output> [<cached_input> [<cache_write> [<cache_write_1h>]]]", len(args))
	}
	p := UpstreamPrice{Model: args[0]}
	var prices []money.Micros
	for _, arg := range args[1:] {
		m, err := money.Parse(arg)
		if err != nil {
			return d.Errf("price %s: %v", p.Model, err)
		}
		prices = append(prices, m)
	}
	p.Input, p.Output = &prices[0], &prices[1]
	if len(prices) > 2 {
		p.CacheRead = &prices[2]
	}
	if len(prices) > 3 {
		p.CacheWrite = &prices[3]
	}
	if len(prices) > 4 {
		p.CacheWrite1h = &prices[4]
	}
	for _, other := range u.Prices {
		if other.Model == p.Model {
			return d.WrapErr(errors.New("price " + p.Model + " stands here a second time, expected it once"))
		}
	}
	u.Prices = append(u.Prices, p)
	return nil
}
