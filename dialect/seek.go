package dialect

// seeker reads one JSON object as it comes, in pieces and of any size, and keeps of it no more than the few values it was
// asked for. It looks after nothing but where it is: a fault in the JSON only means that nothing is found, or that the
// object never ends.
type seeker struct {
	marks map[string]bool // the paths that are wanted, such as response.usage; arrays on the way do not count
	found func(path string, raw []byte)

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
		switch s.state {
		case inString, inKey:
			if s.state == inString && !s.keeping && !s.escaped {
				// The long way is mostly text.
				for c != '"' && c != '\\' {
					if i++; i == len(b) {
						return
					}
					c = b[i]
				}
			}
			s.inQuotes(c)
		case inWord:
			if c == ',' || c == '}' || c == ']' || c <= ' ' {
				s.state = between
				s.endValue()
				s.structure(c)
				continue
			}
			s.keep(c)
		default:
			s.structure(c)
		}
	}
}

func (s *seeker) inQuotes(c byte) {
	end := c == '"' && !s.escaped
	s.escaped = c == '\\' && !s.escaped
	s.keep(c)
	switch {
	case end && s.state == inKey:
		s.state = between
	case end:
		s.state = between
		s.endValue()
	case s.state == inKey && s.length < len(s.path):
		s.path[s.length] = c
		s.length++
	}
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
	s.endValue()
	s.ended = s.depth == 0
}

// begin is called at the first byte of a value.
func (s *seeker) begin(c byte) {
	if !s.keeping && s.depth > 0 && s.depth <= seekLevels && s.marks[string(s.path[:s.length])] {
		s.keeping, s.keepAt, s.kept = true, s.depth, s.kept[:0]
	}
	s.keep(c)
}

func (s *seeker) endValue() {
	if s.keeping && s.depth == s.keepAt {
		s.keeping = false
		s.found(string(s.path[:s.length]), s.kept)
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
