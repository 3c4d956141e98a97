package purchase

import "time"

// Purse is what can be paid at one seller, for those that choose among many while a request waits: it takes no lock.
type Purse struct{ shelf *shelf }

// Purse gives a seller's; false as long as no token of it was ever wanted. It goes on being the seller's.
func (d *Desk) Purse(sellerID, origin string) (Purse, bool) {
	s := (*d.shelves.Load())[sellerKey{sellerID, origin}]
	return Purse{s}, s != nil
}

// Look tells whether a token is there that is not nearly spent, and whether one might be bought. The latter is not so for a
// moment after a purchase was refused there for another reason than a limit: a request that comes meanwhile had better go
// elsewhere, and the one after that finds out anew.
func (p Purse) Look(now time.Time) (credit, canBuy bool) {
	terms, at := p.shelf.desk.terms.Load(), now.UnixNano()
	for _, t := range *p.shelf.tokens.Load() {
		if t.ends > at+int64(terms.ExpiryMargin) && t.state.Load() == live && t.free.Load() >= 0 && !t.low(int64(terms.RebuyBelow)) {
			credit = true
			break
		}
	}
	left := p.shelf.shut.Load() - at
	return credit, left <= 0 || left > int64(longestShut)
}

// shutFor is how long a seller is passed over after it was found that nothing can be bought there.
const shutFor = time.Second

// longestShut is how long a seller is passed over at the most. One that is to be for longer was by a clock that has been set back since.
const longestShut = time.Minute

// shutUntil has requests pass the seller over, as nothing can be bought there.
func (s *shelf) shutUntil(then time.Time) { s.shut.Store(then.UnixNano()) }
