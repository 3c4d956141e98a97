package dialect

import "bytes"

// TakeOutUsage has that taken out which a stream of chat or completions says because the gateway has asked it for its usage, and the
// client had not: chunks that say nothing else, and a usage of null in all others, which ends an answer for some clients.
func (v *Events) TakeOutUsage() { v.takes = true }

// Drop tells whether the last event is to be taken out.
func (v *Events) Drop() bool { return v.drop }

// Cut gives the part of the last event's data that is to be taken out, where it is not the whole event; end is 0 where there is none.
func (v *Events) Cut() (start, end int) { return v.cut.start, v.cut.end }

// nullUsage finds the member usage of the object that data is, where it is null, with the comma that belongs to it.
func nullUsage(data []byte) (found span) {
	name := []byte(`"usage"`)
	at := bytes.Index(data, name) // in the text of an answer quotes are escaped: it is a name
	if at < 0 {
		return span{}
	}
	if end := nullAfter(data, at+len(name)); end >= 0 && objectEnds(data, end) { // nearly always it is the last one, or the last but one
		return withComma(data, span{at, end})
	}
	members(data, space(data, 0), func(key, value span) bool {
		if string(key.of(data)) == "usage" && string(value.of(data)) == "null" {
			found = span{key.start - 1, value.end}
		}
		return found == span{}
	})
	if found == (span{}) || !objectEnds(data, found.end) {
		return span{}
	}
	return withComma(data, found)
}

// nullAfter gives where the null of a member ends, whose name ends at b[i]; -1: it is not null.
func nullAfter(b []byte, i int) (end int) {
	if i = space(b, i); i == len(b) || b[i] != ':' {
		return -1
	}
	if i = space(b, i+1); !bytes.HasPrefix(b[i:], []byte("null")) {
		return -1
	}
	return i + len("null")
}

// objectEnds tells whether what follows a member that ends at b[i] is the rest of its object, and nothing else.
func objectEnds(b []byte, i int) bool {
	end := -1
	switch i = space(b, i); {
	case i == len(b):
	case b[i] == '}':
		end = i + 1
	case b[i] == ',':
		end = fields(b, space(b, i+1), func(_ span, i int) int { return skip(b, i, nil) })
	}
	return end >= 0 && space(b, end) == len(b)
}

// withComma is a member with what goes when it goes: the comma after it, else the one before it. It is empty where neither is there, and
// it does not stand alone.
func withComma(b []byte, at span) span {
	if i := space(b, at.end); b[i] == ',' {
		return span{at.start, space(b, i+1)}
	}
	before := bytes.TrimRight(b[:at.start], " \t\r\n")
	switch start := len(before) - 1; {
	case start >= 0 && before[start] == ',':
		return span{start, at.end}
	case start >= 0 && before[start] == '{':
		return at
	}
	return span{}
}
