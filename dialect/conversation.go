package dialect

import (
	"bytes"
	"encoding/binary"
	"hash"
	"math/bits"
	"sync"
	"unicode/utf8"
)

// How much of a conversation's opening is looked at, in bytes of text. Each part has a share of its own, so that a long
// system text, which many conversations have in common, leaves room for what sets them apart.
const (
	maxSystemText = 48 << 10
	maxFirstText  = 16 << 10
	maxPartData   = 4 << 10 // of a part that is no text: an image, a file
	maxPrompt     = 1 << 10 // completions: later turns only make the prompt longer
)

// Opening feeds into a hash what tells a conversation from others and stays as it is from turn to turn: its system text and
// its first user message. Body is what the request was scanned from. It tells whether there was anything.
//
// What is fed is decoded text in a form of its own: neither the order of members, spacing, escapes, ids and cache markers,
// nor whether a text stands alone or as the only part of a list, make a difference. It never fails: what has an unknown
// shape is left out. At most 64 KiB of text are looked at, and nothing that follows the first user message in its list.
func (e *Endpoint) Opening(r *Request, body []byte, h hash.Hash) bool {
	c := openings.Get().(*conversation)
	defer openings.Put(c)
	c.hash, c.left, c.any, c.pending = h, maxSystemText, false, 0
	if system := r.system.of(body); len(system) > 0 {
		c.content(system, systemText)
	}
	if turns := r.turns.of(body); len(turns) > 0 {
		if e.Protocol == Completions {
			c.prompt(turns)
		} else {
			c.turns(turns)
		}
	}
	c.flush()
	c.hash = nil
	return c.any
}

// What follows in the hash. The first byte occurs in no text.
var (
	systemText = []byte("\xffsystem:")
	firstText  = []byte("\xffuser:")
	otherPart  = []byte("\xffpart:")
	partData   = []byte("\xffdata:")
)

// conversation is what has been found of one.
type conversation struct {
	hash    hash.Hash
	left    int // bytes of text that may still be looked at
	any     bool
	pending int // bytes in scratch
	scratch [1024]byte
}

// openings are conversations that nobody looks at just now: one is a kilobyte.
var openings = sync.Pool{New: func() any { return new(conversation) }}

// turns takes the list of messages or items, up to and with the first that is a user's. A string is that one itself.
func (c *conversation) turns(b []byte) {
	if b[0] == '"' {
		c.left = maxFirstText
		c.long(b, firstText)
		return
	}
	elements(b, func(i int) int {
		var role []byte
		content := -1
		end := valueAt(b, i, func(key span, i int) int {
			switch string(key.of(b)) {
			case "role":
				return take(b, i, &role)
			case "content":
				if content = i; string(role) == user {
					return -1 // all that is still wanted begins here, and what follows may be long
				}
			}
			return skip(b, i, nil)
		})
		switch string(role) {
		case user:
			c.left = maxFirstText
			if content >= 0 {
				c.content(b[content:], firstText)
			}
			return -1
		case `"system"`, `"developer"`:
			if content >= 0 {
				c.content(b[content:], systemText)
			}
		}
		return end
	})
}

const user = `"user"`

// take reads the value at b[i] and gives its end. A string has been checked by the scan, and only its quote is looked for.
func take(b []byte, i int, to *[]byte) (end int) {
	if b[i] == '"' {
		end = stringEnd(b, i)
	} else {
		end = skip(b, i, nil)
	}
	if end >= 0 {
		*to = b[i:end]
	}
	return end
}

// valueAt visits the values of the object at b[i] and gives its end. Another value is passed over.
func valueAt(b []byte, i int, visit func(key span, i int) (end int)) (end int) {
	if b[i] != '{' {
		return skip(b, i, nil)
	}
	return object(b, i, visit)
}

// content takes what b begins with: a text, or a list of parts.
func (c *conversation) content(b, mark []byte) {
	if b[0] == '"' {
		c.long(b, mark)
		return
	}
	var text []byte
	elements(b, func(i int) int {
		switch {
		case c.left == 0:
			return -1
		case b[i] != '"':
			return c.part(b, i, mark)
		}
		end := take(b, i, &text)
		c.text(text, mark)
		return end
	})
}

// long takes the string that b begins with. Of one that is longer than what is looked at the end is not sought.
func (c *conversation) long(b, mark []byte) {
	if most := 1 + longestText(c.left); len(b) > most && stringEnd(b[:most], 0) < 0 && !bytes.HasPrefix(b[1:], attribution) {
		c.feed(b[1:most], mark, c.left)
		return
	}
	var text []byte
	take(b, 0, &text)
	c.text(text, mark)
}

