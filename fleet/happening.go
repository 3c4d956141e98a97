package fleet

import "time"

// Happening is something of which operators may want to hear at once. It names the event that they hear, after fleet_.
type Happening string

// What can happen.
const (
	StoreAway      Happening = "away"      // the store does not answer
	StoreBack      Happening = "back"      // it does again
	GatewayFenced  Happening = "fenced"    // nothing is spent here any more
	StoreForgotten Happening = "forgotten" // the store had lost what it had acknowledged
)

// forgottenAgain is how long nobody is told again that the store has forgotten something: a failover has it forget many things at once.
const forgottenAgain = time.Minute

// happened tells of something, and why, where that is known.
func (o *Options) happened(what Happening, why error) {
	if o.Happened == nil {
		return
	}
	said := ""
	if why != nil {
		said = why.Error()
	}
	o.Happened(what, said)
}

// forgot tells that the store had forgotten a change, now and then.
func (f *Fleet) forgot() {
	now := time.Now().UnixNano()
	last := f.told.Load()
	if (last == 0 || now-last >= int64(forgottenAgain)) && f.told.CompareAndSwap(last, now) {
		f.o.happened(StoreForgotten, nil)
	}
}
