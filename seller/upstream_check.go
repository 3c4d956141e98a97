package seller

import (
	"cmp"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// check refuses what can't work.
func (u *Upstream) check() error {
	switch {
	case u.URL == "":
		return errors.New("url: expected the upstream's base URL")
	case !strings.Contains(u.URL, "{"):
		if err := checkUpstreamURL(u.URL); err != nil {
			return err
		}
	}
	switch {
	case u.APIKey == "" && !u.NoKey:
		return errors.New("neither api_key nor no_key: expected the key of the account there, or no_key where it wants none")
	case u.APIKey != "" && u.NoKey:
		return errors.New("both api_key and no_key: expected one of them")
	case u.AuthHeader != "" && u.NoKey:
		return errors.New("auth_header: goes with api_key")
	}
	if u.AuthHeader != "" && !u.bearer() {
		if err := checkUpstreamHeader(u.AuthHeader); err != nil {
			return fmt.Errorf("auth_header: %w", err)
		}
	}
	for name := range u.Headers {
		if err := checkUpstreamHeader(name); err != nil {
			return err
		}
		if strings.EqualFold(name, u.AuthHeader) {
			return fmt.Errorf("header %s: the key is sent in it, expected it as auth_header alone", name)
		}
	}
	if err := checkPath("path_prefix", u.PathPrefix); err != nil {
		return err
	}
	if err := checkPath("models from", u.ModelsFrom); err != nil {
		return err
	}
	for _, p := range u.Protocols {
		if err := checkWord("protocols", p, allProtocols()...); err != nil {
			return err
		}
	}
	return u.checkModels()
}

// checkModels sees to it that nothing is sold without a price.
func (u *Upstream) checkModels() error {
	if err := u.readPrices(); err != nil {
		return err
	}
	if len(u.Models) > 0 && u.ModelsFrom != "" {
		return errors.New("models: expected ids, or from <path>, and not both")
	}
	sold := make(map[string]bool)
	for _, id := range u.Models {
		switch err := checkModelID(id); {
		case err != nil:
			return err
		case sold[id]:
			return fmt.Errorf("models: %q stands here twice, expected it once", id)
		case !u.priced(id):
			return fmt.Errorf("models: %q has no price: expected price %s <input> <output>", id, id)
		}
		sold[id] = true
	}
	another := func(id string) bool { return len(u.Models) > 0 && !sold[id] }
	for id, theirs := range u.Names {
		err := cmp.Or(checkModelID(id), checkModelID(theirs))
		switch {
		case err != nil:
			return err
		case id == every || theirs == every:
			return errors.New("model: expected model <id> as <theirs>, with ids and not *")
		case !u.priced(id):
			return fmt.Errorf("model %q has no price: expected price %s <input> <output>", id, id)
		case another(id):
			return fmt.Errorf("model: %q is not among the models", id)
		}
	}
	for id := range u.prices {
		if id != every && another(id) {
			return fmt.Errorf("price: %q is not among the models", id)
		}
	}
	return nil
}

// readPrices reads and checks the prices, by their models.
func (u *Upstream) readPrices() error {
	u.prices = make(map[string]*Model, len(u.Prices))
	for _, p := range u.Prices {
		m := &Model{
			ID: p.Model, InputPrice: p.Input, OutputPrice: p.Output, CacheReadPrice: p.CacheRead, CacheWritePrice: p.CacheWrite,
			cacheWrite1h: p.CacheWrite1h,
		}
		err := m.check()
		switch {
		case err != nil:
			return err
		case p.Input == nil || p.Output == nil:
			return fmt.Errorf("price %s: expected an input and an output price; what is free costs 0", p.Model)
		case u.prices[p.Model] != nil:
			return fmt.Errorf("price %s stands here a second time, expected it once", p.Model)
		}
		u.prices[p.Model] = m
	}
	if len(u.prices) == 0 {
		return errors.New("price is missing: what has no price is not sold; price * 0 0 gives everything away")
	}
	return nil
}

func (u *Upstream) priced(id string) bool { return u.prices[id] != nil || u.prices[every] != nil }

func checkUpstreamURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("url: expected an http or https URL without user info and fragment, such as http://127.0.0.1:11434/v1")
	}
	if dialect.EndsInAPI(u.Path) {
		return errors.New("url: it is the address of one API, expected what all of them stand below, such as http://127.0.0.1:11434/v1")
	}
	return nil
}

func checkPath(word, path string) error {
	if path != "" && (!strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?# ") || strings.Contains(path, "..")) {
		return fmt.Errorf("%s %q: expected a path that begins with /, such as /api/v3", word, path)
	}
	return nil
}

// checkUpstreamHeader refuses headers that others set: those of the framing and the hop, and the one that the key is in.
func checkUpstreamHeader(name string) error {
	key := textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case !validName.MatchString(name):
		return fmt.Errorf("header %q: expected the name of a header", name)
	case key == "Authorization":
		return errors.New("header Authorization: expected the key as api_key")
	case strings.HasPrefix(key, wire.HeaderPrefix):
		return fmt.Errorf("header %s: what begins so is between gateway and seller", name)
	}
	switch key {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Content-Length", "Content-Type", "Content-Encoding", "Accept-Encoding", "Host", "Expect", "Idempotency-Key":
		return fmt.Errorf("header %s: it is not for the config to set", name)
	}
	return nil
}

// validName is the name of a header (RFC 9110, 5.6.2).
var validName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")

// validValue tells whether a text can stand in a header.
func validValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
