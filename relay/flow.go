package relay

// overflow gives up a block that is too long to be a settlement: what is held goes on, and the rest as it comes. The line
// that it happens in has been read up to end.
func (f *filter) overflow(end int) {
	f.joined = append(f.joined[:0], f.data()...) // changes nothing where it is joined already
	f.flow, f.inBlock = flowBlock, false
	f.key = fieldKey{}
	head := func(b []byte) { f.joined = append(f.joined, b...) }
	f.dataSeen = f.key.read(f.buf[f.line:end], f.dataSeen, head)
	f.sink.event(f.held(f.name), f.joined, false)
	f.pass()
}

// feed reads on in a line that flows.
func (f *filter) feed(b []byte) {
	f.dataSeen = f.key.read(b, f.dataSeen, f.sink.tail)
}

// endFlowing is the end of a line that flows, b its last bytes.
func (f *filter) endFlowing(b []byte) {
	if f.flow == flowBlock {
		f.feed(b)
		if f.key.empty() {
			f.flow = flowNone
			f.newBlock()
		} else {
			f.dataSeen = f.key.end(f.dataSeen, f.sink.tail)
		}
	} else {
		f.flow = flowNone
	}
	f.key = fieldKey{}
	f.pass()
}

// fieldKey finds out, over however many reads, whether a line is a data line.
type fieldKey struct {
	n    int // bytes of "data:" that have matched
	kind lineKind
}

type lineKind uint8

const (
	lineUnknown lineKind = iota
	lineColon            // a data line, right after its colon
	lineData
	lineOther
)

const dataField = "data:"

func (k *fieldKey) empty() bool { return k.n == 0 && k.kind == lineUnknown }

// read takes more of the line and gives the data in it, with the LF that joins it to the seen data lines before. It
// returns how many there are now.
func (k *fieldKey) read(b []byte, seen int, data func([]byte)) int {
	for k.kind == lineUnknown && len(b) > 0 {
		if b[0] != dataField[k.n] {
			k.kind = lineOther
			break
		}
		b = b[1:]
		if k.n++; k.n == len(dataField) {
			k.kind = lineColon
			seen = join(seen, data)
		}
	}
	if k.kind == lineColon && len(b) > 0 {
		k.kind = lineData
		if b[0] == ' ' {
			b = b[1:]
		}
	}
	if k.kind == lineData && len(b) > 0 {
		data(b)
	}
	return seen
}

// end is the end of the line: one that is "data" alone has an empty value.
func (k *fieldKey) end(seen int, data func([]byte)) int {
	if k.kind == lineUnknown && k.n == len(dataField)-1 {
		seen = join(seen, data)
	}
	return seen
}

func join(seen int, data func([]byte)) int {
	if seen > 0 {
		data([]byte{'\n'})
	}
	return seen + 1
}
