package x402

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/node"
	"github.com/tokenbuddy/caddy-tokenbuddy/words"
)

// Config is what the operator says of the method.
type Config struct {
	// The wallet's private key, 32 bytes in hexadecimal digits, as a placeholder: {file./run/secrets/x402-wallet} or
	// {env.X402_WALLET}. A key that stands here itself is refused, for it would stand in Caddy's adapted config as well.
	// Required.
	Key string `json:"key"`

	// The networks that may be paid on, the one liked best first. At least one is required.
	Networks []Network `json:"networks"`

	// The most that one payment may be, in US dollars. Default: what the gateway may ask for at once, four times the amount
	// of its purchase subdirective.
	MaxPayment string `json:"max_payment,omitempty"`

	// The most that this method may pay on one UTC day, in US dollars, kept over restarts. The limits of the purchase
	// subdirective hold as well. Required.
	DailyLimit string `json:"daily_limit"`

	// How long a seller has to cash a payment, 10s to 10m. Default: 60s; less where the seller asks for less.
	ValidFor caddy.Duration `json:"valid_for,omitempty"`

	// By seller id, the addresses that may be paid. Without them the first one that a seller names is kept, and another one
	// is refused.
	Payees map[string][]string `json:"payees,omitempty"`
}

// Network is a network that may be paid on.
type Network struct {
	// Its CAIP-2 name, such as eip155:8453 (Base).
	ID string `json:"id"`

	// URLs of JSON-RPC endpoints of its chain, best of your own; placeholders are allowed. What became of a payment is
	// known only where there is one; with two, both must say the same. None is needed to pay.
	RPC []string `json:"rpc,omitempty"`

	// The dollar token there, for a network that is not known. It must have six decimals.
	Token *Token `json:"token,omitempty"`
}

const (
	defaultValidFor = time.Minute
	minValidFor     = 10 * time.Second
	maxValidFor     = 10 * time.Minute
)

// UnmarshalCaddyfile reads
//
//	payment x402 {
//		key         {file./run/secrets/x402-wallet}
//		network     eip155:8453 [<rpc_url...>]    # repeatable, in order
//		token       <address> <name> <version>    # of the network named just before, where it is not known
//		max_payment <usd>
//		daily_limit <usd>
//		valid_for   <duration>
//		payee       <seller_id> <address...>      # repeatable
//	}
func (m *Method) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return words.Read(d, []words.Word{
		{Name: "key", Usage: "<placeholder>", Set: words.Text(&m.Key, checkKey)},
		{Name: "network", Usage: "<id> [<rpc_url...>]", Repeat: true, Set: func(args []string) error {
			if _, err := ChainID(args[0]); err != nil {
				return fmt.Errorf("%q: %w", args[0], err)
			}
			for _, n := range m.Networks {
				if n.ID == args[0] {
					return fmt.Errorf("%q is there twice: name all its RPCs behind the first", args[0])
				}
			}
			m.Networks = append(m.Networks, Network{ID: args[0], RPC: args[1:]})
			return checkRPC(args[1:])
		}},
		{Name: "token", Usage: "<address> <name> <version>", Repeat: true, Set: func(args []string) error {
			if len(m.Networks) == 0 {
				return errors.New("no network stands before it")
			}
			n := &m.Networks[len(m.Networks)-1]
			if n.Token != nil {
				return fmt.Errorf("%s has two tokens", n.ID)
			}
			n.Token = &Token{args[0], args[1], args[2]}
			_, err := Domain(n.ID, n.Token)
			return err
		}},
		{Name: "max_payment", Usage: "<usd>", Set: words.Text(&m.MaxPayment, checkUSD)},
		{Name: "daily_limit", Usage: "<usd>", Set: words.Text(&m.DailyLimit, checkUSD)},
		{Name: "valid_for", Usage: "<duration>", Set: func(args []string) error {
			d, err := caddy.ParseDuration(args[0])
			if err != nil {
				return fmt.Errorf("%q is not a duration: expected a number with a unit, such as 60s", args[0])
			}
			m.ValidFor = caddy.Duration(d)
			return checkValidFor(d)
		}},
		{Name: "payee", Usage: "<seller_id> <address...>", Repeat: true, Set: func(args []string) error {
			if m.Payees[args[0]] != nil {
				return fmt.Errorf("%q is there twice: name all its addresses behind the first", args[0])
			}
			if m.Payees == nil {
				m.Payees = make(map[string][]string)
			}
			m.Payees[args[0]] = args[1:]
			_, err := parsePayees(args[0], args[1:])
			return err
		}},
	})
}

