package relay

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// control is asked before each address that is dialled.
type control func(ctx context.Context, network, address string, c syscall.RawConn) error

// AddressError is a seller's address that must not be dialled.
type AddressError struct {
	Addr netip.Addr
	// Plain: it is a public address, but the URL is http.
	Plain bool
}

// Forbidden tells that it is our own rule that keeps us from the seller, and not the seller's fault.
func (*AddressError) Forbidden() bool { return true }

func (e *AddressError) Error() string {
	if e.Plain {
		return fmt.Sprintf("plain http to %s is refused for a seller that a registry names; "+
			"it must offer https, or live inside seller_networks", e.Addr)
	}
	return fmt.Sprintf("%s is not a public address and is refused for a seller that a registry names; "+
		"seller_networks would allow it", e.Addr)
}

// guard checks the addresses that are about to be dialled for strangers.
type guard struct {
	networks []netip.Prefix
	public   *ssrf.Guardian
}

func (g *guard) https(_ context.Context, network, address string, _ syscall.RawConn) error {
	return g.check(network, address, false)
}

func (g *guard) http(_ context.Context, network, address string, _ syscall.RawConn) error {
	return g.check(network, address, true)
}

func (g *guard) check(network, address string, plain bool) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("network %q is refused for a seller", network)
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("an address to dial can't be read")
	}
	addr := ap.Addr().WithZone("").Unmap() // prefixes know neither zones nor IPv4 written as IPv6
	if slices.ContainsFunc(g.networks, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return nil
	}
	if g.public.SafeAddr(translated(addr)) != nil {
		return &AddressError{Addr: addr}
	}
	if plain {
		return &AddressError{Addr: addr, Plain: true}
	}
	return nil
}

// translated gives the IPv4 address that a NAT64 gateway would dial for addr. Hosts that have only IPv6 reach the public
// IPv4 world that way; the private one must not be reached by it.
func translated(addr netip.Addr) netip.Addr {
	if !ssrf.IPv6NAT64Prefix.Contains(addr) {
		return addr
	}
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}
