package config

import (
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/dustin/go-humanize"
)

// What follows puts the arguments of a word where they belong. Whether a value makes sense is said by the rules that hold
// for a JSON configuration as well, but for a zero: there it means that nothing was said.

func text(to *string) func([]string) error {
	return func(args []string) error {
		*to = args[0]
		return nil
	}
}

func list(to *[]string) func([]string) error {
	return func(args []string) error {
		*to = args
		return nil
	}
}

func duration(to *caddy.Duration) func([]string) error {
	return func(args []string) (err error) {
		*to, err = parseDuration(args[0])
		if err == nil && *to == 0 {
			return fmt.Errorf("%q is out of range: %s", args[0], durationRange)
		}
		return err
	}
}

// durations is for as many of them as there are.
func durations(to ...*caddy.Duration) func([]string) error {
	return func(args []string) error {
		for i := range args {
			if err := duration(to[i])(args[i:]); err != nil {
				return err
			}
		}
		return nil
	}
}

// optionalDuration is for a duration of which zero can be said.
func optionalDuration(to **caddy.Duration) func([]string) error {
	return func(args []string) error {
		d, err := parseDuration(args[0])
		*to = &d
		return err
	}
}

// durationOrOff is for a duration that can be turned off, which is zero.
func durationOrOff(to **caddy.Duration) func([]string) error {
	return func(args []string) error {
		*to = new(caddy.Duration)
		if args[0] == "off" {
			return nil
		}
		if err := duration(*to)(args); err != nil {
			return fmt.Errorf("%w, or off", err)
		}
		return nil
	}
}

// retention is for how long entries are kept, which may be many years.
func retention(to *caddy.Duration) func([]string) error {
	return func(args []string) error {
		d, err := caddy.ParseDuration(args[0])
		if err != nil {
			return fmt.Errorf("%q is not a duration: expected a number with a unit, such as 400d", args[0])
		}
		if d == 0 || checkRetention(caddy.Duration(d)) != nil {
			return fmt.Errorf("%q is out of range: %s", args[0], retentionRange)
		}
		*to = caddy.Duration(d)
		return nil
	}
}

func parseDuration(s string) (caddy.Duration, error) {
	d, err := caddy.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: expected a number with a unit, such as 30s or 10m", s)
	}
	if checkDuration(caddy.Duration(d)) != nil {
		return 0, fmt.Errorf("%q is out of range: %s", s, durationRange)
	}
	return caddy.Duration(d), nil
}

func size(to *int64, least, limit int64) func([]string) error {
	return func(args []string) error {
		n, err := humanize.ParseBytes(args[0])
		if err != nil {
			return fmt.Errorf("%q is not a size: expected a number with a unit, such as 8MiB", args[0])
		}
		if n == 0 || n > uint64(limit) {
			return fmt.Errorf("%q is out of range: %s", args[0], sizeRange(limit))
		}
		// A limit without a least, as of a document, may be as small as somebody likes.
		if last := args[0][len(args[0])-1]; least > 1 && n < 1<<10 && '0' <= last && last <= '9' {
			return fmt.Errorf("%q is %d bytes: expected a unit as well, such as %[1]sMiB", args[0], n)
		}
		if n < uint64(least) {
			return fmt.Errorf("%q: %w", args[0], checkSize(int64(n), least, limit))
		}
		*to = int64(n)
		return nil
	}
}

func count(to *int, least, limit int) func([]string) error {
	return func(args []string) error {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < least || n > limit {
			return fmt.Errorf("%q: expected a whole number from %d to %d", args[0], least, limit)
		}
		*to = n
		return nil
	}
}
