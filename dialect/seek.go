package dialect

// seeker reads one JSON object as it comes, in pieces and of any size, and keeps of it no more than the few values it was
// asked for. It looks after nothing but where it is: a fault in the JSON only means that nothing is found, or that the
// object never ends.
type seeker struct {
	marks map[string]bool // the paths that are wanted, such as response.usage; arrays on the way do not count
	found func(path string, raw []byte)
	tells map[string]telling // the paths of what is counted in heard
	heard heard
	notes bool // values are noted for a pattern

	seeking
}

// seeking is where a seeker is.
type seeking struct {
	depth   int
	objects uint64              // the levels up to seekLevels that are objects, a bit each
	path    [128]byte           // of the value that comes or is being read
	length  int                 // of path
	lengths [seekLevels + 1]int // of the path of what holds each level's values

	state   seekState
	escaped bool // the byte before was a backslash that escapes this one
	wantKey bool
	keeping bool
	keepAt  int // the depth at which the value that is kept ends
	kept    []byte
	ended   bool // the object has closed

	telling  telling // of the string that is being read
	unit     uint16  // of an escape in it that is being read,
	digits   int     // and how many of its digits are to come
	base     int64   // bytes before those that are being fed
	pos      int     // in those
	rawFrom  int64   // where the value begins that is counted as it stands
	rawDepth int     // the depth at which it ends; 0: there is none
	rawLevel level

	slots [maxSlots]slot // the values that were noted
	noted int            // how many there were: more than slots, perhaps
}

// reset begins with another object. What was kept makes room for what will be.
func (s *seeker) reset() {
	s.seeking = seeking{kept: s.kept[:0]}
	s.heard = heard{}
}

type seekState uint8

const (
	between seekState = iota
	inKey
	inString
	inWord // a number, true, false, null
)

const (
	seekLevels = 8       // below them nothing is wanted: only brackets are counted
	maxKept    = 1 << 14 // bytes of one value; a longer one is not kept
)

// feed takes the next bytes. It does nothing once the object has ended.
func (s *seeker) feed(b []byte) {
	for i := 0; i < len(b) && !s.ended; i++ {
		c := b[i]
		s.pos = i
		switch s.state {
		case inString, inKey:
			if s.state == inString && !s.keeping && !s.escaped && s.digits == 0 {
				// The long way is mostly text.
				from := i
				for c != '"' && c != '\\' {
					if i++; i == len(b) {
						break
					}
					c = b[i]
				}
				s.hear(int64(i - from))
				if s.pos = i; i == len(b) {
					continue
				}
			}
			s.inQuotes(c)
		case inWord:
			if c == ',' || c == '}' || c == ']' || c <= ' ' {
				s.state = between
				s.endValue(0)
				s.structure(c)
				continue
			}
			s.keep(c)
		default:
			s.structure(c)
		}
	}
	s.base += int64(len(b))
}

func (s *seeker) inQuotes(c byte) {
	end := c == '"' && !s.escaped
	if s.state == inString && s.telling.count != countNothing {
		s.hearByte(c, end)
	}
	s.escaped = c == '\\' && !s.escaped
	s.keep(c)
	switch {
	case end && s.state == inKey:
		s.state = between
	case end:
		s.state = between
		s.endValue(1)
	case s.state == inKey && s.length < len(s.path):
		s.path[s.length] = c
		s.length++
	}
}

// hear counts bytes of the string that is being read.
func (s *seeker) hear(n int64) {
	s.heard[s.telling.level].hear(s.telling.count, n)
}

// hearByte counts the bytes that need a closer look: escapes, and the end.
func (s *seeker) hearByte(c byte, end bool) {
	switch {
	case end:
		if s.telling.count == countImage && s.base+int64(s.pos) > s.rawFrom+1 {
			s.heard[s.telling.level].images++
		}
		s.telling, s.digits = telling{}, 0
	case s.digits > 0:
		s.unit = s.unit<<4 | uint16(nibble(c))
		if s.digits--; s.digits == 0 {
			s.hear(unitLength(s.unit))
		}
	case s.escaped && c == 'u':
		s.digits, s.unit = 4, 0
	case c != '\\' || s.escaped:
		s.hear(1)
	}
}

