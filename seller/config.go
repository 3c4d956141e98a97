package seller

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/idna"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// The words of settlement and settlement_at.
const (
	settleByEvent  = "event"
	settleByHeader = "header"
	settleByBoth   = "both"
	settleByNone   = "none"

	settleAtStart  = "start"
	settleAtMiddle = "middle"
	settleAtEnd    = "end"
	settleLate     = "late"
)

// mock is the payment method that pays nothing.
const mock = "mock"

const (
	maxTTL   = 366 * 24 * time.Hour
	maxPace  = 10 * time.Second
	maxDelay = 5 * time.Minute
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// check refuses a config that can't work. What stands in a Caddyfile is checked by the same functions while it is
// parsed, so that the error names the line.
func (s *Seller) check() error {
	errs := []error{checkID(s.ID)}
	if s.url != "" {
		var err error
		s.url, s.site, err = publicURL(s.url)
		errs = append(errs, err)
	}
	if len(s.Models) == 0 && s.Upstream == nil {
		errs = append(errs, errors.New("models: an empty list; leave it out for the default model"))
	}
	for _, m := range s.Models {
		errs = append(errs, m.check())
	}
	errs = append(errs,
		checkDuration("token_ttl", time.Duration(s.TokenTTL), time.Second, maxTTL),
		checkDuration("pace", time.Duration(*s.Pace), 0, maxPace),
		checkDuration("settlement_delay", time.Duration(s.SettlementDelay), 0, maxDelay),
		checkWord("settlement", s.Settlement, settleByEvent, settleByHeader, settleByBoth, settleByNone),
		checkWord("settlement_at", s.SettlementAt, settleAtStart, settleAtMiddle, settleAtEnd, settleLate))
	if s.MaxCreditMicros < 1 || s.MaxCreditMicros > money.Max {
		errs = append(errs, fmt.Errorf("max_credit: expected more than 0 and at most %s dollars", money.Max))
	}
	if (s.SettlementDelay != 0) != (s.SettlementAt == settleLate) {
		errs = append(errs, errors.New("settlement_delay: goes with settlement_at late, and only with it"))
	}
	if len(s.Payment)+len(s.AcceptancesRaw)+len(s.AnyInsecurely) == 0 {
		errs = append(errs, errors.New("payment: an empty list; leave it out for mock"))
	}
	for _, method := range s.Payment {
		errs = append(errs, checkMethod(method))
	}
	for _, method := range s.AnyInsecurely {
		errs = append(errs, checkAny(method))
	}
	return errors.Join(errs...)
}

// beside refuses what is the toy's beside an upstream. It is asked before defaults are filled in.
func (s *Seller) beside() error {
	if s.Upstream == nil {
		return nil
	}
	for word, there := range map[string]bool{
		"model": s.Models != nil, "pace": s.Pace != nil, "settlement": s.Settlement != "", "settlement_at": s.SettlementAt != "",
	} {
		if there {
			return errBeside(word)
		}
	}
	return nil
}

func errBeside(word string) error {
	return fmt.Errorf("%s: it is the toy's, and goes with no upstream; an upstream's models and prices are words of its own block", word)
}

func checkID(id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("id %q: expected 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or a digit", id)
	}
	return nil
}

func checkURL(s string) error {
	_, _, err := publicURL(s)
	return err
}

// publicURL gives a seller's URL as gateways can read it, and its origin as they know it. What they could not, they would leave out.
func publicURL(raw string) (public, origin string, err error) {
	expected := errors.New("url: expected an http or https URL without user info, query or fragment, such as https://seller.example")
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", expected
	}
	if host, err := idna.Lookup.ToASCII(u.Hostname()); err == nil && host != strings.ToLower(u.Hostname()) { // a name of other letters, as it is asked for
		if port := u.Port(); port != "" {
			host += ":" + port
		}
		u.Host = host
		raw = u.String()
	}
	if _, origin, err = wire.ParseURL(raw); err != nil {
		return "", "", expected
	}
	return raw, origin, nil
}

func checkDuration(word string, d, least, most time.Duration) error {
	if d < least || d > most {
		return fmt.Errorf("%s %s: expected a duration from %s to %s", word, d, least, most)
	}
	return nil
}

// checkMethod says whether this Caddy has the method.
func checkMethod(name string) error {
	var known []string
	for _, module := range caddy.GetModules(acceptance.Namespace) {
		known = append(known, module.ID.Name())
	}
	slices.Sort(known)
	return checkWord("payment", name, known...)
}

func checkWord(word, got string, expected ...string) error {
	if !slices.Contains(expected, got) {
		return fmt.Errorf("%s %q: expected one of %q", word, got, expected)
	}
	return nil
}
