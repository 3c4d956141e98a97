package purchase

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// asideFor is how long a payment method that came to nothing at a seller stands behind the others there. Like a limit that is known to
// be spent it is found out anew each minute.
const asideFor = time.Minute

// method gives the one by which the next purchase is paid: the first in the order of preference whose own limit is not known to be spent, and
// that did not come to nothing here a moment ago. One of these stands behind; where the limits of all are spent it is the first. s.mu is held.
func (s *shelf) method(all []NamedMethod, amount money.Micros, now time.Time) NamedMethod {
	chosen, found := all[0], false
	for _, m := range all {
		if s.desk.spent.over(m.Name, amount, now) != nil {
			continue
		}
		if since, ok := s.aside[m.Name]; !ok || now.Sub(since) >= asideFor {
			return m
		}
		if !found {
			chosen, found = m, true
		}
	}
	return chosen
}

// setAside has other methods be asked first: by this one nothing was bought, and nothing was paid. s.mu is held.
func (s *shelf) setAside(method string, now time.Time) {
	if s.aside == nil {
		s.aside = make(map[string]time.Time)
	}
	s.aside[method] = now
}
