package seller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestload"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
)

// parseCaddyfile reads the directive tokenbuddy_seller of a site.
func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	s := new(Seller)
	return s, s.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads:
//
//	tokenbuddy_seller <id> {
//		name           <text>
//		url            <public base url>        # default: scheme and host of the request
//		model          <id> [<input> <output> [<cached_input> [<cache_write>]]] {   # USD per million tokens; repeatable
//			alias <id...>
//		}
//		token_ttl      <duration>               # 1h
//		max_credit     <usd>                    # 100
//		pace           <duration>               # 40ms
//		settlement     event|header|both|none   # event; of streams, other answers have it in their headers
//		settlement_at  start|middle|end         # end
//		settlement_at  late <duration>
//		payment        <method...>              # mock
//		payment        <method> { ... }         # repeatable: x402, clawtip, receipt
//		payment        any <name> insecurely    # repeatable; any proof will do, on loopback
//		state          <file>                   # none: everything is in memory
//		upstream       <url> { ... }            # instead of the toy: what another server serves (see parseUpstream)
//	}
func (s *Seller) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's own word
	if d.NextArg() {
		s.ID = d.Val()
		if err := checkID(s.ID); err != nil {
			return d.WrapErr(err)
		}
		if d.NextArg() {
			return d.Errf("%s: unexpected %q, expected nothing after the id", directive, d.Val())
		}
	}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		word := d.Val()
		parse := s.words()[word]
		if parse == nil {
			return d.Errf("%s: unknown word %q, expected one of %s", directive, word, strings.Join(s.wordList(), ", "))
		}
		if seen[word] && word != "model" && word != "payment" {
			return d.Errf("%s: %s stands here a second time, expected it once", directive, word)
		}
		seen[word] = true
		if err := parse(d); err != nil {
			return err
		}
		if err := s.beside(); err != nil {
			return d.WrapErr(err)
		}
	}
	if s.ID == "" && s.Upstream == nil {
		return d.Errf("%s: expected the seller's id", directive)
	}
	return nil
}

// words gives the parser of each subdirective; it is called with the word as the current token.
func (s *Seller) words() map[string]func(*caddyfile.Dispenser) error {
	return map[string]func(*caddyfile.Dispenser) error{
		"name": func(d *caddyfile.Dispenser) error { return one(d, "a text", &s.Name, nil) },
		"url": func(d *caddyfile.Dispenser) error {
			return one(d, "a URL", &s.URL, func(v string) error {
				if strings.Contains(v, "{") {
					return nil // checked when the placeholder is resolved
				}
				return checkURL(v)
			})
		},
		"model": s.parseModel,
		"token_ttl": func(d *caddyfile.Dispenser) error {
			return duration(d, time.Second, maxTTL, &s.TokenTTL)
		},
		"max_credit": func(d *caddyfile.Dispenser) error {
			var v string
			return one(d, "an amount in US dollars", &v, func(v string) error {
				m, err := money.Parse(v)
				if err == nil && m == 0 {
					err = fmt.Errorf("max_credit: expected more than 0 dollars")
				}
				s.MaxCreditMicros = m
				return err
			})
		},
		"pace": func(d *caddyfile.Dispenser) error {
			s.Pace = new(caddy.Duration)
			return duration(d, 0, maxPace, s.Pace)
		},
		"settlement": func(d *caddyfile.Dispenser) error {
			return one(d, "a form", &s.Settlement, func(v string) error {
				return checkWord("settlement", v, settleByEvent, settleByHeader, settleByBoth, settleByNone)
			})
		},
		"settlement_at": s.parseSettlementAt,
		"payment":       s.parsePayment,
		"upstream":      s.parseUpstream,
		"state":         func(d *caddyfile.Dispenser) error { return one(d, "a file", &s.State, nil) },
	}
}

func (s *Seller) wordList() []string {
	return wordsOf(s.words())
}

