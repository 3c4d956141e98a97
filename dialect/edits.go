package dialect

// Edit puts Text in the place of the bytes from Start to End of a request's body.
type Edit struct {
	Start, End int
	Text       []byte
}

// streamOptions finds out whether a stream's usage is asked for, and where that is said.
func (s *scanner) streamOptions(value span) {
	s.request.streamOptions = value
	b := s.body
	if b[value.start] != '{' {
		if string(value.of(b)) != "null" { // where it is passed over, nothing could ask for the usage
			s.refuse("stream_options", "must be an object or null.")
		}
		return
	}
	members(b, value.start, func(key, at span) bool {
		switch name, exact := fold(key.of(b)); {
		case string(name) != "include_usage":
		case !exact: // it may be read as what is put in beside it
			s.refuse("stream_options", "has include_usage in another spelling (other case, or with escapes). Write it exactly so.")
		case s.request.usage != (span{}):
			s.refuse("stream_options", "has include_usage twice. Send it once.")
		default:
			s.request.usage = at
			s.request.IncludeUsage = string(at.of(b)) == "true"
		}
		return true
	})
}

// AskUsage gives the edit that makes a stream say its usage, over an include_usage that says otherwise too; everything else
// stays as it is. It is not ok where nothing is to be edited: the request asks for it already, is not for a stream, or the API has no
// such member.
func (e *Endpoint) AskUsage(r *Request, body []byte) (edit Edit, ok bool) {
	if !r.Stream || r.IncludeUsage || e.api.asks&(1<<memberStreamOptions) == 0 {
		return Edit{}, false
	}
	at := r.streamOptions
	switch options := at.of(body); {
	case len(options) == 0:
		return Edit{r.InsertAt, r.InsertAt, []byte(`"stream_options":{"include_usage":true},`)}, true
	case r.usage != span{}:
		return Edit{r.usage.start, r.usage.end, []byte("true")}, true
	case string(options) == "null":
		return Edit{at.start, at.end, []byte(`{"include_usage":true}`)}, true
	case empty(options):
		return Edit{at.start + 1, at.start + 1, []byte(`"include_usage":true`)}, true
	}
	return Edit{at.start + 1, at.start + 1, []byte(`"include_usage":true,`)}, true
}

// WithoutRequestID gives the edit that takes the member requestId out, for a provider that knows nothing of it; everything else
// stays as it is. It is not ok where there is none.
func (r *Request) WithoutRequestID(body []byte) (edit Edit, ok bool) {
	at := r.requestID
	if at == (span{}) {
		return Edit{}, false
	}
	if i := space(body, at.end); body[i] == ',' {
		return Edit{Start: at.start, End: i + 1}, true
	}
	start := at.start - 1 // the last member: the comma before it goes
	for body[start] != ',' && body[start] != '{' {
		start--
	}
	if body[start] == '{' {
		start++ // it stands alone
	}
	return Edit{Start: start, End: at.end}, true
}
