package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Gateway says what the status of a gateway tells.
func (d *Diagnosis) Gateway(status *admin.Status, now time.Time) {
	d.ledger(&status.Ledger)
	registries := status.Registries
	if len(registries) == 0 && status.Registry.URL != "" {
		registries = []routing.RegistryStatus{status.Registry}
	}
	for _, r := range registries {
		d.registry(&r)
	}
	if s := status.Selection; s != nil {
		d.Note(fmt.Sprintf("The selection %s is put over the Caddyfile's, also after a restart.", SelectionWords(s)),
			"To give the Caddyfile's back: DELETE /tokenbuddy/selection on the admin endpoint.")
	}
	d.unserved(status.Unserved)
	d.certificates(status.Certificates, now)
	d.paused(status.Pool.Entries)
	d.circuits(status.Pool.Entries, now)
	d.accounts(status.Pool.Entries)
	for _, s := range status.Credit.Sellers {
		d.seller(&s)
	}
	for _, p := range status.Payments {
		d.payment(&p, status.Credit.AmountMicros)
	}
	for _, id := range slices.Sorted(maps.Keys(status.Losses)) {
		d.Losses(plain.Name(id), status.Losses[id])
	}
	d.unpriced(status.Unpriced)
	for _, l := range status.UnreadLists {
		d.Wrong(fmt.Sprintf("The list of models of seller %s can't be read: %s.", plain.Name(l.SellerID), plain.Words(l.Error)),
			"The one that was read last holds meanwhile, if there is one; what stands in none is not found. See to models from, and to the account there.")
	}
	for _, fault := range status.RefusedSecrets {
		d.Wrong("A file of a secret can't be used: "+plain.Words(fault)+".",
			"What was read before goes on until the gateway ends, and its next start would be refused. Mend the file.")
	}
	for _, model := range status.Unlisted {
		d.Note("The seller's own list has no model "+plain.Name(model)+".", "Is it mistyped after price or model, or gone there?")
	}
	for _, id := range status.UnknownSellers {
		d.Wrong(fmt.Sprintf("There is no seller %s, which default_seller or selection manual names.", plain.Name(id)),
			"Is it mistyped? caddy tokenbuddy sellers lists those that there are. With selection manual every request is refused.")
	}
	if !status.NothingBought {
		d.limits(status)
	}
}

func (d *Diagnosis) ledger(s *admin.LedgerStatus) {
	if !s.OK {
		d.Wrong(fmt.Sprintf("The ledger %s takes no entries: %s", s.Dir, s.Error),
			"No request is served before that is mended. See to its disk; after a failed commit, restart the gateway.")
	} else {
		d.Disk(s.Dir, s.FreeBytes, s.SizeBytes)
	}
	if s.AnchorError != "" {
		d.Wrong("The anchor file of the ledger can't be written: "+s.AnchorError,
			"Make its directory writable for the user that Caddy runs as. Without it nobody can tell when the ledger has lost its end.")
	}
	if a := s.Archive; a != nil {
		d.Archives(a.Error, a.Problems)
	}
	if s.AnchorMissing {
		d.Note("There was a ledger when the gateway started, and no anchor file of it, so nobody could tell whether it was whole.",
			"It has one now. If the directory was not moved here on purpose, find out who has removed the file.")
	}
}

func (d *Diagnosis) registry(r *routing.RegistryStatus) {
	age := "never since the start"
	if r.AgeSeconds != nil {
		age = (time.Duration(*r.AgeSeconds) * time.Second).String() + " ago"
	}
	switch {
	case r.Sellers == 0:
		d.Wrong(fmt.Sprintf("The registry %s has given no sellers, and was read %s. %s", r.URL, age, r.LastError),
			"Check the address in the Caddyfile, and that it can be reached from here.")
	case r.Stale:
		d.Wrong(fmt.Sprintf("The registry %s can't be read, the last time it could was %s: %s", r.URL, age, r.LastError),
			"The last good document is used meanwhile. Check that the registry can be reached from here.")
	case r.LeftOut > 0:
		d.Note(fmt.Sprintf("The registry %s has %d entries that can't be used.", r.URL, r.LeftOut),
			"The log has a line registry.seller.left_out for each, with the reason.")
	}
}

// SelectionWords gives a selection as a Caddyfile has it.
func SelectionWords(s *orders.Selection) string {
	words := []string{plain.Name(s.Policy)}
	if s.Seller != "" {
		words = append(words, plain.Name(s.Seller))
	}
	for _, arg := range s.Args {
		words = append(words, plain.Name(arg))
	}
	return strings.Join(words, " ")
}
