package gateway

import (
	"regexp"
	"sync"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

// projectHeader is in which a client names what its request is for, so that its cost can be charged to that.
const projectHeader = "X-Tokenbuddy-Project" // as HTTP/1 spells it

var projectName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// projects bounds how many there are: each is a line in the ledger's day, and clients make them up.
var projects = names{most: 1000}

// otherProject is what all beyond that are booked as.
const otherProject = "other"

// names is a number of different names.
type names struct {
	most    int
	mu      sync.Mutex // protects what follows
	known   map[string]bool
	brought map[string]int // how many of them each member was the first to say
}

// bounded gives the name that a member has said, or otherProject where there are too many. Nobody brings more than are left for others.
func (n *names) bounded(member, name string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.known[name]:
		return name
	case n.brought[member] >= n.most-len(n.known):
		return otherProject
	case n.known == nil:
		n.known, n.brought = make(map[string]bool), make(map[string]int)
	}
	n.known[name] = true
	n.brought[member]++
	return name
}

// readProject finds what the request is for. A name that can't be booked is refused: its cost would be charged to nobody.
func (rq *request) readProject() *dialect.Refusal {
	said := rq.r.Header.Values(projectHeader)
	if len(said) == 0 || len(said) == 1 && said[0] == "" {
		return nil
	}
	if len(said) > 1 || !projectName.MatchString(said[0]) {
		return dialect.InvalidRequest("", "X-TokenBuddy-Project names no project: expected one of 1 to 64 letters, digits, '.', '_' or '-'.")
	}
	rq.project = projects.bounded(rq.member.Name, said[0])
	return nil
}
