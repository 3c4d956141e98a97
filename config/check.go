package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Check says what is wrong with a configuration, as far as it can be told without resolving placeholders. It is the one
// place where the rules stand: the Caddyfile's reader ends with it too.
func (c *Config) Check() error {
	if slices.Contains(c.Sellers, nil) {
		return at("seller", errNull)
	}
	if slices.Contains(c.Members, nil) {
		return at("member", errNull)
	}
	if slices.Contains(c.Groups, nil) {
		return at("group", errNull)
	}
	return cmp.Or( // all are asked, the first that finds fault is heard
		at("registry", c.Registry.check()),
		c.checkSellers(),
		at("seller_networks", checkList(c.SellerNetworks, checkNetwork)),
		at("exclude", cmp.Or(checkList(c.Exclude, checkSellerID), c.checkExclude())),
		c.checkDefaultSeller(),
		at("selection", c.checkSelection()),
		at("affinity", checkOptionalDuration(c.Affinity)),
		at("model_alias", c.checkAliases()),
		at("payment", c.checkPayments()),
		at("purchase", c.Purchase.check()),
		at("prewarm", c.Prewarm.check()),
		at("failover", c.Failover.check()),
		c.checkMembers(),
		c.checkGroups(),
		at("member_default", c.checkMemberDefault()),
		at("budgets", c.Budgets.check()),
		at("member_from", checkPlaceholder(c.MemberFrom)),
		at("ledger", c.Ledger.check()),
		at("fleet", c.Fleet.check(c.Ledger)),
		at("max_body", checkSize(c.MaxBody, minMaxBody, maxMaxBody)),
		at("heartbeat", checkOptionalDuration(c.Heartbeat)),
		c.checkWhole(),
	)
}

// checkWhole holds what no part can tell alone.
func (c *Config) checkWhole() error {
	if c.Registry == nil && len(c.Sellers) == 0 {
		return errors.New("it has nobody to buy from: expected a registry, a seller, or both")
	}
	if c.buys() && len(c.PaymentsRaw) == 0 {
		return at("payment", errors.New("none is there to buy with: expected at least one, such as payment mock"))
	}
	return nil
}

func (r *RegistryConfig) check() error {
	if r == nil {
		return nil
	}
	return cmp.Or(
		at("url", checkRegistryURL(r.URL)),
		at("refresh", checkDuration(r.Refresh)),
		at("timeout", checkDuration(r.Timeout)),
		at("max_size", checkSize(r.MaxSize, 1, maxRegistrySize)),
	)
}

func (c *Config) checkAliases() error {
	for _, requested := range slices.Sorted(maps.Keys(c.ModelAliases)) {
		served := c.ModelAliases[requested]
		err := cmp.Or(checkModel(requested), checkModel(served))
		if err == nil && requested == served {
			err = errors.New("it stands for itself")
		}
		if next, ok := c.ModelAliases[served]; err == nil && ok {
			err = fmt.Errorf("%s is an alias itself: expected the model that it stands for, %s", served, next)
		}
		if err != nil {
			return at(requested, err)
		}
	}
	return nil
}

func (c *Config) checkSelection() error {
	if c.SelectionRaw == nil {
		return nil
	}
	name, err := selectionGuest.nameIn(c.SelectionRaw)
	if err != nil {
		return err
	}
	return at(name, cmp.Or(selectionGuest.check(name), c.checkManual(name)))
}

// checkManual finds a seller that is not there, where all of them are pinned. A registry's are known later: the log and the doctor
// say it then.
func (c *Config) checkManual(policy string) error {
	if seller := c.manualSeller(); c.Registry != nil || policy != "manual" || seller == "" || c.pins(seller) {
		return nil
	}
	return fmt.Errorf("there is no seller %s: expected the id of a pinned one, since there is no registry", c.manualSeller())
}

// manualSeller is the seller that the selection names; empty where it names none.
func (c *Config) manualSeller() string {
	var said struct {
		Seller string `json:"seller"`
	}
	_ = json.Unmarshal(c.SelectionRaw, &said) // the policy says itself what it can't read
	return said.Seller
}

func (c *Config) checkPayments() error {
	seen := make(map[string]bool, len(c.PaymentsRaw))
	for _, raw := range c.PaymentsRaw {
		name, err := paymentGuest.nameIn(raw)
		if err != nil {
			return err
		}
		if err := paymentGuest.check(name); err != nil {
			return at(name, err)
		}
		known := paymentName(raw, name)
		if seen[known] {
			return at(known, errRepeated)
		}
		seen[known] = true
	}
	return nil
}

// paymentName is the name that sellers know a payment method by: what its configuration calls it, else its module's. What the
// module itself says (payment.Named) is known once it is loaded.
func paymentName(raw json.RawMessage, module string) string {
	var config struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(raw, &config) == nil && config.Name != "" {
		return config.Name
	}
	return module
}