// parsePayment reads "payment <method...>", methods without options, or "payment <method> { ... }", which the method's module
// reads itself.
func (s *Seller) parsePayment(d *caddyfile.Dispenser) error {
	segment := d.NextSegment()
	line := 1
	for line < len(segment) && !(segment[line].Text == "{" && !segment[line].Quoted()) {
		line++
	}
	names := segment[1:line]
	if len(names) > 0 && names[0].Text == anyMethod {
		return s.parseAny(d, names[1:], line < len(segment))
	}
	if len(names) == 0 {
		return d.Errf("payment: expected at least one method")
	}
	for _, name := range names {
		if err := checkMethod(name.Text); err != nil {
			return d.WrapErr(err)
		}
	}
	if line < len(segment) {
		if len(names) > 1 {
			return d.Errf("payment: a block belongs to one method, and %d stand before it", len(names))
		}
		own := caddyfile.NewDispenser(segment[1:])
		own.Next()
		name := names[0].Text
		raw, err := guestload.Read("payment "+name, own, acceptance.Namespace, name, "method")
		if _, mute := errors.AsType[guestload.Misbehaved](err); mute {
			word := caddyfile.NewDispenser(segment[:1])
			word.Next()
			return word.WrapErr(err)
		}
		if err != nil {
			return fmt.Errorf("payment %s: %w", name, err) // the module says where
		}
		s.AcceptancesRaw = append(s.AcceptancesRaw, raw)
		return nil
	}
	for _, name := range names {
		if slices.Contains(s.Payment, name.Text) {
			return d.Errf("payment: %q stands here twice, expected it once", name.Text)
		}
		s.Payment = append(s.Payment, name.Text)
	}
	return nil
}

func (s *Seller) parseModel(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) == 2 || len(args) > 5 {
		return d.Errf("model: got %d arguments, expected <id> [<input> <output> [<cached_input> [<cache_write>]]]", len(args))
	}
	m := Model{ID: args[0]}
	prices := []**money.Micros{&m.InputPrice, &m.OutputPrice, &m.CacheReadPrice, &m.CacheWritePrice}
	for i, arg := range args[1:] {
		p, err := money.Parse(arg)
		if err != nil {
			return d.Errf("model %s: %v", m.ID, err)
		}
		*prices[i] = &p
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "alias" {
			return d.Errf("model %s: unknown word %q, expected alias", m.ID, d.Val())
		}
		aliases := d.RemainingArgs()
		if len(aliases) == 0 {
			return d.Errf("alias: expected at least one model id")
		}
		m.Aliases = append(m.Aliases, aliases...)
	}
	if err := m.check(); err != nil {
		return d.WrapErr(err)
	}
	s.Models = append(s.Models, m)
	if _, err := index(s.Models); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (s *Seller) parseSettlementAt(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("settlement_at: expected start, middle, end, or late <duration>")
	}
	s.SettlementAt = d.Val()
	if err := checkWord("settlement_at", s.SettlementAt, settleAtStart, settleAtMiddle, settleAtEnd, settleLate); err != nil {
		return d.WrapErr(err)
	}
	if s.SettlementAt == settleLate {
		return duration(d, time.Millisecond, maxDelay, &s.SettlementDelay)
	}
	if d.NextArg() {
		return d.Errf("settlement_at: unexpected %q, expected nothing after %s", d.Val(), s.SettlementAt)
	}
	return nil
}

// one reads the single argument of the current word.
func one(d *caddyfile.Dispenser, expected string, to *string, check func(string) error) error {
	word := d.Val()
	if !d.NextArg() || d.Val() == "" {
		return d.Errf("%s: expected %s", word, expected)
	}
	*to = d.Val()
	if check != nil {
		if err := check(*to); err != nil {
			return d.WrapErr(err)
		}
	}
	if d.NextArg() {
		return d.Errf("%s: unexpected %q, expected one argument", word, d.Val())
	}
	return nil
}

func duration(d *caddyfile.Dispenser, least, most time.Duration, to *caddy.Duration) error {
	word := d.Val()
	var v string
	return one(d, "a duration", &v, func(v string) error {
		parsed, err := caddy.ParseDuration(v)
		if err != nil {
			return fmt.Errorf("%s: %q is no duration, expected one such as 40ms or 1h", word, v)
		}
		*to = caddy.Duration(parsed)
		return checkDuration(word, parsed, least, most)
	})
}

var _ caddyfile.Unmarshaler = (*Seller)(nil)
