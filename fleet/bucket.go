package fleet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// Rate is how many requests may come in a time. All of them may come at once, and then one more whenever its part of the time has
// passed.
type Rate struct {
	Requests int // above zero
	Per      time.Duration
}

// slow tells whether there are so few requests that each can be asked for: up to a few a second.
func (r Rate) slow() bool { return float64(r.Requests) <= maxSlow*r.Per.Seconds() }

// maxSlow is how many requests a second are asked for one by one. Of more, gateways get shares.
const maxSlow = 5

// splinters tells whether a rate is of so few requests that there are no shares of it for so many gateways: each would keep a permit or two, which are
// refused to the others. Then each request is asked for, as they are not too many.
func (r Rate) splinters(gateways int) bool {
	return gateways > 1 && r.even(gateways) < leastShare && float64(r.Requests) <= maxAsked*r.Per.Seconds()
}

// even is for how many requests at once an even share is.
func (r Rate) even(gateways int) float64 {
	return float64(r.Requests) * (1 - leastReserved) / float64(gateways+1)
}

// reserved is the part of a rate that becomes nobody's share: who comes anew finds permits at once, and so does who has used up its own. Where shares
// are of few requests that is soon, while what others have is of no use to it: then more is nobody's.
func (r Rate) reserved(gateways int) float64 {
	if gateways > 1 && r.even(gateways) < smallShare {
		return mostReserved
	}
	return leastReserved
}

const (
	leastShare = 4  // an even share is for so many requests at the least
	maxAsked   = 10 // so many a second are asked for one by one where it is for less

	smallShare    = 8   // an even share is small that is for fewer requests
	mostReserved  = 0.3 // where it is
	leastReserved = 0.1
)

// filled is how many permits come in a time to who has a share of the rate.
func (r Rate) filled(share float64, in time.Duration) float64 {
	return float64(r.Requests) * share * float64(max(0, in)) / float64(r.Per)
}

// until is how long it takes until a whole permit is there, where level of one is.
func (r Rate) until(level, share float64) time.Duration {
	if share <= 0 {
		return r.Per
	}
	left := max(0, 1-level) * float64(r.Per) / (float64(r.Requests) * share)
	return time.Duration(min(left, float64(math.MaxInt64/2))).Round(time.Microsecond)
}

// room is how many permits can be kept by who has a share of the rate. One always can, or it would never come.
func (r Rate) room(share float64) float64 {
	if share <= 0 {
		return 0
	}
	return max(1, float64(r.Requests)*share)
}

// whole is from when on a permit is one, as its parts are added up.
const whole = 1 - 1e-9

// bucket is the value of a rate's key: permits of requests. What of the rate is no gateway's share fills it, and whoever needs a permit
// takes it from here. A gateway's share fills that gateway's own. All of them together never have more than the rate gives.
type bucket struct {
	Level float64          `json:"level"` // permits that are nobody's, at At
	At    int64            `json:"at"`    // when, in nanoseconds of Unix time, by the store's clock
	Rest  float64          `json:"rest"`  // of the rate: what has filled it since
	Parts map[string]*part `json:"parts"` // by gateway
	// Of which gateways it is counted here what they may have let pass by their parts alone, and how much, as present.had gives it.
	Had map[string]float64 `json:"had,omitempty"`
}

// part is what a gateway has of a bucket.
type part struct {
	Boot  string  `json:"boot"`
	Op    uint64  `json:"op"`
	At    int64   `json:"at"`              // when it was last heard of
	Share float64 `json:"share,omitempty"` // of the rate
	Wants float64 `json:"wants,omitempty"` // requests a second
	Last  permits `json:"last"`
}

// draw is what a gateway asks of a bucket. The same one may be made twice, and counts once.
type draw struct {
	gateway string
	boot    string // of the process
	op      uint64 // from 1, one more for each
	rate    Rate
	need    int     // permits for those that wait
	back    float64 // permits that are given back
	share   float64 // of the rate, that the gateway goes by; never more than it was given
	wants   float64 // requests a second; zero: it wants no share
	used    float64 // requests a second of late, as far as that is known yet
}

// permits are what a draw has brought.
type permits struct {
	Given float64       `json:"given"`
	Share float64       `json:"share,omitempty"` // of the rate, that the gateway may go by from now on
	Goal  float64       `json:"goal,omitempty"`  // what it should come down to, for the others; below zero: to none
	After time.Duration `json:"after,omitempty"` // until there is a permit again, where not all that were needed are given
}

// ample is how many times what it has used of late a gateway may have as its share.
const ample = 4

// drawn gives the value of a rate's key after a draw. It is pure.
func drawn(at Moment, old []byte, d draw, there presence) (next []byte, got permits, err error) {
	now := at.Now.UnixNano()
	b := &bucket{Level: math.Inf(1), Rest: 1}
	if old != nil {
		if err := json.Unmarshal(old, b); err != nil {
			return nil, got, fmt.Errorf("fleet: a rate's bucket can't be read: %w", err)
		}
	}
	if b.Parts == nil {
		b.Parts = make(map[string]*part)
	}
	b.At = min(b.At, now) // the store's clock may have been put back
	for _, p := range b.Parts {
		p.At = min(p.At, now)
	}
	mine := b.Parts[d.gateway]
	if mine != nil && mine.Boot == d.boot && mine.Op >= d.op {
		if mine.Op > d.op {
			return nil, got, fmt.Errorf("fleet: a draw of a rate is older than the last one")
		}
		got = mine.Last
	} else {
		got = b.draw(now, d, there)
	}
	next, err = json.Marshal(b)
	return next, got, err
}

