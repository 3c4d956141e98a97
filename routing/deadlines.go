package routing

import "time"

// Deadlines bound how long a seller may take.
type Deadlines struct {
	// Stream bounds an attempt at a stream, from sending the request to the answer's headers.
	Stream time.Duration
	// Unstreamed bounds a request that is not streamed, over all its attempts; and the last candidate's attempt at a stream,
	// where it is more than Stream.
	Unstreamed time.Duration
	// Attempt bounds one attempt at a request that is not streamed, while another candidate is left. 0: nothing does, as an
	// attempt that has been sent is being paid for.
	Attempt time.Duration
	// Each bounds every attempt, streamed or not, whoever is left. 0: nothing does. It is what the original system's
	// TB_PROXYD_REQUEST_DEADLINE_MS means.
	Each time.Duration
}

// Of gives the deadlines at a seller that has its own: above zero these are stronger.
func (d Deadlines) Of(stream, unstreamed time.Duration) Deadlines {
	if stream > 0 {
		d.Stream, d.Each = stream, 0
	}
	if unstreamed > 0 {
		d.Unstreamed = unstreamed
	}
	return d
}

// Left is how long an attempt that is about to be sent may take: for a stream to its headers, else to its end. elapsed is how
// long the request has been here, and others tells whether another candidate is fit and untried: where none is,
// nobody would gain by a cut. It is 0 where no time is left.
func (d Deadlines) Left(stream bool, elapsed time.Duration, others bool) time.Duration {
	left := d.Unstreamed - elapsed
	switch {
	case stream && others:
		left = d.Stream
	case stream:
		left = max(d.Stream, d.Unstreamed)
	case others && d.Attempt > 0:
		left = min(left, d.Attempt)
	}
	if d.Each > 0 {
		left = min(left, d.Each)
	}
	return max(0, left)
}
