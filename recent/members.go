package recent

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"
)

// What is counted of members: so many of them, and so many codes of refusals of each. What comes beyond is left out.
const (
	maxMembers = 16_384
	maxCodes   = 32
)

// Attendance is what is known of a member's requests since the process began.
type Attendance struct {
	Seen    time.Time        // when the last one ended that was not refused for want of a key
	Refused map[string]int64 // how many were refused, by the code that the client was told; nil: none
}

// attendances are those of all members. A request that is served takes no lock.
type attendances struct {
	of   sync.Map // member → *attendance
	size atomic.Int64
}

type attendance struct {
	seen atomic.Int64 // nanoseconds since 1970

	mu      sync.Mutex // protects what follows
	refused map[string]int64
}

// count notes a member's request.
func (all *attendances) count(r *Request) {
	a := all.find(r.Member)
	if a == nil {
		return
	}
	a.seen.Store(r.Ended.UnixNano())
	if r.Outcome != Refused && r.Outcome != NoCredit && r.Outcome != PurchaseLimit {
		return
	}
	code := cmp.Or(r.Code, r.Outcome)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused == nil {
		a.refused = make(map[string]int64)
	}
	if _, known := a.refused[code]; known || len(a.refused) < maxCodes {
		a.refused[code]++
	}
}

// find gives the member's place, nil where there is no room for one more.
func (all *attendances) find(member string) *attendance {
	if found, ok := all.of.Load(member); ok {
		return found.(*attendance)
	}
	if all.size.Load() >= maxMembers {
		return nil
	}
	found, there := all.of.LoadOrStore(member, new(attendance))
	if !there {
		all.size.Add(1)
	}
	return found.(*attendance)
}

// Member gives what is known of a member's requests; false: none has ended since the process began.
func (m *Memory) Member(name string) (known Attendance, ok bool) {
	found, ok := m.members.of.Load(name)
	if !ok {
		return known, false
	}
	a := found.(*attendance)
	known.Seen = time.Unix(0, a.seen.Load())
	a.mu.Lock()
	defer a.mu.Unlock()
	for code, n := range a.refused {
		if known.Refused == nil {
			known.Refused = make(map[string]int64, len(a.refused))
		}
		known.Refused[code] = n
	}
	return known, true
}

// Members gives the names of those whose requests have ended since the process began, in no order.
func (m *Memory) Members() []string {
	var names []string
	m.members.of.Range(func(name, _ any) bool {
		names = append(names, name.(string))
		return true
	})
	return names
}
