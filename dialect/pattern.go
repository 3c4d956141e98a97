package dialect

import (
	"bytes"
)

// pattern is the last event of a stream that was nothing but more content. Most events differ from the one before in a few values
// that say nothing of what they are: then it is known what they are, and only those values are looked at.
type pattern struct {
	ready  bool
	audio  bool // its text is base64 of audio
	name   []byte
	data   []byte
	slots  [maxSlots]slot
	count  int // of slots
	unused int // patterns in a row that no event has matched
}

// slot is a value in the data that may differ: from start to end, without quotes.
type slot struct {
	start, end int
	telling    telling
	sequence   bool // it is the number of the event, and no string
}

const (
	maxSlots   = 4
	maxPattern = 2 << 10 // bytes of data: they are kept as long as the stream
	mostUnused = 8       // then only one event in as many is kept, so that a stream without a pattern costs no more for it
)

// note has the value that begins with c looked at by a pattern, where it may differ from event to event.
func (s *seeker) note(c byte) {
	n := slot{start: s.pos, telling: s.telling}
	switch path := string(s.path[:s.length]); {
	case c == '"' && (s.telling.count != countNothing || path == "obfuscation"):
		n.start++
	case c >= '0' && c <= '9' && path == "sequence_number":
		n.sequence = true
	default:
		return
	}
	if s.noted < maxSlots {
		s.slots[s.noted] = n
	}
	s.noted++
}

// learn makes a pattern of an event that the listener has just heard, and that was nothing but more content. sequence is its number,
// or -1; audio says that its text is none.
func (v *Events) learn(name, data []byte, sequence int64, audio bool) {
	p := &v.pattern
	if p.ready {
		p.unused++
	}
	p.ready = false
	if p.unused >= mostUnused {
		if p.unused++; p.unused%mostUnused != 0 {
			return
		}
	}
	s := &v.listener
	if len(data) > maxPattern || s.noted == 0 || s.noted > maxSlots || !s.ended {
		return
	}
	p.slots, p.count, p.audio = s.slots, s.noted, audio
	for i := range p.slots[:p.count] {
		if !p.slots[i].close(data) {
			return
		}
	}
	p.name, p.data = append(p.name[:0], name...), append(p.data[:0], data...)
	var said said
	found, ok := p.match(name, data, &said)
	p.ready = ok && found == sequence && s.heard == (heard{inPieces: said}) // or something is counted beside the slots
}

// close finds the slot's end. It is false where what follows is not what follows a value.
func (n *slot) close(data []byte) bool {
	if n.sequence {
		n.end = skipDigits(data, n.start)
	} else {
		n.end = stringEnd(data, n.start-1) - 1
	}
	after := n.end
	if !n.sequence {
		after++
	}
	if n.end < n.start || after >= len(data) || n.telling.level != inPieces {
		return false
	}
	switch data[after] {
	case ',', '}', ']':
		return true
	}
	return false
}

// match counts what an event says that differs from the pattern in its slots alone. sequence is its number, or -1.
func (p *pattern) match(name, data []byte, to *said) (sequence int64, ok bool) {
	sequence = -1
	if !bytes.Equal(name, p.name) {
		return sequence, false
	}
	from := 0
	for i := range p.slots[:p.count] {
		n := &p.slots[i]
		fixed := p.data[from:n.start]
		if !bytes.HasPrefix(data, fixed) {
			return sequence, false
		}
		data = data[len(fixed):]
		from = n.end
		if n.sequence {
			end := skipDigits(data, 0)
			sequence = digits(data[:end])
			data = data[end:]
			continue
		}
		end := bytes.IndexByte(data, '"')
		if end > 0 && data[end-1] == '\\' {
			end = quoteAfter(data, end)
		}
		if end < 0 {
			return sequence, false
		}
		said, ok := decodedLength(data[:end])
		if !ok {
			return sequence, false
		}
		to.hear(n.telling.count, said)
		data = data[end:]
	}
	if p.audio {
		to.audio, to.text = to.text, 0
	}
	return sequence, bytes.Equal(data, p.data[from:])
}

// decodedLength is how many bytes of UTF-8 stand in a string, as a seeker counts them; not ok where an escape is broken.
func decodedLength(text []byte) (n int64, ok bool) {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return n + int64(len(text)), true
		}
		n += int64(i)
		text = text[i+1:]
		switch {
		case len(text) == 0:
			return 0, false
		case text[0] != 'u':
			n++
			text = text[1:]
			continue
		case len(text) < 5:
			return 0, false
		}
		var unit uint16
		for _, c := range text[1:5] {
			if !isHex(c) {
				return 0, false
			}
			unit = unit<<4 | uint16(nibble(c))
		}
		n += unitLength(unit)
		text = text[5:]
	}
}
