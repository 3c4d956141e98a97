package dialect

// The walkers below go over JSON once and without recursion, so that neither size nor nesting costs more than time. They
// check all that they pass.

// span is where a part of the bytes begins and ends.
type span struct{ start, end int }

func (s span) of(b []byte) []byte { return b[s.start:s.end] }

// walk hands out the members of the object that b is, in order: the key without its quotes and the value, both as they
// stand. It tells whether b is one object, whole and alone.
func walk(b []byte, found func(key, value []byte)) bool {
	return walkSpans(b, nil, func(key, value span) { found(key.of(b), value.of(b)) })
}

// walkSpans is walk by position. What media there is in the values is counted in m, when that is not nil.
func walkSpans(b []byte, m *media, found func(key, value span)) bool {
	i := space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return false
	}
	if i = space(b, i+1); i < len(b) && b[i] == '}' {
		return space(b, i+1) == len(b)
	}
	for {
		key := span{start: i + 1}
		i = skipKey(b, i)
		if i < 0 {
			return false
		}
		key.end = key.start + lastQuote(b[key.start:i])
		value := span{start: i, end: skip(b, i, m)}
		if value.end < 0 {
			return false
		}
		found(key, value)
		i = space(b, value.end)
		switch {
		case i < len(b) && b[i] == ',':
			i = space(b, i+1)
		case i < len(b) && b[i] == '}':
			return space(b, i+1) == len(b)
		default:
			return false
		}
	}
}

// lastQuote gives the place of the last quote in b, the one that ends a key: what follows it is a colon and space.
func lastQuote(b []byte) int {
	i := len(b) - 1
	for b[i] != '"' {
		i--
	}
	return i
}

// each hands out the elements of the array that b is, until a fault.
func each(b []byte, found func(value []byte)) {
	if len(b) < 2 || b[0] != '[' {
		return
	}
	i := space(b, 1)
	for i < len(b) && b[i] != ']' {
		end := skip(b, i, nil)
		if end < 0 {
			return
		}
		found(b[i:end])
		if i = space(b, end); i < len(b) && b[i] == ',' {
			i = space(b, i+1)
		}
	}
}

// member gives the value of one member of the object that b is; nil when there is none.
func member(b []byte, name string) (found []byte) {
	walk(b, func(key, value []byte) {
		if string(key) == name {
			found = value
		}
	})
	return found
}
