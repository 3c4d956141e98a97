package main

import (
	"fmt"
	"strings"
)

// load is one case: what clients ask, and how many do at once. Each has a connection of its own and asks anew as soon as it
// has the whole answer.
type load struct {
	name    string
	title   string
	clients int
	events  int  // of the streamed answer; 0: a whole answer
	body    int  // bytes of the request, about
	slow    bool // the seller takes slowness before it answers
	short   bool // part of the short form
	open    bool // clients hold their streams, and memory is what counts
}

// The cases, in the order in which they are measured. Open streams come first, to processes that have done nothing yet.
var loads = []load{
	{name: "open", title: "open stream", events: 53, short: true, open: true},
	{name: "whole-1", title: "whole answer, 1 client", clients: 1, short: true},
	{name: "whole-32", title: "whole answer, 32 clients", clients: 32, short: true},
	{name: "whole-256", title: "whole answer, 256 clients", clients: 256},
	{name: "stream-1", title: "stream of 53 events, 1 client", clients: 1, events: 53, short: true},
	{name: "stream-32", title: "stream of 53 events, 32 clients", clients: 32, events: 53, short: true},
	{name: "stream-256", title: "stream of 53 events, 256 clients", clients: 256, events: 53},
	{name: "stream-4-events", title: "stream of 4 events, 8 clients", clients: 8, events: 4},
	{name: "stream-1000-events", title: "stream of 1,000 events, 8 clients", clients: 8, events: 1000, short: true},
	{name: "body-100kB", title: "request of 100 kB, 8 clients", clients: 8, body: 100_000},
	{name: "slow-whole-32", title: "whole answer after 20 ms, 32 clients", clients: 32, slow: true},
	{name: "slow-stream-32", title: "stream of 53 events after 20 ms, 32 clients", clients: 32, events: 53, slow: true},
	{name: "body-5MB", title: "request of 5 MB, 4 clients", clients: 4, body: 5_000_000, short: true},
}

func caseNames() []string {
	var names []string
	for _, l := range loads {
		names = append(names, l.name)
	}
	return names
}

const sentence = "The lazy dog has been jumped over by quick brown foxes, and says nothing. "

// request is what each client of the case sends to a target.
func (l load) request(address string) []byte {
	var body strings.Builder
	body.WriteString(`{"model":"bench-1",`)
	if l.events > 0 {
		body.WriteString(`"stream":true,"stream_options":{"include_usage":true},`)
	}
	body.WriteString(`"messages":[{"role":"user","content":"Hello. `)
	body.WriteString(strings.Repeat(sentence, l.body/len(sentence)))
	body.WriteString(`"}]}`)
	return fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		address, l.wish(), body.Len(), body.String())
}

// wish is the header that tells the seller what to answer: one that the gateway passes on, since it passes on few.
func (l load) wish() string {
	switch {
	case l.open:
		return "User-Agent: hold\r\n"
	case l.slow:
		return fmt.Sprintf("User-Agent: slow/%d\r\n", l.events)
	case l.events > 0:
		return fmt.Sprintf("User-Agent: events/%d\r\n", l.events)
	}
	return ""
}
