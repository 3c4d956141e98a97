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
	"github.com/tokenbuddy/caddy-tokenbuddy/words"
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
	validPayTo = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_+/=.-]{0,127}$`)
	validSlug  = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)
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
	return words.Read(d, []words.Word{
		{Name: "pay_to", Usage: "<account>", Set: words.Text(&a.PayTo, checkPayTo)},
		{Name: "sm4_key", Usage: "<placeholder>", Set: words.Text(&a.SM4Key, checkKey)},
		{Name: "slug", Usage: "<name>", Set: words.Text(&a.Slug, checkSlug)},
		{Name: "rate", Usage: "<yuan>", Set: words.Text(&a.Rate, checkRate)},
	})
}

func checkPayTo(s string) error {
	if !validPayTo.MatchString(s) {
		return errors.New("expected the account that is paid")
	}
	return nil
}

func checkKey(s string) error { return words.CheckSecret(s, "{file./run/secrets/clawtip}") }

func checkSlug(s string) error {
	if !validSlug.MatchString(s) {
		return errors.New("expected 1 to 64 letters, digits, '.', '_' and '-'")
	}
	return nil
}

func checkRate(s string) error {
	_, err := readRate(s)
	return err
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
	for _, w := range []struct {
		word, value string
		check       func(string) error
	}{{"pay_to", a.PayTo, checkPayTo}, {"sm4_key", a.SM4Key, checkKey}, {"slug", a.Slug, checkSlug}, {"rate", a.Rate, checkRate}} {
		if err := w.check(w.value); err != nil {
			return fmt.Errorf("%s: %w", w.word, err) // Caddy says of which module it is
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
