package dialect

import (
	"math"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// The walkers below go over JSON once and without recursion, so that neither size nor nesting costs more than time. They
// check all that they pass.

// span is where a part of the bytes begins and ends.
type span struct{ start, end int }

func (s span) of(b []byte) []byte { return b[s.start:s.end] }

// walk hands out the members of the object that b is, in order: the key without its quotes and the value, both as they
// stand. It tells whether b is one object, whole and alone.
func walk(b []byte, found func(key, value []byte)) bool {
	end := members(b, space(b, 0), func(key, value span) bool {
		found(key.of(b), value.of(b))
		return true
	})
	return end >= 0 && space(b, end) == len(b)
}

// members hands out the members of the object at b[i] for as long as found wants more. It gives the object's end, or -1
// at a fault, at what is no object, and where it was stopped.
func members(b []byte, i int, found func(key, value span) bool) int {
	return object(b, i, func(key span, i int) int {
		end := skip(b, i, nil)
		if end >= 0 && !found(key, span{i, end}) {
			return -1
		}
		return end
	})
}

// object visits the values of the object at b[i] where they begin, as long as visit gives their ends. It gives the
// object's end, or -1 as members does.
func object(b []byte, i int, visit func(key span, i int) (end int)) int {
	if i >= len(b) || b[i] != '{' {
		return -1
	}
	if i = space(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		key := span{start: i + 1}
		i = skipKey(b, i)
		if i < 0 {
			return -1
		}
		key.end = key.start + lastQuote(b[key.start:i])
		if i = visit(key, i); i < 0 {
			return -1
		}
		i = space(b, i)
		switch {
		case i < len(b) && b[i] == ',':
			i = space(b, i+1)
		case i < len(b) && b[i] == '}':
			return i + 1
		default:
			return -1
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
	elements(b, func(i int) int {
		end := skip(b, i, nil)
		if end >= 0 {
			found(b[i:end])
		}
		return end
	})
}

// elements visits the elements of the array that b is where they begin, as long as visit gives their ends.
func elements(b []byte, visit func(i int) (end int)) {
	if len(b) < 2 || b[0] != '[' {
		return
	}
	i := space(b, 1)
	for i < len(b) && b[i] != ']' {
		end := visit(i)
		if end < 0 {
			return
		}
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

// empty tells whether a value carries nothing.
func empty(raw []byte) bool {
	switch string(raw) {
	case "", "null", `""`, "[]", "{}", "false":
		return true
	}
	return len(raw) > 1 && (raw[0] == '{' || raw[0] == '[') && space(raw, 1) == len(raw)-1
}

// digits reads a number that is whole and not negative, else -1.
func digits(raw []byte) int64 {
	if len(raw) == 0 {
		return -1
	}
	var n int64
	for _, c := range raw {
		if c < '0' || c > '9' || n > (math.MaxInt64-9)/10 {
			return spelled(raw)
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// spelled reads one that is not in digits alone, as programs write it whose numbers are all floats.
func spelled(raw []byte) int64 {
	if n, ok := money.Whole(raw); ok && raw[0] >= '0' && raw[0] <= '9' {
		return n
	}
	return -1
}