func (b *bucket) draw(now int64, d draw, there presence) (got permits) {
	others, alone, wanted := b.held(now, d.gateway, there)
	wanted += d.wants
	rest := max(0, 1-others-d.share)
	filling := min(b.Rest, rest)
	b.Level += d.back
	passed := b.passed(now, d.gateway, there)
	for _, p := range passed {
		b.come(d.rate, filling, p.Until)
		b.Level = max(0, b.Level-d.rate.filled(1, time.Duration(p.Had*float64(time.Second))))
	}
	if len(passed) > 0 && d.rate.slow() {
		filling = rest // since the last of them has ended; shares, of other rates, can have been others' since
	}
	b.come(d.rate, filling, now)

	got.Share, got.Goal = d.share, 0
	if d.wants > 0 {
		if got.Goal = -1; !d.rate.splinters(len(there)) {
			got.Goal = d.goal(1-alone, wanted, len(there))
		}
		if more := min(got.Goal-d.share, rest-d.rate.reserved(len(there))); more > 0 {
			got.Given = b.Level * more / rest // with a part of what fills it goes that part of what is in it
			got.Share += more
			rest -= more
		}
	}
	b.Level -= got.Given
	given := max(0, min(math.Ceil(float64(d.need)-got.Given), math.Floor(b.Level+1-whole)))
	b.Level = max(0, b.Level-given)
	if got.Given += given; got.Given < float64(d.need) {
		got.After = max(time.Millisecond, d.rate.until(b.Level, rest))
	}
	b.Rest = rest
	b.Parts[d.gateway] = &part{Boot: d.boot, Op: d.op, At: now, Share: got.Share, Wants: d.wants, Last: got}
	return got
}

// goal is the share that a gateway should have of what of the rate shares are made of: by what it wants of all that is wanted, and no more than it may
// need soon, unless an even part is more, where one more gateway may just have come. Who has the most of a rate that it does not use gives it up with
// its next draw, and who asks meanwhile would be refused, though hardly anybody does.
func (d draw) goal(of, wanted float64, gateways int) float64 {
	of = (1 - d.rate.reserved(gateways)) * max(0, of)
	return min(of*d.wants/wanted, max(of/float64(gateways+1), ample*d.used/d.rate.filled(1, time.Second)))
}

// come lets come in what has come until a time, of what fills the bucket.
func (b *bucket) come(rate Rate, filling float64, until int64) {
	b.Level = min(b.Level+rate.filled(filling, time.Duration(until-b.At)), rate.room(filling))
	b.At = max(b.At, until)
}

// passed gives what gateways may have let pass by their parts alone that is not counted yet, outage by outage, by when they have ended. Of others
// that go by them still, it is left out of what comes in.
func (b *bucket) passed(now int64, me string, there presence) (all []hadUntil) {
	counted := b.Had
	b.Had = nil
	for id, g := range there {
		had, known := g.Had, counted[id]
		if g.From+int64(heardFor) > b.At {
			known = 0 // of what it had let pass before it was gone, or forgotten: who has drawn just after may not have known
		}
		if id != me && g.alone(now) {
			had = g.had(now)
		} else {
			for _, o := range g.outages() {
				if o.Until == 0 {
					o.Until = now
				}
				if more := o.Had - known; more > 0 {
					all = append(all, hadUntil{more, min(o.Until, now)})
					known = o.Had
				}
			}
		}
		if had > 0 {
			if b.Had == nil {
				b.Had = make(map[string]float64)
			}
			b.Had[id] = had
		}
	}
	slices.SortFunc(all, func(x, y hadUntil) int { return cmp.Compare(x.Until, y.Until) })
	return all
}

// held gives what of the rate others may go by now, how much of that is for those that go by it alone, and how many requests a second
// the rest of them want. It forgets who is gone. Who has drawn of late counts, whether or not it is known to be there.
func (b *bucket) held(now int64, me string, there presence) (held, alone, wanted float64) {
	for id, p := range b.Parts {
		late := now-p.At >= int64(shareFor+silentAfter)
		g := there[id]
		switch {
		case id == me:
		case g == nil && now-p.At >= int64(forgetAfter):
			delete(b.Parts, id)
		case g != nil && g.alone(now), late && (g == nil || g.Boot != p.Boot): // counted below, or its process is no more
		default:
			held += p.Share
			wanted += p.Wants
		}
	}
	for id, g := range there {
		if id == me || !g.alone(now) {
			continue
		}
		share := g.part()
		if p := b.Parts[id]; p != nil && now-p.At < int64(shareFor+silentAfter) {
			share = max(share, p.Share)
		}
		held += share
		alone += share
	}
	return held, alone, wanted
}
