package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestload"
)

// word is a subdirective: what may stand after it, and where that goes.
type word struct {
	name string
	// usage is what stands after the name, as the documentation writes it. How many arguments there may be is read from it.
	usage string
	// repeat says that the word may stand more than once.
	repeat bool
	// secret says that the arguments must be in no error.
	secret bool
	// set takes the arguments.
	set func(args []string) error
	// block, where the word has one, gives the words in it, once set was called.
	block func() []word
	// guest, where the word has one, is the kind of module that the first argument names and that reads the rest itself: the other
	// arguments, and the block unless the word has one. add takes its configuration; set is not used.
	guest *guest
	add   func(json.RawMessage)
}

// arity reads from the usage how many arguments there may be; most is -1 where there is no bound.
func (w word) arity() (least, most int) {
	optional := false // what stands behind a bracket is, to the end
	for field := range strings.FieldsSeq(w.usage) {
		optional = optional || strings.HasPrefix(field, "[")
		if most++; !optional {
			least++
		}
		if strings.Contains(field, "...") {
			return least, -1
		}
	}
	return least, most
}

func (w word) String() string {
	s := w.name
	if w.usage != "" {
		s += " " + w.usage
	}
	if w.block != nil {
		s += " { ... }"
	}
	return `"` + s + `"`
}

// reader reads the directive's block by the grammar of its words.
type reader struct {
	d *caddyfile.Dispenser
	// start is the directive's name, and places the last token at which each path of words was found: rules that are checked
	// when all has been read find their line here.
	start  caddyfile.Token
	places map[string]caddyfile.Token
}

func newReader(d *caddyfile.Dispenser) *reader {
	return &reader{d: d, start: d.Token(), places: make(map[string]caddyfile.Token)}
}

func (r *reader) remember(path string) { r.places[path] = r.d.Token() }

// block reads a block, if one begins here. The path leads to it.
func (r *reader) block(path string, words []word) error {
	first := make(map[string]caddyfile.Token)
	for nesting := r.d.Nesting(); r.d.NextBlock(nesting); {
		name := r.d.Val()
		i := slices.IndexFunc(words, func(w word) bool { return w.name == name })
		if i < 0 {
			return r.fail(path, fmt.Errorf("unknown word %q: expected one of %s", name, names(words)))
		}
		w := words[i]
		if before, ok := first[name]; ok && !w.repeat {
			return r.fail(within(path, name), fmt.Errorf("it is there twice, first at %s:%d", before.File, before.Line))
		}
		first[name] = r.d.Token()
		if err := r.word(within(path, name), w); err != nil {
			return err
		}
	}
	return nil
}

// word reads one word and all that belongs to it.
func (r *reader) word(path string, w word) error {
	r.remember(path)
	if w.guest != nil {
		return r.guest(path, w)
	}
	args := r.d.RemainingArgs()
	if err := w.fits(args, r.opens()); err != nil {
		return r.fail(path, err)
	}
	if w.repeat && !w.secret {
		path = within(path, args[0])
		r.remember(path)
	}
	if w.set != nil {
		if err := w.set(args); err != nil {
			return r.fail(path, err)
		}
	}
	if w.block == nil {
		return nil
	}
	return r.block(path, w.block())
}

// fits says whether the arguments, and the block where one opens, are what may stand after the word.
func (w word) fits(args []string, opens bool) error {
	least, most := w.arity()
	switch {
	case len(args) < least:
		return fmt.Errorf("something is missing after it: expected %s", w)
	case most >= 0 && len(args) > most && w.secret:
		return fmt.Errorf("more words stand after it than may: expected %s", w)
	case most >= 0 && len(args) > most:
		return fmt.Errorf("unexpected word %q: expected %s", args[most], w)
	case slices.Contains(args, ""):
		return fmt.Errorf("an empty word stands after it: expected %s", w)
	case opens && w.block == nil:
		return fmt.Errorf("unexpected block: expected %s", w)
	case !opens && w.block != nil && w.usage == "":
		return fmt.Errorf("its block is missing: expected %s", w)
	}
	return nil
}

// guest lets a module read its own arguments and block.
func (r *reader) guest(path string, w word) error {
	if !r.d.NextArg() || r.d.Val() == "" {
		return r.fail(path, fmt.Errorf("something is missing after it: expected %s", w))
	}
	name := r.d.Val()
	path = within(path, name)
	r.remember(path)
	if err := w.guest.check(name); err != nil {
		return r.fail(path, err)
	}
	d := r.d
	if w.block != nil {
		d = caddyfile.NewDispenser(append([]caddyfile.Token{r.d.Token()}, r.d.RemainingArgsAsTokens()...))
		d.Next()
	}
	raw, err := guestload.Read(w.guest.what+" "+name, d, w.guest.namespace, name, w.guest.key)
	if _, mute := errors.AsType[guestload.Misbehaved](err); mute {
		return r.locate(at(path, err))
	}
	if err != nil {
		return at(path, err) // the module says where
	}
	w.add(raw)
	if w.block == nil {
		return nil
	}
	return r.block(strings.TrimSuffix(path, " "+name), w.block())
}

// opens says whether a block opens after the arguments that were read.
func (r *reader) opens() bool {
	if r.d.NextLine() {
		r.d.Prev()
		return false
	}
	if !r.d.Next() {
		return false
	}
	next := r.d.Token()
	r.d.Prev()
	return next.Text == "{" && !next.Quoted()
}

// fail makes an error of the word at hand, with its file and line.
func (r *reader) fail(path string, err error) error {
	if path != "" {
		err = at(path, err)
	}
	return r.d.WrapErr(err)
}

// locate adds file and line to an error of a rule. They are those of the nearest word on the path that was read.
func (r *reader) locate(err error) error {
	if err == nil {
		return nil
	}
	place := r.start
	if f, ok := errors.AsType[*fault](err); ok {
		for path := f.path; path != ""; {
			if token, ok := r.places[path]; ok {
				place = token
				break
			}
			path = path[:max(0, strings.LastIndexByte(path, ' '))]
		}
	}
	d := caddyfile.NewDispenser([]caddyfile.Token{place})
	d.Next()
	return d.WrapErr(err)
}

func within(path, word string) string {
	if path == "" {
		return word
	}
	return path + " " + word
}

func names(words []word) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.name
	}
	return strings.Join(list, ", ")
}
