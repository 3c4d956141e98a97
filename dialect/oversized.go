package dialect

import "bytes"

// oversized is an event that is too long to be held, while it comes.
type oversized struct {
	seeker  seeker
	kind    string   // what the event says it is
	failure *Failure // the error that it names
	used    []byte   // the usage that it names
	chose   bool     // chat: it has choices
}

func (v *Events) newOversized(name []byte) *oversized {
	o := &oversized{kind: string(name)}
	o.seeker.marks, o.seeker.tells = v.api.marks, v.api.tells
	o.seeker.found = func(path string, raw []byte) {
		switch path {
		case "type":
			o.kind = string(eventKind([]byte(o.kind), raw))
		case "error", "response.error":
			if !empty(raw) {
				o.failure = new(Failure)
				o.failure.read(raw, 0)
			}
		case "response.usage":
			o.used = bytes.Clone(raw)
			if isTerminal([]byte(o.kind)) {
				v.usage.replace(raw)
			}
		default:
			v.api.mark(v, path, raw)
		}
	}
	return o
}

// Tail takes more of the data of an event that was not whole.
func (v *Events) Tail(b []byte) {
	o := v.oversized
	if o == nil {
		return
	}
	o.seeker.feed(b)
	if o.seeker.ended {
		v.oversized = nil
		if v.api != responses || hears([]byte(o.kind)) {
			v.heard.take(&o.seeker.heard)
		}
		v.api.close(v, o)
	}
}

// failAs is fail for an event that was not held; nil when it named no error.
func (v *Events) failAs(f *Failure) {
	if v.failure == nil {
		if v.failure = f; f == nil {
			v.failure = new(Failure)
		}
	}
}
