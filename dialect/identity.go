package dialect

import "slices"

// maxID is how long the id of a response may be. Those of gateways that write their routing into it take a few hundred
// bytes.
const maxID = 512

// Keeps tells whether a later request may go on from the answer to this one: a response, or what is said in a thread of messages.
func (e *Endpoint) Keeps(r *Request) bool { return e.Protocol == Responses || r.Thread }

// names tells whether the answers of the API have ids that requests name.
func (e *Endpoint) names() bool { return e.Protocol == Responses || e.Protocol == Messages }

// ResponseID is that of an Answer for a stream: empty until an event has brought the id.
func (v *Events) ResponseID() string { return v.responseID }

// named takes the id of an answer that an event brings, if it does.
func (v *Events) named(answer []byte) {
	if answer != nil && v.responseID == "" {
		v.responseID = objectID(answer)
	}
}

// OnContainer has told be called, as soon as it has come, with the id of each container in which code is run for an answer of the messages or the
// responses API: once with each, and for no more of them than a request may name.
func (v *Events) OnContainer(told func(id string)) { v.container = told }

// contained takes the id of the container, if it is one.
func (v *Events) contained(raw []byte) {
	if v.container == nil {
		return
	}
	if id, first := v.containers.add(raw); first {
		v.container(id)
	}
}

// containers are the ids of those that an answer names, each once, maxContainers at most: all of them are remembered.
type containers []string

// add takes an id, if it is one, and tells whether it is a new one.
func (c *containers) add(raw []byte) (id string, first bool) {
	if len(*c) == maxContainers {
		return "", false
	}
	if id = identifier(raw); id == "" || slices.Contains(*c, id) {
		return "", false
	}
	*c = append(*c, id)
	return id, true
}

// containedIn takes the id of the container in which an item of the responses API was made, if it was in one.
func (v *Events) containedIn(item []byte) {
	if item != nil && v.container != nil {
		v.contained(member(item, "container_id"))
		v.contained(member(member(item, "environment"), "container_id"))
	}
}

// objectID gives the id of the object that b begins with, without going over the rest of it.
func objectID(b []byte) (id string) {
	members(b, space(b, 0), func(key, value span) bool {
		if string(key.of(b)) != "id" {
			return true
		}
		id = identifier(value.of(b))
		return false
	})
	return id
}

func identifier(raw []byte) string {
	if len(raw) < 2 || len(raw) > 6*maxID || raw[0] != '"' {
		return ""
	}
	text, ok := unquote(raw[1 : len(raw)-1])
	if !ok || len(text) > maxID {
		return ""
	}
	for _, c := range text {
		if c < '!' || c > '~' {
			return ""
		}
	}
	return string(text)
}
