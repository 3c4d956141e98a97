package routing

import (
	"testing"
	"time"
)

func TestDeadlines(t *testing.T) {
	const s = time.Second
	usual := Deadlines{Stream: 30 * s, Unstreamed: 280 * s}
	third := Deadlines{Stream: 30 * s, Unstreamed: 280 * s, Attempt: 60 * s}
	original := Deadlines{Stream: 30 * s, Unstreamed: 280 * s, Each: 1500 * time.Millisecond}
	for _, row := range []struct {
		name    string
		d       Deadlines
		stream  bool
		elapsed time.Duration
		others  bool
		want    time.Duration
	}{
		{"a stream", usual, true, 100 * s, true, 30 * s},
		{"a stream at the last candidate", usual, true, 100 * s, false, 280 * s},
		{"a stream at the last candidate, the first value is more", Deadlines{Stream: 9 * s, Unstreamed: s}, true, 0, false, 9 * s},
		{"unstreamed: not cut in favour of another", usual, false, 100 * s, true, 180 * s},
		{"unstreamed at the last candidate", usual, false, 100 * s, false, 180 * s},
		{"unstreamed, no time left", usual, false, 281 * s, false, 0},
		{"unstreamed with a third value", third, false, 0, true, 60 * s},
		{"unstreamed with a third value at the last candidate", third, false, 0, false, 280 * s},
		{"unstreamed with a third value, less time left", third, false, 250 * s, true, 30 * s},
		{"a stream with a third value", third, true, 0, true, 30 * s},
		{"the original's, a stream", original, true, 0, true, 1500 * time.Millisecond},
		{"the original's, a stream at the last candidate", original, true, 0, false, 1500 * time.Millisecond},
		{"the original's, unstreamed", original, false, 0, true, 1500 * time.Millisecond},
		{"the original's, unstreamed at the last candidate", original, false, 0, false, 1500 * time.Millisecond},
		{"a seller's own, a stream", usual.Of(90*s, 600*s), true, 0, true, 90 * s},
		{"a seller's own, the last candidate", usual.Of(90*s, 600*s), true, 0, false, 600 * s},
		{"a seller's own, unstreamed", usual.Of(90*s, 600*s), false, 100 * s, true, 500 * s},
		{"a seller's own over the original's", original.Of(90*s, 0), true, 0, true, 90 * s},
		{"a seller without", usual.Of(0, 0), true, 0, true, 30 * s},
	} {
		if got := row.d.Left(row.stream, row.elapsed, row.others); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
