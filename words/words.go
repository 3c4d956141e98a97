// Package words reads the block in which a payment method, or a way of being paid, is set up in a Caddyfile: words with arguments, one a line.
package words

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Word is a word of the block.
type Word struct {
	Name string
	// Usage is what stands after the name, as the documentation writes it: "<usd>", "<id> [<url...>]". How many arguments there
	// may be is read from it.
	Usage string
	// Repeat says that the word may stand more than once.
	Repeat bool
	// Empty says that an argument may be the empty word.
	Empty bool
	// Set takes the arguments. What it says of them is told with file, line and word; it must not quote a secret.
	Set func(args []string) error
}

// Read reads "<method> { words }", with the dispenser before the method's name. A method without options needs no block. An error has file, line and
// word; of which method it is, who has it read says.
func Read(d *caddyfile.Dispenser, list []Word) error {
	d.Next()
	if d.NextArg() {
		return d.Errf("it takes no argument, but here is %q", d.Val())
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		i := slices.IndexFunc(list, func(w Word) bool { return w.Name == name })
		if i < 0 {
			return d.Errf("unknown word %q: expected one of %s", name, names(list))
		}
		w := list[i]
		if seen[name] && !w.Repeat {
			return d.Errf("%s is there twice", name)
		}
		seen[name] = true
		if err := w.read(d); err != nil {
			return d.WrapErr(fmt.Errorf("%s: %w", name, err))
		}
	}
	return nil
}

func (w Word) read(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	least, most := 0, 0
	for field := range strings.FieldsSeq(w.Usage) {
		if !strings.HasPrefix(field, "[") {
			least++
		}
		if most++; strings.Contains(field, "...") {
			most = 1 << 10
		}
	}
	switch {
	case len(args) < least:
		return fmt.Errorf("something is missing after it: expected %s", w)
	case len(args) > most:
		return fmt.Errorf("%d words stand after it: expected %s", len(args), w)
	case !w.Empty && slices.Contains(args, ""):
		return fmt.Errorf("an empty word stands after it: expected %s", w)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		return fmt.Errorf("unexpected block: expected %s", w)
	}
	return w.Set(args)
}

func (w Word) String() string {
	if w.Usage == "" {
		return `"` + w.Name + `"`
	}
	return `"` + w.Name + " " + w.Usage + `"`
}

func names(words []Word) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.Name
	}
	return strings.Join(list, ", ")
}

// Text sets a text to the one argument, after the check where there is one.
func Text(to *string, check func(string) error) func([]string) error {
	return func(args []string) error {
		*to = args[0]
		if check == nil {
			return nil
		}
		return check(args[0])
	}
}

var placeholder = regexp.MustCompile(`^\{[^{}$]+\}$`)

// CheckSecret says what is wrong with what stands in a config for a secret: anything but a placeholder, of which example is one. It does not quote
// it, as it may be the secret.
func CheckSecret(s, example string) error {
	if !placeholder.MatchString(s) {
		return fmt.Errorf("expected a placeholder, such as %s: a key that stands in the config itself stands in Caddy's adapted config and log as well", example)
	}
	return nil
}

var sellerID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckSeller says what is wrong with the id of a seller: what no seller can be called would bind nobody, without a word.
func CheckSeller(id string) error {
	if !sellerID.MatchString(id) {
		return fmt.Errorf("%q is no seller's id: expected 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit", id)
	}
	return nil
}
