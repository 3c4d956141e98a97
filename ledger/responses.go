package ledger

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Response says who made a response that a seller keeps: what goes on from it goes there, and its tokens are part of that prompt.
type Response struct {
	Member uint64    `json:"member"` // whose it is: a number that is the member's own, and says nothing of the name
	Seller string    `json:"seller"`
	Origin string    `json:"origin"`
	Model  string    `json:"model,omitempty"`  // the id that the seller knows the model by
	Tokens int64     `json:"tokens,omitempty"` // prompt and answer together, as far as is known
	Until  time.Time `json:"until"`            // it is not kept any longer
}

// ResponseKey is what a response is kept under: a hash of its id, and of what else the caller tells responses apart by.
type ResponseKey [16]byte

// maxResponses is how many are kept. What they say is remembered elsewhere; this is what it is filled from at a start. It is no part of the
// books: nothing is lost with it but that a conversation has to begin anew.
const maxResponses = 100_000

// PutResponse keeps who made a response, in the place of what was there: over a restart once the next commit is through. It waits
// for nothing. The newest 100,000 are kept.
func (l *Ledger) PutResponse(key ResponseKey, made Response) {
	if len(made.Seller)+len(made.Origin)+len(made.Model) > maxName {
		return
	}
	made.Until = made.Until.UTC().Truncate(time.Second)
	gone := l.state.responses.put(key, made.Until, l.now())
	l.submit(plainWeight, func(b *batch) error {
		b.put(responseKey(key), made)
		for _, key := range gone {
			b.delete(responseKey(key))
		}
		return nil
	}, nil)
}

// DropResponse forgets a response that its maker has deleted.
func (l *Ledger) DropResponse(key ResponseKey) {
	l.state.responses.drop(key)
	l.submit(plainWeight, func(b *batch) error {
		b.delete(responseKey(key))
		return nil
	}, nil)
}

// EachResponse calls for the responses on disk, the oldest first, those among them whose time is over.
func (l *Ledger) EachResponse(visit func(key ResponseKey, made Response)) error {
	var all []keptResponse
	err := l.db.View(func(txn *badger.Txn) (err error) {
		all, err = keptResponses(txn)
		return err
	})
	for _, m := range all {
		visit(m.key, m.Response)
	}
	return err
}

func responseKey(key ResponseKey) string { return responsePrefix + string(key[:]) }

type keptResponse struct {
	key ResponseKey
	Response
}

func keptResponses(txn *badger.Txn) (all []keptResponse, err error) {
	err = each(txn, responsePrefix, func(rest string, made *Response) error {
		if len(rest) == len(ResponseKey{}) {
			all = append(all, keptResponse{ResponseKey([]byte(rest)), *made})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b keptResponse) int {
		return cmp.Or(a.Until.Compare(b.Until), bytes.Compare(a.key[:], b.key[:]))
	})
	return all, err
}

// loadResponses reads which were kept before.
func (s *state) loadResponses(txn *badger.Txn) error {
	all, err := keptResponses(txn)
	for _, m := range all {
		s.responses.add(m.key, m.Until)
	}
	return err
}
