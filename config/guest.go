package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// guest is a kind of module that others may bring.
type guest struct {
	namespace string
	key       string // the JSON member that names the module
	what      string
}

var (
	selectionGuest = guest{"http.tokenbuddy.selection", "policy", "selection policy"}
	paymentGuest   = guest{"http.tokenbuddy.payment", "method", "payment method"}
	fleetGuest     = guest{"http.tokenbuddy.fleet", "engine", "store of a fleet"}
)

// nameIn gives the name of the module in its JSON configuration.
func (g guest) nameIn(raw json.RawMessage) (string, error) {
	var object map[string]json.RawMessage
	var name string
	if json.Unmarshal(raw, &object) != nil || json.Unmarshal(object[g.key], &name) != nil || name == "" {
		return "", fmt.Errorf("expected an object with %q, the name of a %s", g.key, g.what)
	}
	return name, nil
}

// check says whether this Caddy has the module of that name.
func (g guest) check(name string) error {
	if _, err := caddy.GetModule(g.namespace + "." + name); err == nil {
		return nil
	}
	var known []string
	for _, module := range caddy.GetModules(g.namespace) {
		known = append(known, module.ID.Name())
	}
	slices.Sort(known)
	if len(known) == 0 {
		return fmt.Errorf("this Caddy has no %s built in", g.what)
	}
	return fmt.Errorf("this Caddy has no such %s built in: expected one of %s", g.what, strings.Join(known, ", "))
}
