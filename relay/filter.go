package relay

import (
	"bytes"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// maxHold bounds what is held back of a stream, in bytes: by the filter of a block that may still be a settlement, and
// again before the commit. Where the memory is short it is less (see Memory).
const maxHold = 1 << 20

// smallestHold is how much room is made for what is held, at least, in bytes.
const smallestHold = 512

const byteOrderMark = wire.ByteOrderMark

// sink is told what the filter finds. Slices are valid during the call only.
type sink interface {
	event(name, data []byte, whole bool) (drop bool) // only a whole one can be dropped
	tail(data []byte)
	settlement(data []byte)
}

// filter takes the settlement blocks out of an event stream and lets every other byte through as it came. A block is held
// until its blank line, since its event field may come last; comments and blank lines outside of blocks are not held.
//
// There is one buffer: the bytes that were written, or own, where something is held before them. buf[:out] may go on, buf[hold:pos]
// is held, and buf[pos:] has not been looked at yet; what lies between out and hold was dropped.
type filter struct {
	sink sink
	max  int // bytes of a block that are held
	room place

	buf            []byte
	own            []byte // room for what is held
	borrowed       bool   // buf is the writer's
	out, hold, pos int
	line           int // where the line at pos begins; hold while flowing
	lf, cr         int // the next LF and CR at or after pos, where known; len(buf): none

	begun   bool // past the byte order mark
	noMark  bool // which is not passed on if it is still to come
	afterCR bool // the last byte was a CR: an LF shares its fate
	dropped bool // that fate, when nothing is held: it was dropped

	inBlock  bool // a field of the block is held
	named    bool // the block has an event field
	name     span // its last value
	dataSeen int  // data lines so far
	first    span // the value of the first
	joined   []byte

	flow flow
	key  fieldKey // of the line that flows
}

// span is a part of what is held, from hold on.
type span struct{ start, end int }

// flow says what passes as it comes, because it was too long to be held.
type flow uint8

const (
	flowNone    flow = iota
	flowComment      // the rest of a comment line
	flowBlock        // the rest of a block
)

// newFilter makes one whose room is lent by nobody yet. A block may lie in it twice: its data may be joined beside it.
func newFilter(s sink) *filter { return &filter{sink: s, max: maxHold, room: place{times: 2}} }

// Write takes the next bytes of the stream and gives those that may go on, valid until the next call. p is the filter's until Consumed
// or the next call.
func (f *filter) Write(p []byte) []byte { return f.WriteBehind(p, 0) }

// WriteBehind is Write for the bytes from at on, before which there is room for what is held.
func (f *filter) WriteBehind(p []byte, at int) []byte {
	f.Consumed()
	if held := len(f.buf); held <= at {
		copy(p[at-held:], f.buf)
		f.own = f.buf[:0]
		f.buf, f.borrowed = slices.Clip(p[at-held:]), true
	} else {
		f.buf = append(f.buf, p[at:]...)
	}
	if f.begun || f.begin() {
		f.scan()
	}
	return f.buf[:f.out]
}

// End says that the stream ended cleanly. An unfinished block is judged as if its blank line had come; what of it may go
// on is given back, valid until the next call. The caller may also drop that, where the stream is not whole.
func (f *filter) End() []byte {
	f.Consumed()
	f.begun = true
	f.scan() // a begun byte order mark
	if f.flow == flowNone && f.pos > f.line {
		if f.buf[f.line] != ':' {
			f.field(f.pos)
		}
		f.line = f.pos
	}
	if f.flow == flowBlock {
		f.dataSeen = f.key.end(f.dataSeen, f.sink.tail)
	}
	if f.inBlock {
		f.judge()
	} else {
		f.pass()
	}
	return f.buf[:f.out]
}

// Between tells whether the output stands between blocks, where something may be put in that is none of the seller's.
func (f *filter) Between() bool { return f.flow == flowNone && !f.afterCR }

// Flowing tells whether the output stands inside of a block or a line that was too long to be held.
func (f *filter) Flowing() bool { return f.flow != flowNone }

// Gap gives what must be written before another event, where the output does not stand at the end of a block.
func (f *filter) Gap() string {
	switch {
	case f.flow == flowNone:
		return ""
	case f.flow == flowBlock && f.key.empty() && !f.afterCR:
		return "\n"
	case f.flow == flowBlock:
		return "\n\n" // the first ends the line, or goes with its CR
	}
	return "\n"
}

// Consumed says that what may go on has gone. The filter keeps a copy of what is held, and else nothing.
func (f *filter) Consumed() {
	if f.borrowed || f.hold > 0 {
		f.pos -= f.hold
		f.line -= f.hold
		held := f.buf[f.hold:]
		if !f.borrowed {
			f.own = f.buf[:0]
		}
		if f.room.shrink(len(held)) { // a long block is over, and its room goes, though the next one has begun
			f.own = nil
			if f.inBlock && f.dataSeen > 1 {
				f.joined = bytes.Clone(f.joined)
			} else {
				f.joined = nil
			}
		}
		if cap(f.own) < len(held) {
			f.own = make([]byte, 0, max(len(held), smallestHold))
		}
		f.buf, f.borrowed = append(f.own[:0], held...), false
		f.out, f.hold = 0, 0
	}
	if len(f.buf) == 0 && cap(f.buf) > firstSize {
		f.own, f.buf, f.joined = nil, nil, nil // a long block is over; don't keep its room as long as the stream
	}
	f.lf, f.cr = -1, -1
}

// forget drops all that is held, where nothing more comes.
func (f *filter) forget() { *f = filter{sink: f.sink, max: f.max, room: f.room} }

// tooLong tells whether more is held than may be.
func (f *filter) tooLong() bool {
	n := f.pos - f.hold
	return n > f.max || !f.room.has(n)
}

// begin passes the byte order mark on. It is false as long as more bytes must come to tell.
func (f *filter) begin() bool {
	n := min(len(f.buf), len(byteOrderMark))
	if string(f.buf[:n]) == byteOrderMark[:n] {
		if n < len(byteOrderMark) {
			return false
		}
		f.pos = n
		if f.noMark {
			f.hold, f.line = n, n
		} else {
			f.pass()
		}
	}
	f.begun = true
	return true
}

func (f *filter) scan() {
	for f.pos < len(f.buf) {
		if f.afterCR {
			dropped := f.dropped
			f.afterCR, f.dropped = false, false
			if f.buf[f.pos] == '\n' {
				f.pos++
				f.lineFeed(dropped)
				continue
			}
		}
		start, end := f.pos, f.lineEnd()
		if end == len(f.buf) {
			f.pos = end
			f.part(start)
			return
		}
		f.pos = end + 1
		f.afterCR = f.buf[end] == '\r'
		f.endLine(start, end)
	}
}

// lineEnd finds the next CR or LF. Each byte is looked at once for each of them, however the two are mixed.
func (f *filter) lineEnd() int {
	f.lf = f.next(f.lf, '\n')
	f.cr = f.next(f.cr, '\r')
	return min(f.lf, f.cr)
}

func (f *filter) next(known int, c byte) int {
	if known >= f.pos {
		return known
	}
	if i := bytes.IndexByte(f.buf[f.pos:], c); i >= 0 {
		return f.pos + i
	}
	return len(f.buf)
}

// lineFeed is the LF after a CR.
func (f *filter) lineFeed(dropped bool) {
	switch {
	case f.flow == flowNone && f.inBlock:
		f.line = f.pos
		if f.tooLong() {
			f.overflow(f.pos)
		}
	case dropped:
		f.hold, f.line = f.pos, f.pos
	default:
		f.pass()
	}
}

// part is a line that goes on in the next read; buf[start:pos] of it is new.
func (f *filter) part(start int) {
	switch {
	case f.flow != flowNone:
		if f.flow == flowBlock {
			f.feed(f.buf[start:f.pos])
		}
		f.pass()
	case !f.tooLong():
	case !f.inBlock && f.buf[f.line] == ':':
		f.flow = flowComment
		f.pass()
	default:
		f.overflow(f.pos)
	}
}

// endLine is the end of the line that began at f.line; buf[start:end] of it is new.
func (f *filter) endLine(start, end int) {
	if f.flow != flowNone {
		f.endFlowing(f.buf[start:end])
		return
	}
	switch {
	case end == f.line && !f.inBlock, end > f.line && f.buf[f.line] == ':' && !f.inBlock:
		f.pass() // a blank line outside of a block, or a comment before its fields
	case f.tooLong():
		f.overflow(end)
		f.endFlowing(nil)
	case end == f.line:
		f.judge()
	default:
		if f.buf[f.line] != ':' {
			f.field(end)
		}
		f.line = f.pos
	}
}
