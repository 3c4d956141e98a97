package clawtip

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/emmansun/gmsm/sm4"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Config is what the operator of a seller says.
type Config struct {
	// The account that is paid. Required.
	PayTo string `json:"pay_to"`

	// The key that the rail shares with the seller, 16 bytes in base64, as a placeholder such as {file./run/secrets/clawtip}.
	// Required.
	SM4Key string `json:"sm4_key"`

	// The name of what is sold, as the rail knows it; orders are filed under its MD5. Required.
	Slug string `json:"slug"`

	// How many yuan are asked for a dollar of credit. A buyer refuses what is worse than its own rate allows. Default: 7.1.
	Rate string `json:"rate,omitempty"`
}

const defaultRate = "7.1"

var (
	validPayTo  = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_+/=.-]{0,127}$`)
	validSlug   = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)
	placeholder = regexp.MustCompile(`^\{[^{}$]+\}$`)
)

// UnmarshalCaddyfile reads
//
//	payment clawtip {
//		pay_to  <account>
//		sm4_key {file./run/secrets/clawtip}
//		slug    <name>
//		rate    7.1
//	}
func (a *Acceptance) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.Errf("payment clawtip takes no argument, but here is %q", d.Val())
	}
	words := map[string]*string{"pay_to": &a.PayTo, "sm4_key": &a.SM4Key, "slug": &a.Slug, "rate": &a.Rate}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		to := words[word]
		switch {
		case to == nil:
			return d.Errf("payment clawtip: unknown word %q: expected one of pay_to, sm4_key, slug, rate", word)
		case *to != "":
			return d.Errf("payment clawtip: %s is there twice", word)
		case !d.AllArgs(to):
			return d.Errf("payment clawtip: %s: expected one argument", word)
		}
		if err := a.check(word); err != nil {
			return d.WrapErr(fmt.Errorf("payment clawtip: %s: %w", word, err))
		}
	}
	return nil
}

// check looks at the value of a word.
func (a *Acceptance) check(word string) error {
	switch word {
	case "pay_to":
		if !validPayTo.MatchString(a.PayTo) {
			return errors.New("expected the account that is paid")
		}
	case "sm4_key":
		if !placeholder.MatchString(a.SM4Key) {
			return errors.New("expected a placeholder, such as {file./run/secrets/clawtip}: a key that stands in the config itself stands in Caddy's adapted config as well")
		}
	case "slug":
		if !validSlug.MatchString(a.Slug) {
			return errors.New("expected 1 to 64 letters, digits, '.', '_' and '-'")
		}
	case "rate":
		if _, err := readRate(a.Rate); err != nil {
			return err
		}
	}
	return nil
}

func readRate(s string) (money.Micros, error) {
	rate, err := money.Parse(s)
	if err != nil || rate <= 0 || rate > 1000*money.USD {
		return 0, errors.New("expected the yuan for a dollar, such as 7.1")
	}
	return rate, nil
}

// Provision checks the config and resolves the key.
func (a *Acceptance) Provision(caddy.Context) error {
	if a.Rate == "" {
		a.Rate = defaultRate
	}
	for _, word := range []string{"pay_to", "sm4_key", "slug", "rate"} {
		if err := a.check(word); err != nil {
			return fmt.Errorf("%s: %w", word, err) // Caddy says of which module it is
		}
	}
	text, err := caddy.NewReplacer().ReplaceOrErr(a.SM4Key, true, true)
	if err != nil {
		return fmt.Errorf("sm4_key: %s is unknown or empty", a.SM4Key)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != sm4.BlockSize {
		return fmt.Errorf("sm4_key: %s is not 16 bytes in base64", a.SM4Key)
	}
	if a.block, err = sm4.NewCipher(key); err != nil {
		return fmt.Errorf("sm4_key: %s can't be used", a.SM4Key)
	}
	a.rate, err = readRate(a.Rate)
	return err
}
