package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/dustin/go-humanize"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// fault is an error in the configuration, with the words that lead to where it is: "failover connect". Both the reader of
// the Caddyfile and the checks of a JSON configuration make them, so that both say the same; the Caddyfile's also get the
// line at which those words stand.
type fault struct {
	path string
	err  error
}

func (f *fault) Error() string { return f.path + ": " + f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// at says that err is found under a word.
func at(word string, err error) error {
	if err == nil {
		return nil
	}
	if inner, ok := err.(*fault); ok { //nolint:errorlint // what is wrapped around a path must not be lost
		return &fault{word + " " + inner.path, inner.err}
	}
	return &fault{word, err}
}

var (
	errNull     = errors.New("it is null")
	errMissing  = errors.New("it is missing")
	errRepeated = errors.New("it is there twice")
)

// A time of nanoseconds is a number in a JSON configuration that was meant to be seconds: a registry would be read without a pause.
const (
	minDuration = time.Millisecond
	maxDuration = 365 * 24 * time.Hour
)

const durationRange = "expected at least 1ms and at most a year"

// checkDuration checks a time that may be left out, or be zero where that can be said.
func checkDuration(d caddy.Duration) error {
	if d != 0 && time.Duration(d) < minDuration || time.Duration(d) > maxDuration {
		return fmt.Errorf("%s is out of range: %s", time.Duration(d), durationRange)
	}
	return nil
}

const retentionRange = "expected a day (1d) at least"

// checkRetention checks how long entries are kept; zero: for ever.
func checkRetention(d caddy.Duration) error {
	if d != 0 && time.Duration(d) < 24*time.Hour {
		return fmt.Errorf("%s is out of range: %s", time.Duration(d), retentionRange)
	}
	return nil
}

// checkOptionalDuration checks one that can be turned off, and may be left out.
func checkOptionalDuration(d *caddy.Duration) error {
	if d == nil {
		return nil
	}
	return checkDuration(*d)
}

const (
	minMaxBody      = 32 // less is no request, however short
	maxMaxBody      = 256 << 20
	maxRegistrySize = 1 << 30
)

func sizeRange(limit int64) string {
	return "expected more than 0 and at most " + humanize.IBytes(uint64(limit))
}

func checkSize(n, least, limit int64) error {
	switch {
	case n < 0 || n > limit:
		return fmt.Errorf("%d bytes is out of range: %s", n, sizeRange(limit))
	case n > 0 && n < least:
		return fmt.Errorf("%d bytes is too small for any request: expected at least %s", n, humanize.IBytes(uint64(least)))
	}
	return nil
}

const (
	maxMaxAttempts = 1000
	maxRate        = 1_000_000
)

func checkCount(n, least, limit int) error {
	if n < least || n > limit {
		return fmt.Errorf("%d: expected a whole number from %d to %d", n, least, limit)
	}
	return nil
}

// checkMoney checks an amount of US dollars that may be left out.
func checkMoney(usd string) error {
	if usd == "" {
		return nil
	}
	_, err := money.Parse(usd)
	return err
}

// checkAmount is checkMoney for an amount that can't be zero.
func checkAmount(usd string) error {
	if amount, err := money.Parse(usd); usd != "" && err == nil && amount == 0 {
		return fmt.Errorf("%q is nothing: expected more than 0", usd)
	}
	return checkMoney(usd)
}

// checkNoLess refuses an amount of a longer time that is below a shorter one's, which would never be spent.
func checkNoLess(said, shorter, saidThere string) error {
	amount, err := money.Parse(said)
	other, errOther := money.Parse(saidThere)
	if err == nil && errOther == nil && amount < other {
		return fmt.Errorf("%q is less than the %s of %q: expected at least as much", said, shorter, saidThere)
	}
	return nil
}

// checkLedgerDir refuses a directory that depends on where Caddy was started: the next start elsewhere would open an empty
// ledger, without what was bought and spent.
func checkLedgerDir(dir string) error {
	if dir != "" && !hasPlaceholder(dir) && !filepath.IsAbs(dir) {
		return fmt.Errorf("%q depends on where Caddy is started: expected an absolute path", dir)
	}
	return nil
}

// checkRegistryURL checks the URL of a registry, which may carry user info for basic authentication.
func checkRegistryURL(raw string) error {
	if raw == "" {
		return errMissing
	}
	if routing.CheckRegistryURL(raw) != nil {
		return fmt.Errorf("%s is not an http or https URL: expected one such as https://registry.example/sellers.json", shownURL(raw))
	}
	return nil
}

func checkSellerURL(raw string) error {
	if raw == "" {
		return errMissing
	}
	if _, _, err := wire.ParseURL(raw); err != nil {
		return fmt.Errorf("%s: %w: expected one such as https://seller.example", shownURL(raw), err)
	}
	return nil
}

// shownURL quotes a URL, unless it may have a password or a key in it.
func shownURL(raw string) string {
	if strings.ContainsAny(raw, "@?") {
		return "what stands there"
	}
	return strconv.Quote(raw)
}

func checkSellerID(id string) error {
	if !routing.ValidSellerID(id) {
		return fmt.Errorf("%q is not a seller's id: expected 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or a digit", id)
	}
	return nil
}

func checkModel(id string) error {
	if !wire.FitModel(id) {
		return fmt.Errorf("%q is not a model's id: expected 1 to 256 bytes of text", id)
	}
	return nil
}

// checkEach refuses what is no list of models: a seller's are named one by one, so that it is known what can be asked of it.
func checkEach(models []string) error {
	for _, id := range models {
		if strings.ContainsAny(id, "*?") {
			return fmt.Errorf("%q is a pattern: expected the id of each model that the seller serves", id)
		}
		if err := checkNoComma(id); err != nil {
			return err
		}
	}
	return nil
}

func checkNoComma(word string) error {
	if strings.Contains(word, ",") {
		return fmt.Errorf("%q has a comma in it: expected spaces between models, or in JSON a list of them", word)
	}
	return nil
}

func checkProtocol(name string) error {
	if !slices.Contains(dialect.Protocols, dialect.Protocol(name)) {
		return fmt.Errorf("%q is not a protocol: expected one of %s", name, join(dialect.Protocols))
	}
	return nil
}

// CheckMethod says what is wrong with the name of a payment method.
func CheckMethod(name string) error {
	if !wire.FitMethod(name) {
		return fmt.Errorf("%q is not the name of a payment method: expected 1 to 64 letters, digits, '.', '_' or '-'", name)
	}
	return nil
}

func checkNetwork(cidr string) error {
	_, err := parseNetwork(cidr)
	return err
}

// parseNetwork gives a network without the host's bits, and an IPv4 one that is written as IPv6 as what it is: so are the
// addresses that are compared with it.
func parseNetwork(cidr string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(cidr)
	if err != nil {
		return network, fmt.Errorf("%q is not a network: expected CIDR notation, such as 10.8.0.0/16", cidr)
	}
	if network.Addr().Is4In6() && network.Bits() >= 96 {
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
	}
	return network.Masked(), nil
}

// checkList checks each word of a list, and that none is there twice.
func checkList(list []string, check func(string) error) error {
	for i, word := range list {
		if err := check(word); err != nil {
			return err
		}
		if slices.Contains(list[:i], word) {
			return fmt.Errorf("%q is there twice", word)
		}
	}
	return nil
}

// checkMemberKey checks a member's key as far as it can be told before placeholders are resolved.
func checkMemberKey(key string) error {
	if key == "" || hasPlaceholder(key) {
		return nil
	}
	_, err := member.KeyDigest(key)
	return err
}

var errUntil = errors.New("what stands after until is no time: expected one such as 2026-04-01T00:00:00Z, with its zone")

// sameKey gives what is equal for two keys that are one, as far as it can be told before placeholders are resolved.
func sameKey(key string) string {
	if hasPlaceholder(key) {
		return key
	}
	digest, _ := member.KeyDigest(key)
	return string(digest[:])
}

// checkSecret refuses a secret of blanks; one that is left out is fine here. What it says never repeats the secret.
func checkSecret(secret string) error {
	if secret != "" && strings.TrimSpace(secret) == "" {
		return errEmptySecret
	}
	return nil
}

var errEmptySecret = errors.New("the secret is empty")

func hasPlaceholder(s string) bool { return strings.Contains(s, "{") }

var placeholder = regexp.MustCompile(`^\{[^{}\s]+\}$`)

func checkPlaceholder(s string) error {
	if s != "" && !placeholder.MatchString(s) {
		return fmt.Errorf("%q is not a placeholder: expected one such as {http.auth.user.id}", s)
	}
	return nil
}

// headerName is a token as RFC 9110 has it.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func checkHeaderName(name string) error {
	if name != "" && !headerName.MatchString(name) {
		return fmt.Errorf("%q is not the name of a header", name)
	}
	return nil
}

func join[S ~string](words []S) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(word))
	}
	return b.String()
}
