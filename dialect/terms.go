package dialect

import (
	"slices"
	"strconv"
)

// Term is a member by which a request asks for other terms than the model's own, at which it is billed by other prices: another tier of
// service, a faster mode, a region, a provider behind the one that is asked.
type Term struct {
	Member string // one of TermMembers, or provider; whatever its spelling
	Value  string // empty: it is no text
}

// TermMembers are those that ask for a text, and of which an answer says what has become of them.
var TermMembers = [...]string{"service_tier", "speed", "inference_geo"}

// Usual tells whether the term asks for nothing but what there is without it.
func (t Term) Usual() bool {
	switch t.Value {
	case "auto", "default", "standard", "standard_only", "global":
		return true
	}
	return false
}

// NoDearer tells whether what is served on the term costs no more than without it, at whichever provider has it.
func (t Term) NoDearer() bool {
	switch t.Value {
	case "flex", "batch", "on_demand":
		return t.Member == "service_tier"
	}
	return t.Usual()
}

// maxTerms is how many terms a request may ask for, and maxTerm how long one in an answer may be.
const maxTerms, maxTerm = 8, 64

// terms takes a member that says on which terms the request is to be served.
func (s *scanner) terms(member string, value []byte) {
	text, _ := unquote(inner(value))
	term := Term{member, string(text)}
	switch {
	case term.Usual(), slices.Contains(s.request.Terms, term):
	case len(s.request.Terms) == maxTerms:
		s.refuse(member, "is there with too many values: at most "+strconv.Itoa(maxTerms)+" terms are taken.")
	default:
		s.request.Terms = append(s.request.Terms, term)
	}
}

// termsIn takes the terms that stand in what is passed on to a provider behind the one that is asked.
func (s *scanner) termsIn(raw []byte, levels int) {
	if levels == 0 || len(raw) == 0 || raw[0] != '{' {
		return
	}
	walk(raw, func(key, value []byte) {
		member := ""
		switch name, _ := fold(key); string(name) {
		case "service_tier", "servicetier":
			member = "service_tier"
		case "speed":
			member = "speed"
		case "inference_geo", "inferencegeo":
			member = "inference_geo"
		case "provider":
			if levels == passedOn && !empty(value) { // an object
				s.terms("provider", value)
				return
			}
		}
		if member != "" && len(inner(value)) > 0 {
			s.terms(member, value)
		} else {
			s.termsIn(value, levels-1)
		}
	})
}

// Served is what an answer says of how it was served. What is empty was not said.
type Served struct {
	Model string
	Terms [len(TermMembers)]string // in their order
}

// take notes what an answer says of a member; null says nothing.
func (s *Served) take(member string, raw []byte) {
	if i := slices.Index(TermMembers[:], member); i >= 0 {
		note(&s.Terms[i], raw, maxTerm)
	}
}

func (s *Served) model(raw []byte) { note(&s.Model, raw, maxModel) }

func note(to *string, raw []byte, longest int) {
	value := inner(raw)
	if len(value) == 0 || len(value) > longest {
		return
	}
	if text, ok := unquote(value); ok && string(text) != *to {
		*to = string(text)
	}
}
