package relay

import (
	"errors"
	"net/netip"
	"testing"

	"code.dny.dev/ssrf"
)

func TestGuard(t *testing.T) {
	const (
		good    = "good"
		private = "private"
		plain   = "plain"
	)
	networks := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32"), netip.MustParsePrefix("fe80::/10")}
	for _, c := range []struct{ address, https, http, inside string }{
		{"8.8.8.8:443", good, plain, good},
		{"8.8.8.8:12345", good, plain, good},
		{"[2606:4700::1111]:443", good, plain, good},
		{"[::ffff:8.8.8.8]:443", good, plain, good},
		{"[64:ff9b::808:808]:443", good, plain, good},

		{"127.0.0.1:443", private, private, private},
		{"127.8.9.1:443", private, private, private},
		{"0.0.0.0:443", private, private, private},
		{"10.0.0.1:443", private, private, private},
		{"10.1.2.3:443", private, private, good},
		{"172.16.0.1:443", private, private, private},
		{"172.31.255.255:443", private, private, private},
		{"192.168.1.1:443", private, private, private},
		{"169.254.169.254:80", private, private, private},
		{"100.64.0.1:443", private, private, private},
		{"100.127.255.254:443", private, private, private},
		{"192.0.0.192:443", private, private, private},
		{"192.0.2.1:443", private, private, private},
		{"198.18.0.1:443", private, private, private},
		{"224.0.0.1:443", private, private, private},
		{"240.0.0.1:443", private, private, private},
		{"255.255.255.255:443", private, private, private},
		{"[::]:443", private, private, private},
		{"[::1]:443", private, private, private},
		{"[fe80::1%eth0]:443", private, private, good},
		{"[fc00::1]:443", private, private, private},
		{"[fd00:1::1]:443", private, private, good},
		{"[fec0::1]:443", private, private, private},
		{"[ff02::1]:443", private, private, private},
		{"[2001:db8::1]:443", private, private, private},
		{"[2001::1]:443", private, private, private},
		{"[::127.0.0.1]:443", private, private, private},
		{"[::ffff:127.0.0.1]:443", private, private, private},
		{"[::ffff:10.1.2.3]:443", private, private, good},
		{"[::ffff:169.254.169.254]:443", private, private, private},
		{"[64:ff9b::7f00:1]:443", private, private, private},
		{"[64:ff9b::a01:203]:443", private, private, private}, // 10.1.2.3 behind another's gateway is another network
		{"[64:ff9b::a9fe:a9fe]:443", private, private, private},
		{"[64:ff9b:1::808:808]:443", private, private, private},
		{"[2002:7f00:1::]:443", private, private, private},
	} {
		for _, try := range []struct {
			networks []netip.Prefix
			plain    bool
			want     string
		}{{nil, false, c.https}, {nil, true, c.http}, {networks, false, c.inside}} {
			g := &guard{networks: try.networks, public: ssrf.New(ssrf.WithAnyPort())}
			got := good
			var refused *AddressError
			switch err := g.check("tcp6", c.address, try.plain); {
			case errors.As(err, &refused) && refused.Plain:
				got = plain
			case errors.As(err, &refused):
				got = private
			case err != nil:
				got = err.Error()
			}
			if got != try.want {
				t.Errorf("%s, plain %v, networks %v: %s, want %s", c.address, try.plain, try.networks, got, try.want)
			}
		}
	}
	g := &guard{public: ssrf.New(ssrf.WithAnyPort())}
	for _, c := range [][2]string{{"unix", "/run/docker.sock"}, {"udp4", "8.8.8.8:443"}, {"tcp4", "seller.example:443"}} {
		if g.check(c[0], c[1], false) == nil {
			t.Errorf("%v was let through", c)
		}
	}
}
