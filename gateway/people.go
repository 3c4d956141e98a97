package gateway

import "github.com/tokenbuddy/caddy-tokenbuddy/member"

// team is who the config's members are by now.
func (gw *Gateway) team() *member.Directory { return gw.settings.Secrets().Members }

// people are the members that a request may be of: the config's, and what was said of members at run time.
type people struct {
	config *member.Directory
	roster *member.Roster
	both   *member.Directory
}

// people gives the members of now. They are put together when either of both is another, and only then.
func (gw *Gateway) people() *member.Directory {
	config, roster := gw.team(), gw.market.Orders.Roster()
	p := gw.known.Load()
	if p == nil || p.config != config || p.roster != roster {
		p = &people{config, roster, config.With(roster)}
		gw.known.Store(p)
	}
	return p.both
}