// part takes the part at b[i] and gives its end.
func (c *conversation) part(b []byte, i int, mark []byte) int {
	p := part{rank: len(dataNames)}
	end := valueAt(b, i, func(key span, i int) int {
		switch string(key.of(b)) {
		case "type":
			return take(b, i, &p.kind)
		case "text":
			return take(b, i, &p.text)
		}
		return p.see(b, key, i, 1)
	})
	switch string(p.kind) {
	case `"text"`, `"input_text"`, `"output_text"`, "":
		c.text(p.text, mark)
	default:
		c.feed(inner(p.kind), otherPart, maxPartData)
		c.feed(inner(p.data), partData, maxPartData)
	}
	return end
}

// part is what a part says, as it stands. One that is no text is known by its kind and its data.
type part struct {
	kind, text, data []byte

	rank int // of the member that data is from
}

// dataNames are the members that have data, those that say most first.
var dataNames = [...]string{"data", "file_data", "url", "image_url", "video_url", "file_id", "content"}

// see looks at a member of a part, and of the objects in it to a number of levels, and gives its end.
func (p *part) see(b []byte, key span, i, levels int) int {
	if b[i] == '{' && levels > 0 {
		return object(b, i, func(key span, i int) int { return p.see(b, key, i, levels-1) })
	}
	var data []byte
	end := take(b, i, &data)
	if end < 0 || b[i] != '"' {
		return end
	}
	for rank, name := range dataNames[:p.rank] {
		if string(key.of(b)) == name {
			p.rank, p.data = rank, data
			break
		}
	}
	return end
}

// prompt takes the prompt of a completion: a text, a list of them, or a list of tokens.
func (c *conversation) prompt(b []byte) {
	c.left = maxPrompt
	switch first := space(b, 1); {
	case b[0] == '"':
		c.text(b, firstText)
	case b[0] != '[' || b[first] == ']':
	case b[first] == '"':
		var text []byte
		take(b, first, &text)
		c.text(text, firstText)
	default:
		c.begin(firstText)
		for i := 0; i < len(b) && c.left > 0; i++ {
			if b[i] > ' ' {
				c.character(rune(b[i]))
			}
		}
	}
}

// attribution begins the first system text of Claude Code: a line that is another one in each request, and left out.
var attribution = []byte("x-anthropic-billing-header:")

// text takes a string, as it stands.
func (c *conversation) text(raw, mark []byte) {
	text := inner(raw)
	if bytes.HasPrefix(text, attribution) {
		_, text, _ = bytes.Cut(text, []byte(`\n`))
	}
	c.feed(text, mark, c.left)
}

// feed decodes up to limit bytes of what stands in a string into the hash, behind a mark.
func (c *conversation) feed(text, mark []byte, limit int) {
	limit = min(limit, c.left)
	if len(text) == 0 || limit == 0 {
		return
	}
	c.begin(mark)
	text = text[:min(len(text), longestText(limit))]
	rest := c.left - limit
	c.left = limit
	for len(text) > 0 && c.left > 0 {
		if text[0] == '\\' {
			char, n := unescape(text)
			c.character(char)
			text = text[n:]
			continue
		}
		n := c.run(text)
		text = text[n:]
	}
	c.left += rest
}

// longestText is how long so many bytes of text may be as they stand: a byte is made of six at most.
func longestText(n int) int { return 6*n + len(`\ud83d\ude00`) }

func (c *conversation) begin(mark []byte) {
	c.any = true
	c.room(len(mark))
	c.pending += copy(c.scratch[c.pending:], mark)
}

// room makes sure that n bytes have room in scratch.
func (c *conversation) room(n int) {
	if len(c.scratch)-c.pending < n {
		c.flush()
	}
}

func (c *conversation) flush() {
	_, _ = c.hash.Write(c.scratch[:c.pending]) // a hash takes all
	c.pending = 0
}

func (c *conversation) character(r rune) {
	c.room(utf8.UTFMax)
	c.count(min(utf8.EncodeRune(c.scratch[c.pending:], r), c.left))
}

func (c *conversation) count(n int) {
	c.pending += n
	c.left -= n
}

// run takes text up to its first escape, or as much as there is room for, and tells how much that was. Code has an escape
// every few bytes: it copies eight bytes at a time and keeps those before the escape.
func (c *conversation) run(text []byte) (n int) {
	c.room(8)
	to := c.scratch[c.pending:min(len(c.scratch), c.pending+c.left)]
	for ; n+8 <= len(text) && n+8 <= len(to); n += 8 {
		x := binary.LittleEndian.Uint64(text[n:])
		binary.LittleEndian.PutUint64(to[n:], x)
		slash := x ^ ('\\' * ones)
		if marks := (slash - ones) &^ slash & highs; marks != 0 {
			n += bits.TrailingZeros64(marks) >> 3
			c.count(n)
			return n
		}
	}
	for ; n < len(text) && n < len(to) && text[n] != '\\'; n++ {
		to[n] = text[n]
	}
	c.count(n)
	return n
}
