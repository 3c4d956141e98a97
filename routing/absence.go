package routing

// Absence is why there is nobody to be asked for a request.
type Absence uint8

const (
	// NobodyServes: no seller has the model, over this API; or all that had it say that they have not.
	NobodyServes Absence = iota
	// MakerAway: the response's maker is paused or excluded.
	MakerAway
	// MakerGone: neither the config nor the registry names that one any more, or they name another one in its place.
	MakerGone
	// MakerLacks: that one has not the model, over this API, and others have.
	MakerLacks
	// LeftOut: there are sellers, and the policy has left all of them out.
	LeftOut
	// Off: all that have the model are paused or excluded.
	Off
	// ChosenOff: the one that manual selection keeps to has it, and is paused or excluded.
	ChosenOff
	// ChosenLacks: that one has it not, and others have.
	ChosenLacks
	// ChosenUnknown: neither the config nor the registry names that one.
	ChosenUnknown
	// NobodyChosen: manual selection keeps to the default seller, and there is none.
	NobodyChosen
)

// Absence tells why Order has appended nothing.
func (t *Table) Absence(q *Query, candidates *Candidates) Absence {
	chooses := t.inForce()
	switch {
	case candidates.Len() == 0 && t.Index().onlyIdle(q.Served, q.Protocol):
		return Off
	case candidates.Len() == 0:
		return NobodyServes
	case q.Maker != (SellerKey{}) && !chooses.unaffine:
		switch s := t.Index().Seller(q.Maker.ID); {
		case t.Off(q.Maker.ID):
			return MakerAway
		case s == nil || s.Key() != q.Maker:
			return MakerGone
		}
		return MakerLacks
	}
	if only, manual := chooses.policy.(*Manual); manual {
		index := t.Index()
		switch chosen := only.keepsTo(index.DefaultSeller()); {
		case chosen == "":
			return NobodyChosen
		case index.idleAt(chosen, q.Served, q.Protocol):
			return ChosenOff
		case index.Seller(chosen) == nil:
			return ChosenUnknown
		}
		return ChosenLacks
	}
	if len(rank(q, candidates, make([]*Candidate, 0, 1), byPlace)) == 0 {
		return NobodyServes
	}
	return LeftOut
}
