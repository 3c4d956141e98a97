package doctor

import (
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

// certificates tells of those that have ended or soon will. Caddy renews its own when a third of their time is left, so that one with
// less than a sixth has failed to be, or is a file that somebody has to replace.
func (d *Diagnosis) certificates(all []admin.Certificate, now time.Time) {
	for _, c := range all {
		left, life := c.NotAfter.Sub(now), c.NotAfter.Sub(c.NotBefore)
		if left >= life/6 {
			continue
		}
		when := "ends in " + roughly(left)
		if left <= 0 {
			when = "has ended " + roughly(-left) + " ago"
		}
		d.Wrong(fmt.Sprintf("The certificate of %s, from %s, %s: on %s.", plain.Name(c.Host), plain.Name(c.Issuer), when, c.NotAfter.UTC().Format("2006-01-02 15:04 UTC")),
			"Clients can't connect without one. If Caddy manages it, the log says why it is not renewed; if it is a file, replace it and caddy reload --force.")
	}
}

// roughly is a duration as people say it.
func roughly(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d/time.Hour))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", int(d/time.Minute))
	}
	return fmt.Sprintf("%d seconds", int(d/time.Second))
}
