package dialect

import "sync"

// Answer reads an answer that is not a stream while it passes, whatever its size, and keeps no more of it than a few values. It
// does not judge it (see Endpoint.Fault). It is for one goroutine.
type Answer struct {
	endpoint   *Endpoint
	mark       int // bytes of a byte order mark that have come; all of them: it is past it, or there is none
	seeker     seeker
	usage      usage
	groq       usage
	searches   int64
	id         string
	containers containers
	room       [384]byte // for what the seeker keeps at a time: mostly it is no more
}

// answers are those that were let go of.
var answers = sync.Pool{New: func() any {
	a := new(Answer)
	a.seeker.found = a.found
	return a
}}

// Answer begins to read an answer that is not a stream.
func (e *Endpoint) Answer() *Answer {
	a := answers.Get().(*Answer)
	*a = Answer{endpoint: e, seeker: seeker{marks: answerMarks, tells: answerTellings, found: a.seeker.found}}
	a.seeker.kept = a.room[:0]
	return a
}

// LetGo says that nobody asks the answer any more. On nil it does nothing.
func (a *Answer) LetGo() {
	if a != nil {
		answers.Put(a)
	}
}

var answerMarks = map[string]bool{"usage": true, "x_groq.usage": true, "id": true, "container.id": true, "output.container_id": true, "output.environment.container_id": true, "output.type": true, "service_tier": true, "model": true}

// Write takes the next bytes. It never fails.
func (a *Answer) Write(p []byte) (int, error) {
	rest := p
	for len(rest) > 0 && a.mark < len(byteOrderMark) {
		if rest[0] != byteOrderMark[a.mark] {
			a.mark = len(byteOrderMark) // what of it was left out makes nothing an answer
			break
		}
		a.mark++
		rest = rest[1:]
	}
	a.seeker.feed(rest)
	return len(p), nil
}

func (a *Answer) found(path string, raw []byte) {
	switch path {
	case "usage":
		if a.endpoint.Protocol == Messages {
			a.usage.merge(raw)
		}
		if !a.usage.apart {
			a.usage.replace(raw)
		}
	case "x_groq.usage":
		a.groq.replace(raw)
	case "id":
		a.id = identifier(raw)
	case "container.id", "output.container_id", "output.environment.container_id":
		if a.runs(path) {
			a.containers.add(raw)
		}
	case "output.type":
		if string(raw) == `"web_search_call"` {
			a.searches++
		}
	case "model":
		a.usage.served.model(raw)
	case "service_tier":
		a.usage.served.take(path, raw)
	}
}

// Usage gives what the answer has said that it used.
func (a *Answer) Usage() Usage {
	u := a.usage
	if u.known == 0 && a.groq.known != 0 {
		u = a.groq
		u.served = a.usage.served
	}
	u.search(a.searches)
	return u.counts(a.endpoint.promptOnly, a.Output())
}

// Output gives what has been seen of the answer's own words and media.
func (a *Answer) Output() Output { return a.seeker.heard.output() }

// ResponseID gives the id of an answer of the responses or the messages API, as far as it has come: what a later request may name as its
// PreviousResponseID. It is empty when there is none, when it is longer than 512 bytes, or not printable ASCII without spaces, and in the
// other APIs.
func (a *Answer) ResponseID() string {
	if !a.endpoint.names() {
		return ""
	}
	return a.id
}

// runs tells whether an answer of this API says at this path in which container code was run for it.
func (a *Answer) runs(path string) bool {
	switch a.endpoint.Protocol {
	case Messages:
		return path == "container.id"
	case Responses:
		return path != "container.id"
	}
	return false
}

// Containers gives the ids of the containers in which code was run for an answer of the messages or the responses API, as ResponseID gives that
// of the answer: each once, and no more of them than a request may name.
func (a *Answer) Containers() []string { return a.containers }