func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20 - 'a' + 10) & 15
}

// unitLength is how many bytes of UTF-8 a unit of UTF-16 stands for. Half of a surrogate pair is half of four.
func unitLength(unit uint16) int64 {
	switch {
	case unit < 0x80:
		return 1
	case unit < 0x800, unit >= 0xd800 && unit < 0xe000:
		return 2
	}
	return 3
}

// structure takes a byte that is in no string and no word.
func (s *seeker) structure(c byte) {
	switch c {
	case ' ', '\t', '\r', '\n', ':':
		s.keep(c)
	case ',':
		s.keep(c)
		if s.depth <= seekLevels {
			s.length = s.lengths[s.depth]
			s.wantKey = s.objects>>s.depth&1 == 1
		}
	case '{', '[':
		s.begin(c)
		s.push(c == '{')
	case '}', ']':
		s.keep(c)
		s.pop()
	case '"':
		if s.wantKey && s.depth <= seekLevels {
			s.keep(c)
			s.wantKey, s.state = false, inKey
			if s.depth > 1 && s.length < len(s.path) {
				s.path[s.length] = '.'
				s.length++
			}
			return
		}
		s.begin(c)
		s.state = inString
	default:
		s.begin(c)
		s.state = inWord
	}
}

func (s *seeker) push(object bool) {
	s.depth++
	if s.depth <= seekLevels {
		s.lengths[s.depth] = s.length
		s.objects &^= 1 << s.depth
		if object {
			s.objects |= 1 << s.depth
		}
		s.wantKey = object
	}
}

func (s *seeker) pop() {
	if s.depth == 0 {
		return
	}
	if s.depth <= seekLevels {
		s.length = s.lengths[s.depth] // what has closed stands here itself
	}
	s.depth--
	s.wantKey = false
	s.endValue(1)
	s.ended = s.depth == 0
}

// begin is called at the first byte of a value.
func (s *seeker) begin(c byte) {
	if !s.keeping && s.depth > 0 && s.depth <= seekLevels {
		if s.marks[string(s.path[:s.length])] {
			s.keeping, s.keepAt, s.kept = true, s.depth, s.kept[:0]
		}
		if s.tells != nil && s.rawDepth == 0 {
			s.tell(c)
			if s.notes {
				s.note(c)
			}
		}
	}
	s.keep(c)
}

// tell looks up whether the value that begins is counted.
func (s *seeker) tell(c byte) {
	s.telling = s.tells[string(s.path[:s.length])]
	switch {
	case s.telling.count == countRaw:
		s.rawDepth, s.rawLevel = s.depth, s.telling.level
		s.rawFrom = s.base + int64(s.pos)
		s.telling = telling{}
	case c != '"':
		s.telling = telling{}
	case s.telling.count == countImage:
		s.rawFrom = s.base + int64(s.pos)
	}
}

// endValue is the end of a value; last says whether the byte that is looked at is its own.
func (s *seeker) endValue(last int64) {
	if s.keeping && s.depth == s.keepAt {
		s.keeping = false
		s.found(string(s.path[:s.length]), s.kept)
	}
	if s.rawDepth > 0 && s.depth == s.rawDepth {
		s.rawDepth = 0
		if n := s.base + int64(s.pos) + last - s.rawFrom; n > int64(len("{}")) {
			s.heard[s.rawLevel].text += n
		}
	}
}

func (s *seeker) keep(c byte) {
	if !s.keeping {
		return
	}
	if len(s.kept) == maxKept {
		s.keeping = false
		return
	}
	s.kept = append(s.kept, c)
}
