package relay

import (
	"bytes"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// field reads the field of the line that ends at end.
func (f *filter) field(end int) {
	f.inBlock = true
	name, value, _ := bytes.Cut(f.buf[f.line:end], []byte(":"))
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	at := span{end - len(value) - f.hold, end - f.hold}
	switch string(name) {
	case "event":
		f.named, f.name = true, at
	case "data":
		f.dataSeen++
		switch f.dataSeen {
		case 1:
			f.first = at
			return
		case 2:
			f.joined = append(f.joined[:0], f.held(f.first)...)
		}
		f.joined = append(append(f.joined, '\n'), value...)
	}
}

func (f *filter) held(s span) []byte { return f.buf[f.hold+s.start : f.hold+s.end] }

func (f *filter) data() []byte {
	if f.dataSeen > 1 {
		return f.joined
	}
	return f.held(f.first)
}

// judge is the end of a block that has been held whole.
func (f *filter) judge() {
	name, data := f.held(f.name), f.data()
	drop := string(name) == wire.SettlementEvent
	switch {
	case drop:
		f.sink.settlement(data)
	case f.named || f.dataSeen > 0:
		drop = f.sink.event(name, data, true)
	}
	if drop {
		f.drop()
		f.dropped = f.afterCR
	} else {
		f.pass()
	}
	f.newBlock()
}

func (f *filter) newBlock() {
	f.inBlock, f.named, f.dataSeen = false, false, 0
	f.name, f.first = span{}, span{}
}

// pass lets what is held go on.
func (f *filter) pass() {
	if f.out == f.hold {
		f.out = f.pos
	} else {
		f.out += copy(f.buf[f.out:], f.buf[f.hold:f.pos])
	}
	f.hold, f.line = f.pos, f.pos
}

// drop lets only the comments of what is held go on.
func (f *filter) drop() {
	for held := f.buf[f.hold:f.pos]; len(held) > 0; {
		n := bytes.IndexAny(held, "\r\n") + 1
		switch {
		case n == 0:
			n = len(held)
		case held[n-1] == '\r' && n < len(held) && held[n] == '\n':
			n++
		}
		if held[0] == ':' {
			f.out += copy(f.buf[f.out:], held[:n])
		}
		held = held[n:]
	}
	f.hold, f.line = f.pos, f.pos
}
