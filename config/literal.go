package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// literals are words that are taken as they are written, and look like something that stands for another: a pattern, a hash, a placeholder.
func (c *Config) literals() (all []Doubt) {
	for _, s := range c.Sellers {
		for _, p := range s.Prices {
			if isPattern(p.Model) {
				all = append(all, Doubt{"seller " + s.ID + " price " + p.Model, "it is the price of a model of that very name, and of no other: name each model"})
			}
		}
	}
	for _, requested := range slices.Sorted(maps.Keys(c.ModelAliases)) {
		if isPattern(requested) {
			all = append(all, Doubt{"model_alias " + requested, "it stands for requests of that very name, and of no other: name each"})
		}
	}
	for _, m := range c.Members {
		if slices.ContainsFunc(m.keys(), (*KeyConfig).looksHashed) {
			all = append(all, Doubt{"member " + m.Name + " key", "it is the key itself, and not the hash of one: that begins with sha256: in small letters"})
		}
	}
	return append(all, c.unresolved()...)
}

func isPattern(model string) bool { return strings.ContainsAny(model, "*?") }

// likeHash is a hash that is written in another way than it is read.
var likeHash = regexp.MustCompile(`^(?i:sha-?256)[:=-][0-9A-Fa-f]{64}$`)

func (k *KeyConfig) looksHashed() bool {
	return likeHash.MatchString(k.Key) && !strings.HasPrefix(k.Key, "sha256:")
}

// unresolved are placeholders that stand where none is resolved: only secrets and the ledger's directory have some. Each word is told of once.
func (c *Config) unresolved() (all []Doubt) {
	look := func(word string, texts ...string) {
		for _, text := range texts {
			if name := namedSecret.FindString(text); name != "" {
				all = append(all, Doubt{word, fmt.Sprintf("%s is not resolved there, and is what it says: {$NAME} in a Caddyfile is replaced anywhere, when that is read", name)})
				return
			}
		}
	}
	if r := c.Registry; r != nil {
		look("registry url", r.URL)
	}
	for _, s := range c.Sellers {
		word := "seller " + s.ID
		look(word+" url", s.URL)
		look(word+" path_prefix", s.PathPrefix)
		look(word+" models", append([]string{s.ModelsFrom}, s.Models...)...)
		for _, p := range s.Prices {
			look(word+" price "+p.Model, p.Model)
		}
		for _, id := range slices.Sorted(maps.Keys(s.Names)) {
			look(word+" model "+id, id, s.Names[id])
		}
	}
	for _, requested := range slices.Sorted(maps.Keys(c.ModelAliases)) {
		look("model_alias "+requested, requested, c.ModelAliases[requested])
	}
	if p := c.Prewarm; p != nil {
		look("prewarm models", p.Models...)
	}
	for _, m := range c.Members {
		look("member "+m.Name+" name", m.Name)
		look("member "+m.Name+" models", m.Models...)
	}
	for _, g := range c.Groups {
		look("group "+g.Name+" name", g.Name)
		look("group "+g.Name+" members", g.Members...)
	}
	if d := c.MemberDefault; d != nil {
		look("member_default models", d.Models...)
	}
	return all
}
