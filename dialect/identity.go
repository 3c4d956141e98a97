package dialect

// maxID is how long the id of a response may be. Those of gateways that write their routing into it take a few hundred
// bytes.
const maxID = 512

// ResponseID gives the id of an answer of the responses API that is not a stream: what a later request may name as its
// PreviousResponseID. It is empty when there is none, when it is longer than 512 bytes, or not printable ASCII without
// spaces, and in the other APIs.
func (e *Endpoint) ResponseID(body []byte) string {
	if e.Protocol != Responses {
		return ""
	}
	return objectID(body)
}

// ResponseID is Endpoint.ResponseID for a stream: empty until an event has brought the id.
func (v *Events) ResponseID() string { return v.responseID }

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
