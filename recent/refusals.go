package recent

import (
	"sync"
	"time"
)

// refusals are the last requests that were refused to members. Where there is no room for one more, the member with the most of them loses its
// oldest, of several the one whose that is older: who is refused a thousand times does not push out what others were refused for.
type refusals struct {
	mu     sync.Mutex
	of     map[string][]*Request // by member, the oldest first
	size   int
	latest time.Time // when the last of those ended that were forgotten
}

func (all *refusals) add(r *Request) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.of == nil {
		all.of = make(map[string][]*Request)
	}
	all.of[r.Member] = append(all.of[r.Member], r)
	if all.size++; all.size > maxRefused {
		all.forget()
	}
}

// forget makes room. mu must be held.
func (all *refusals) forget() {
	member, own := "", []*Request(nil)
	for name, o := range all.of {
		if len(o) > len(own) || len(o) == len(own) && o[0].Ended.Before(own[0].Ended) {
			member, own = name, o
		}
	}
	if own[0].Ended.After(all.latest) {
		all.latest = own[0].Ended
	}
	own[0] = nil // what is before the slice stays in memory until it is moved
	if all.of[member] = own[1:]; len(own) == 1 {
		delete(all.of, member)
	}
	all.size--
}

// since is from when on none is missing; zero: none was forgotten.
func (all *refusals) since() time.Time {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.latest.IsZero() {
		return all.latest
	}
	return all.latest.Add(1) // that one is missing itself
}

func (all *refusals) find(q *Query) (found []*Request) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, own := range all.of {
		for _, r := range own {
			if q.chooses(r) {
				found = append(found, r)
			}
		}
	}
	return found
}
