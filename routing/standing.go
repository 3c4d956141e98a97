package routing

import "time"

// Standing is what is known of a seller's health; *State is one, also a nil one.
type Standing interface {
	// Fit tells whether the seller's circuit lets requests through.
	Fit(now time.Time) bool
	// Due is when a seller that is not fit may be asked again.
	Due() time.Time
	// Latency is the moving time to the first content; 0: not known.
	Latency() time.Duration
	// Score is the seller's health, from 0 to 1000.
	Score() int
	// InFlight counts the requests that the seller is working on.
	InFlight() int64
}

// standings give what is known of sellers.
type standings interface {
	standing(*Seller) Standing
}

func (p *Pool) standing(s *Seller) Standing { return p.Known(s.ID, s.Origin) }
