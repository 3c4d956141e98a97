package config

import (
	"crypto/sha256"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Settings is a configuration made ready for use: defaults filled in, placeholders and environment resolved. It is read only,
// but for the secrets that stand in files: all requests of a running config share it.
type Settings struct {
	// Registry lacks what the market has for it: cache, log and transport. It is nil where all sellers are pinned.
	Registry *routing.RegistryOptions
	// Pinned are the sellers that stand in the configuration, in its order.
	Pinned []*routing.Seller
	// Traced are the pinned sellers that are told which trace a request is of, by id.
	Traced map[string]bool
	// Deadlines are those of pinned sellers that have some of their own, by the seller's id.
	Deadlines map[string]routing.Deadlines
	// Networks are the private ones in which sellers of a registry may live.
	Networks []netip.Prefix
	// Excluded are the ids of the registry's sellers that get no requests.
	Excluded map[string]bool
	// DefaultSeller is the id of the seller to prefer; empty: the registry's.
	DefaultSeller string
	// Aliases are model ids that are served for others, by what is asked for.
	Aliases map[string]string
	// Terms say how much is bought, and when.
	Terms purchase.Terms
	// Failover bounds the attempts at one request.
	Failover Failover
	// Affinity is how long a conversation stays with its seller; 0: not at all.
	Affinity time.Duration
	// Prewarm lacks the Catalogue, which is the gateway's.
	Prewarm prewarm.SiteOptions
	// Zone and Week say when the days, weeks and months of budgets begin.
	Zone *time.Location
	Week time.Weekday
	// MemberFrom is a placeholder for a member's name; empty: none.
	MemberFrom string
	// Page says that members find their own rows on the site.
	Page bool
	// LedgerDir is the ledger's directory, absolute.
	LedgerDir string
	// LedgerKeySecret is what tokens are sealed with; empty: a key file.
	LedgerKeySecret string
	// LedgerRetain is how long entries stay in the ledger's store; 0: for ever.
	LedgerRetain time.Duration
	// Fleet is the fleet that this gateway is in; nil: none.
	Fleet *Fleet
	// MaxBody is the largest body of a request, decoded, in bytes.
	MaxBody int64
	// Heartbeat is how long a stream may be silent before a comment is sent in it; 0: it may be silent.
	Heartbeat time.Duration

	secrets atomic.Pointer[Secrets]
	reread  func() (*Secrets, error)
	watched bool // some secret of them is in a file

	rates    map[string]string            // of members and groups, by word and name, as Agree compares and shows them
	budgets  map[string]string            // of the same, as DoubtsBeside does
	payments map[string][sha256.Size]byte // digests of what is said of payment methods, by their names, as Agree compares it
}

// DeadlinesAt are those that hold at a seller.
func (s *Settings) DeadlinesAt(sellerID string) routing.Deadlines {
	if own, ok := s.Deadlines[sellerID]; ok {
		return own
	}
	return s.Failover.Deadlines
}
