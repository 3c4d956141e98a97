package x402

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/node"
	"github.com/tokenbuddy/caddy-tokenbuddy/words"
)

// Config is what the operator of a seller says.
type Config struct {
	// The address that is paid. Required.
	PayTo string `json:"pay_to"`

	// The network that is paid on, such as eip155:8453 (Base). Required.
	Network string `json:"network"`

	// The dollar token there, for a network that is not known. It must have six decimals.
	Token *x402.Token `json:"token,omitempty"`

	// The facilitator's URL, without /verify and /settle; placeholders are resolved. It can cash what was signed, and nothing
	// else. Required.
	Facilitator string `json:"facilitator"`

	// A JSON-RPC endpoint of the chain, best of your own; placeholders are resolved. Without it a settlement whose answer was
	// lost could never be found again. Required.
	RPC string `json:"rpc"`

	// How long the facilitator may take for a settlement, 1s to 5m. Default: 60s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

const (
	defaultTimeout = time.Minute
	minTimeout     = time.Second
	maxTimeout     = 5 * time.Minute
)

// UnmarshalCaddyfile reads
//
//	payment x402 {
//		pay_to      <address>
//		network     eip155:8453
//		token       <address> <name> <version>   # where the network is not known
//		facilitator <url>
//		rpc         <url>
//		timeout     <duration>
//	}
func (a *Acceptance) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return words.Read(d, []words.Word{
		{Name: "pay_to", Usage: "<address>", Set: words.Text(&a.PayTo, checkAddress)},
		{Name: "network", Usage: "<id>", Set: words.Text(&a.Network, func(s string) error {
			_, err := x402.ChainID(s)
			return err
		})},
		{Name: "token", Usage: "<address> <name> <version>", Empty: true, Set: func(args []string) error {
			a.Token = &x402.Token{Address: args[0], Name: args[1], Version: args[2]}
			return checkAddress(args[0])
		}},
		{Name: "facilitator", Usage: "<url>", Set: words.Text(&a.Facilitator, checkURL)},
		{Name: "rpc", Usage: "<url>", Set: words.Text(&a.RPC, checkURL)},
		{Name: "timeout", Usage: "<duration>", Set: func(args []string) error {
			d, err := caddy.ParseDuration(args[0])
			if err != nil {
				return errors.New("expected a duration, such as 60s")
			}
			a.Timeout = caddy.Duration(d)
			return checkTimeout(d)
		}},
	})
}

func checkAddress(s string) error {
	_, err := eip3009.ParseAddress(s)
	return err
}

// checkURL quotes no URL: there may be a key in it.
func checkURL(s string) error {
	if strings.Contains(s, "{") {
		return nil // checked when the placeholder is resolved
	}
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return errors.New("expected an http or https URL")
	}
	return nil
}

func checkTimeout(d time.Duration) error {
	if d < minTimeout || d > maxTimeout {
		return fmt.Errorf("%s is out of range: expected %s to %s", d, minTimeout, maxTimeout)
	}
	return nil
}

// Provision resolves the config. It reaches nobody.
func (a *Acceptance) Provision(caddy.Context) error {
	return a.resolve(caddy.NewReplacer()) // Caddy says of which module it is
}

func (a *Acceptance) resolve(repl *caddy.Replacer) (err error) {
	if a.payTo, err = eip3009.ParseAddress(a.PayTo); err != nil || a.payTo == (eip3009.Address{}) {
		return errors.New("pay_to: expected the address that is to be paid, 0x and 40 hexadecimal digits")
	}
	if a.domain, err = x402.Domain(a.Network, a.Token); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	if a.timeout = time.Duration(a.Timeout); a.timeout == 0 {
		a.timeout = defaultTimeout
	}
	if err := checkTimeout(a.timeout); err != nil {
		return fmt.Errorf("timeout: %w", err)
	}
	for _, f := range []struct {
		word, from string
		to         *string
	}{{"facilitator", a.Facilitator, &a.facilitator}, {"rpc", a.RPC, &a.node.URL}} {
		u, err := repl.ReplaceOrErr(f.from, true, true)
		u = strings.TrimRight(strings.TrimSpace(u), "/")
		if err != nil || u == "" || strings.Contains(u, "{") || checkURL(u) != nil {
			return fmt.Errorf("%s: expected an http or https URL", f.word)
		}
		if f.word == "facilitator" && strings.ContainsAny(u, "?#") {
			return errors.New("facilitator: expected a URL without a query: /verify and /settle are added to it")
		}
		*f.to = u
	}
	a.node.Client = node.NewClient()
	a.client = &http.Client{
		Transport:     &http.Transport{ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// Cleanup lets go of connections. Calls may still come.
func (a *Acceptance) Cleanup() error {
	if a.client != nil {
		a.client.CloseIdleConnections()
		a.node.Client.CloseIdleConnections()
	}
	return nil
}
