package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// FleetConfig says in which fleet of gateways this one is. Sites that share a ledger are in one fleet, and it does not change while
// the process runs.
type FleetConfig struct {
	// Where the fleet keeps what its gateways share. Required.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=http.tokenbuddy.fleet inline_key=engine"`

	// What people call this gateway, of at most 64 letters, digits, ".", "_" and "-"; the ledger's identity is what the fleet knows it by.
	// Default: the name of the host.
	Name string `json:"name,omitempty"`

	// For how long spending should go on when the store is away: by it goes how much is set aside for this gateway. Default: 30s; at
	// most 1h.
	HoldOut caddy.Duration `json:"hold_out,omitempty"`

	// How long a request waits for a part of a budget, and after how long without an answer the store is taken for away. Default: 1s;
	// at most 30s.
	Wait caddy.Duration `json:"wait,omitempty"`

	// Whether the entries of the ledger are shipped to the store: "on" or "off". Default: on.
	Books string `json:"books,omitempty"`

	// Whose bought tokens are: "own", this gateway's, or "shared", all gateways', each of which has a part of a token's credit set aside.
	// Shared tokens are in the store, sealed with the ledger's key, which has to be in the config then, the same for all. Default: own.
	Tokens string `json:"tokens,omitempty"`

	// US dollars that are set aside of the purchase limits, so that tokens can be bought while the store is away. Default: "0", nothing is
	// bought then.
	PurchaseAhead string `json:"purchase_ahead,omitempty"`
}

func (c *Config) fleetWord() word {
	return word{
		name: "fleet", usage: "<engine> [<args...>]", guest: &fleetGuest,
		add: func(raw json.RawMessage) { c.Fleet = &FleetConfig{StoreRaw: raw} },
		block: func() []word {
			return []word{
				{name: "name", usage: "<text>", set: text(&c.Fleet.Name)},
				{name: "hold_out", usage: "<duration>", set: duration(&c.Fleet.HoldOut)},
				{name: "wait", usage: "<duration>", set: duration(&c.Fleet.Wait)},
				{name: "books", usage: "on|off", set: text(&c.Fleet.Books)},
				{name: "tokens", usage: "own|shared", set: text(&c.Fleet.Tokens)},
				{name: "purchase_ahead", usage: "<usd>", set: text(&c.Fleet.PurchaseAhead)},
			}
		},
	}
}

// Defaults of a fleet.
const (
	defaultHoldOut = 30 * time.Second
	defaultWait    = time.Second
	longestHoldOut = time.Hour
	longestWait    = 30 * time.Second
)

// Fleet is a fleet of gateways that this one is in. Its store is loaded by the handler.
type Fleet struct {
	// Name is what people call this gateway.
	Name string
	// HoldOut is for how long spending should go on when the store is away.
	HoldOut time.Duration
	// Wait is how long a request waits for a part of a budget, and after how long without an answer the store is taken for away.
	Wait time.Duration
	// Books says that entries are shipped to the store.
	Books bool
	// Tokens says that bought tokens are shared.
	Tokens bool
	// PurchaseAhead is what is set aside of the purchase limits, for when the store is away.
	PurchaseAhead money.Micros

	store []byte // its configuration, as it was written
}

var gatewayName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (f *FleetConfig) check(l *LedgerConfig) error {
	if f == nil {
		return nil
	}
	name, err := fleetGuest.nameIn(f.StoreRaw)
	if err != nil {
		return at("store", err)
	}
	return cmp.Or(
		at(name, fleetGuest.check(name)),
		at("name", f.checkName()),
		at("hold_out", checkWithin(time.Duration(f.HoldOut), longestHoldOut)),
		at("wait", checkWithin(time.Duration(f.Wait), longestWait)),
		at("books", checkChoice(f.Books, "on", "off")),
		at("tokens", f.checkTokens(l)),
		at("purchase_ahead", checkMoney(f.PurchaseAhead)),
	)
}

func (f *FleetConfig) checkName() error {
	if f.Name != "" && !gatewayName.MatchString(f.Name) {
		return fmt.Errorf("%q: expected at most 64 letters, digits, '.', '_' or '-'", f.Name)
	}
	return nil
}

// checkTokens refuses shared ones without a key that the other gateways can have.
func (f *FleetConfig) checkTokens(l *LedgerConfig) error {
	if f.Tokens == "shared" && (l == nil || l.Key == "") {
		return errors.New("shared tokens are sealed with one key that all gateways have, not with a key file of each: expected key <secret> in ledger")
	}
	return checkChoice(f.Tokens, "own", "shared")
}

func checkWithin(d, most time.Duration) error {
	if d != 0 && d < minDuration || d > most {
		return fmt.Errorf("%s is out of range: expected at least 1ms and at most %s", d, most)
	}
	return nil
}

func checkChoice(said, usual, other string) error {
	if said != "" && said != usual && said != other {
		return fmt.Errorf("%q: expected %s or %s", said, usual, other)
	}
	return nil
}

func (f *FleetConfig) settings() (*Fleet, error) {
	if f == nil {
		return nil, nil
	}
	var ahead money.Micros
	var err error
	if f.PurchaseAhead != "" {
		if ahead, err = money.Parse(f.PurchaseAhead); err != nil {
			return nil, at("purchase_ahead", err)
		}
	}
	name := f.Name
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			return nil, at("name", fmt.Errorf("the host has none (%w): expected a name for this gateway", err))
		}
	}
	return &Fleet{
		Name: name, HoldOut: orDefault(time.Duration(f.HoldOut), defaultHoldOut), Wait: orDefault(time.Duration(f.Wait), defaultWait),
		Books: f.Books != "off", Tokens: f.Tokens == "shared", PurchaseAhead: ahead, store: f.StoreRaw,
	}, nil
}

// String is all of it, its store as it was written: two that are the same are one gateway of one fleet. It may hold a secret.
func (f *Fleet) String() string {
	if f == nil {
		return ""
	}
	return fmt.Sprintf("%s %s %s %s %t %t %d", f.Name, f.HoldOut, f.Wait, f.store, f.Books, f.Tokens, f.PurchaseAhead)
}
