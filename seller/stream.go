package seller

import (
	"context"
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// event is one event of an answer's stream.
type event struct {
	name   string // of the event field; empty: none
	data   any    // JSON, or text that is sent as it is
	tokens int64  // completion tokens in it
}

type text string

// write gives the event's bytes, its blank line included.
func (ev event) write() ([]byte, error) {
	var b []byte
	if ev.name != "" {
		b = append(b, "event: "+ev.name+"\n"...)
	}
	b = append(b, "data: "...)
	if t, ok := ev.data.(text); ok {
		b = append(b, t...)
	} else {
		data, err := wire.Encode(ev.data)
		if err != nil {
			return nil, err
		}
		b = append(b, data...)
	}
	return append(b, "\n\n"...), nil
}

// stream sends an answer event by event at the seller's pace, and says where it was told to what it cost. When the client
// leaves, what has been produced is billed.
func (s *Seller) stream(ctx context.Context, w http.ResponseWriter, a *answer, e *endpoint, bill *bill) {
	inHeader := s.Settlement == settleByHeader || s.Settlement == settleByBoth
	at := "" // where in the stream it is said; empty: nowhere
	if s.Settlement == settleByEvent || s.Settlement == settleByBoth {
		at = s.SettlementAt
	}
	produced := a.usage
	produced.Completion = 0
	defer func() { bill.settle(produced) }()

	out := http.NewResponseController(w)
	send := func(b []byte) bool {
		if _, err := w.Write(b); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	tell := func() bool {
		settlement := bill.settle(a.usage)
		return settlement == nil || send(settlement.Event())
	}

	if inHeader {
		if settlement := bill.settle(a.usage); settlement != nil {
			settlement.SetHeader(w.Header())
		}
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	if at == settleAtStart && !tell() {
		return
	}
	inMiddle := at == settleAtMiddle
	for ev := range e.events(a) {
		// Pieces of several choices that belong together come at once.
		if first := produced.Completion%int64(a.choices) == 0; ev.tokens > 0 && produced.Completion > 0 && first {
			if !sleep(ctx, time.Duration(*s.Pace)) {
				return
			}
		}
		b, err := ev.write()
		if err != nil || ctx.Err() != nil || !send(b) {
			return
		}
		produced.Completion += ev.tokens
		if inMiddle && 2*produced.Completion >= a.usage.Completion && ev.tokens > 0 {
			if inMiddle = false; !tell() {
				return
			}
		}
	}
	bill.settle(produced)
	if at == settleLate {
		sleep(ctx, time.Duration(s.SettlementDelay))
	}
	if at == settleAtEnd || at == settleLate {
		tell()
	}
}
