package routing

import (
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

// ProtocolSet is a set of protocols, a bit each, in the order of dialect.Protocols.
type ProtocolSet uint8

// AllProtocols holds every protocol that is known.
var AllProtocols = Protocols(dialect.Protocols...)

// Protocols makes a set. A protocol that is not known is left out.
func Protocols(list ...dialect.Protocol) (s ProtocolSet) {
	for _, p := range list {
		if i := protocolIndex(p); i >= 0 {
			s |= 1 << i
		}
	}
	return s
}

// at tells whether the protocol at a place in dialect.Protocols is in the set.
func (s ProtocolSet) at(i int) bool { return s&(1<<i) != 0 }

func protocolIndex(p dialect.Protocol) int { return slices.Index(dialect.Protocols, p) }
