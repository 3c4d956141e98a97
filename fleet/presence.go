package fleet

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Times of what gateways know of each other, for rates. A gateway that goes by a part of a rate alone begins with it later than the
// others count on it.
const (
	beatEvery   = 5 * time.Second        // how often a gateway says that it is there, and shares are renewed
	silentAfter = 15 * time.Second       // without a word, it is counted as one that may go by its part alone
	aloneAfter  = 30 * time.Second       // without an answer, it does
	shareFor    = 60 * time.Second       // a share that it has had goes on for as long without an answer
	forgetAfter = time.Hour              // without a word, it is gone
	heardFor    = beatEvery + changeTime // without an answer for longer, the store is away
	gatherFor   = 3 * time.Second        // gateways get so long to speak again after nobody could
)

// presenceKey is where gateways say that they are there.
const presenceKey = "r/gateways"

// presence is the value of that key: the gateways, by identity.
type presence map[string]*present

type present struct {
	Boot  string `json:"boot"`
	Seen  int64  `json:"seen"`            // in nanoseconds of Unix time, by the store's clock
	Of    int    `json:"of"`              // gateways there are as far as it knows: alone, it goes by 1/Of of each rate
	Alone bool   `json:"alone,omitempty"` // it may already go by its part
	// What it may have let pass by its part alone from From until it was seen: of each rate what comes in so many seconds.
	Had float64 `json:"hadSeconds,omitempty"`
	// Until when, in nanoseconds as Seen; 0: an earlier release has said it.
	Until int64 `json:"until,omitempty"`
	// From when on that is counted, in nanoseconds; 0: an earlier release has said it.
	From int64 `json:"from,omitempty"`
	// What that was at the end of each of the last outages before the one that ended at Until.
	Before []hadUntil `json:"before,omitempty"`
	// Since when it has been heard without a silence, in nanoseconds as well; 0: an earlier release has said it.
	Since int64 `json:"since,omitempty"`
}

// hadUntil is what a gateway may have let pass by its part alone until a time.
type hadUntil struct {
	Had   float64 `json:"had"`
	Until int64   `json:"until"`
}

// mostBefore is how many outages are told apart. Of one before them it is taken that it has ended with the first of them.
const mostBefore = 16

// outages gives what the gateway may have let pass until the end of each outage.
func (p *present) outages() []hadUntil {
	return append(slices.Clip(p.Before), hadUntil{p.Had, p.Until})
}

// alone tells whether the gateway may go by its part of each rate without asking.
func (p *present) alone(now int64) bool { return p.Alone || now-p.Seen > int64(silentAfter) }

// part is what of each rate the gateway goes by alone.
func (p *present) part() float64 { return 1 / float64(max(1, p.Of)) }

// had is what it may have let pass by its part alone until a time, where it goes by that: of each rate what comes in so many seconds. An
// answer that it has not heard has it begin earlier than the others count on.
func (p *present) had(now int64) float64 {
	from := p.Seen
	if !p.Alone {
		from += int64(beatEvery)
	}
	return p.Had + p.part()*time.Duration(max(0, now-from)).Seconds()
}

// goOn takes over from the gateway's word before what is still so.
func (p *present) goOn(before *present, now int64) {
	// A process that does not say so has not gone by its part since it was heard, however long that was: of one before it nobody knows.
	p.From, p.Before = before.From, before.Before
	if p.Had, p.Until = before.Had, before.Until; p.Alone || before.Alone || before.Boot != p.Boot && before.alone(now) {
		if before.Had > 0 && before.Seen > before.Until { // another outage than the last one
			p.Before = before.outages()
			p.Before = p.Before[max(0, len(p.Before)-mostBefore):]
		}
		p.Had, p.Until = before.had(now), now
	}
	if !p.Alone && !before.alone(now) {
		p.Since = before.Since
	}
}

// heard gives presence after a gateway's word; gone says that it is its last. It is pure.
func heard(at Moment, old []byte, gateway string, word present, gone bool) (next []byte, there presence, err error) {
	there = make(presence)
	if old != nil {
		if err := json.Unmarshal(old, &there); err != nil {
			return nil, nil, fmt.Errorf("fleet: who is there can't be read: %w", err)
		}
	}
	now := at.Now.UnixNano()
	for _, p := range there { // the store's clock may have been put back
		p.Seen, p.Until, p.From, p.Since = min(p.Seen, now), min(p.Until, now), min(p.From, now), min(p.Since, now)
	}
	word.Since, word.Until = now, now
	if before := there[gateway]; before != nil {
		word.goOn(before, now)
	} else { // what it has let pass by then it has since it was forgotten
		word.From = now - int64(word.Had/word.part()*float64(time.Second))
	}
	for id, p := range there { // by who has just been silent itself nobody is gone: the others may have had no way to speak either
		if now-p.Seen > int64(forgetAfter) && now-word.Since > int64(aloneAfter) {
			delete(there, id)
		}
	}
	delete(there, gateway)
	if !gone {
		there[gateway] = &word
		word.Seen = now
		if word.Of == 0 {
			word.Of = len(there)
		}
	}
	if len(there) == 0 {
		return nil, there, nil
	}
	next, err = json.Marshal(there)
	return next, there, err
}
