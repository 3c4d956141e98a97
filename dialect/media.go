package dialect

import "bytes"

// media counts what stands in a request as base64 and not as text: its size says nothing about the tokens that it costs.
// Found are data: URLs ("data:image/png;base64,…") anywhere, and Anthropic's sources ({"type":"base64","data":"…"}), which
// are flat objects, so that what has been seen of one is forgotten at the next brace.
//
// Both are known by the bytes that clients really send. One that is spelled in another way (with escapes, say) counts by
// its size, which holds more than it needs and never less.
type media struct {
	pieces int64
	bytes  int64 // of the body that are theirs

	name   sourceMember // of the value that follows
	base64 bool         // this object says that it is a source
	data   int64        // the bytes of this object's data
}

type sourceMember uint8

const (
	otherMember sourceMember = iota
	typeMember
	dataMember
)

// mediaTokens is what one piece counts, whatever its size.
const mediaTokens = 2000

// open begins an object.
func (m *media) open() { m.base64, m.data = false, 0 }

// list begins an array: what is in it is not the member's own value.
func (m *media) list() { m.name = otherMember }

func (m *media) close() {
	if m.base64 && m.data > 0 {
		m.pieces++
		m.bytes += m.data
	}
	m.open()
}

// key takes a key, its quotes and what follows up to the value.
func (m *media) key(raw []byte) {
	m.name = otherMember
	if len(raw) >= 7 && raw[5] == '"' {
		switch string(raw[1:5]) {
		case "type":
			m.name = typeMember
		case "data":
			m.name = dataMember
		}
	}
}

// text takes a string with its quotes.
func (m *media) text(raw []byte) {
	name := m.name
	m.name = otherMember
	const prefix = `"data:`
	switch {
	case len(raw) > len(prefix) && string(raw[:len(prefix)]) == prefix:
		if bytes.Contains(raw[:min(len(raw), 256)], []byte(";base64,")) {
			m.pieces++
			m.bytes += int64(len(raw))
		}
	case name == typeMember && string(raw) == `"base64"`:
		m.base64 = true
	case name == dataMember:
		m.data = int64(len(raw))
	}
}

// promptTokens is the estimate for a body of a size: a third of its bytes, but for the media in it.
func (m *media) promptTokens(size int) int64 {
	return (int64(size)-m.bytes+2)/3 + m.pieces*mediaTokens
}