func checkKey(s string) error { return words.CheckSecret(s, "{file./run/secrets/x402-wallet}") }

func checkUSD(s string) error {
	m, err := money.Parse(s)
	if err == nil && m == 0 {
		return errors.New("expected more than 0 dollars")
	}
	return err
}

func checkValidFor(d time.Duration) error {
	if d < minValidFor || d > maxValidFor {
		return fmt.Errorf("%s is out of range: expected %s to %s", d, minValidFor, maxValidFor)
	}
	return nil
}

// checkRPC quotes no URL: there may be a key in it.
func checkRPC(urls []string) error {
	for _, s := range urls {
		if strings.Contains(s, "{") {
			continue // checked when the placeholder is resolved
		}
		if u, err := url.Parse(s); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return errors.New("an RPC is not an http or https URL")
		}
	}
	return nil
}

func parsePayees(seller string, texts []string) ([]eip3009.Address, error) {
	if err := words.CheckSeller(seller); err != nil {
		return nil, fmt.Errorf("payee: %w", err)
	}
	var list []eip3009.Address
	for _, s := range texts {
		a, err := eip3009.ParseAddress(s)
		if err != nil {
			return nil, fmt.Errorf("payee of %s: %w", seller, err)
		}
		if a == (eip3009.Address{}) {
			return nil, fmt.Errorf("payee of %s: expected an address that somebody has, and not the zero one", seller)
		}
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("payee of %s: expected at least one address", seller)
	}
	return list, nil
}

// resolve checks the config and makes of it what the calls need. It does no I/O but for the placeholders.
func (m *Method) resolve(repl *caddy.Replacer) error {
	if err := checkKey(m.Key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	secret, err := repl.ReplaceOrErr(m.Key, true, true)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if m.key, err = eip3009.ParseKey(secret); err != nil {
		return fmt.Errorf("key: %s: %w", m.Key, err)
	}
	if m.MaxPayment != "" {
		if err := checkUSD(m.MaxPayment); err != nil {
			return fmt.Errorf("max_payment: %w", err)
		}
		m.maxPayment, _ = money.Parse(m.MaxPayment)
	}
	if m.DailyLimit == "" {
		return errors.New("daily_limit is missing: expected the most that may be paid on a day, such as daily_limit 20")
	}
	if err := checkUSD(m.DailyLimit); err != nil {
		return fmt.Errorf("daily_limit: %w", err)
	}
	m.dailyLimit, _ = money.Parse(m.DailyLimit)
	if m.validFor = time.Duration(m.ValidFor); m.validFor == 0 {
		m.validFor = defaultValidFor
	}
	if err := checkValidFor(m.validFor); err != nil {
		return fmt.Errorf("valid_for: %w", err)
	}
	m.payees = make(map[string][]eip3009.Address)
	for seller, texts := range m.Payees {
		if m.payees[seller], err = parsePayees(seller, texts); err != nil {
			return err
		}
	}
	return m.resolveNetworks(repl)
}

func (m *Method) resolveNetworks(repl *caddy.Replacer) error {
	if len(m.Networks) == 0 {
		return errors.New("no network is there to pay on: expected at least one, such as network eip155:8453")
	}
	m.client = node.NewClient()
	for _, n := range m.Networks {
		domain, err := Domain(n.ID, n.Token)
		if err != nil {
			return fmt.Errorf("network: %w", err)
		}
		if m.network(n.ID) != nil {
			return fmt.Errorf("network %s is there twice", n.ID)
		}
		resolved := &network{id: n.ID, domain: domain}
		for i, s := range n.RPC {
			u, err := repl.ReplaceOrErr(s, true, true)
			if err != nil {
				return fmt.Errorf("network %s: %s: %w", n.ID, nodeName(i), err)
			}
			u = strings.TrimSpace(u)
			if strings.Contains(u, "{") || checkRPC([]string{u}) != nil {
				return fmt.Errorf("network %s: %s is not an http or https URL", n.ID, nodeName(i))
			}
			resolved.nodes = append(resolved.nodes, node.Node{URL: u, Client: m.client})
		}
		m.networks = append(m.networks, resolved)
	}
	return nil
}

func (m *Method) network(id string) *network {
	for _, n := range m.networks {
		if n.id == id {
			return n
		}
	}
	return nil
}
