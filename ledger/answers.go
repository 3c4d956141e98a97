package ledger

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
)

// lengths is how long the answers of a model have been: how many fell into each of its classes, two to each power of two. It is what
// tokens are chosen by, no more than a habit: it is in no entry, and nothing is verified against it.
type lengths struct {
	Counts [lengthClasses]uint32 `json:"counts"`

	usual atomic.Int64 // what is told of them
}

const (
	lengthClasses = 36                       // up to 131,072 tokens
	longest       = 1 << (lengthClasses / 2) // of which the last class is
	enoughAnswers = 10                       // that were seen before they say what is usual
	oldAnswers    = 512                      // after so many each counts half, so that the habit is the newest's
	usualPercent  = 95                       // of the answers are not longer than what is usual
	maxModels     = 4096                     // whose answers are remembered
)

// answers are the lengths of each model's. The map is read by requests and written by the committer.
type answers struct {
	models sync.Map // name → *lengths
	known  int      // how many; the committer's
}

// TypicalCompletion gives how many completion tokens an answer of a model (its served id) has at most, nearly always: by what was
// seen of it, here and before a restart. It is billing.NotSeen until ten answers were. It waits for nothing.
func (l *Ledger) TypicalCompletion(model string) int64 {
	if m, ok := l.state.answers.models.Load(model); ok {
		return m.(*lengths).usual.Load()
	}
	return billing.NotSeen
}

// seeAnswer remembers the length of an answer.
func (b *batch) seeAnswer(model string, tokens int64) {
	var m *lengths
	if v, ok := b.answers.models.Load(model); ok {
		m = v.(*lengths)
	} else {
		if b.answers.known >= maxModels || len(model) > maxName {
			return
		}
		m = new(lengths)
		m.add(tokens)
		b.answers.models.Store(model, m)
		b.answers.known++
		b.put(names(answersPrefix, model), m)
		return
	}
	m.add(tokens)
	b.put(names(answersPrefix, model), m)
}

// add counts an answer.
func (l *lengths) add(tokens int64) {
	l.Counts[lengthClass(tokens)]++
	if l.sum() >= oldAnswers {
		for i := range l.Counts {
			l.Counts[i] = (l.Counts[i] + 1) / 2
		}
	}
	l.tell()
}

func (l *lengths) sum() (n uint64) {
	for _, c := range l.Counts {
		n += uint64(c)
	}
	return n
}

// tell works out what is usual.
func (l *lengths) tell() {
	all := l.sum()
	if all < enoughAnswers {
		l.usual.Store(billing.NotSeen)
		return
	}
	var seen uint64
	for class, c := range l.Counts {
		if seen += uint64(c); seen*100 >= all*usualPercent {
			l.usual.Store(classEnd(class))
			return
		}
	}
}

// lengthClass gives the class of a length: 0 and 1, 2, 3, 4, up to 6, up to 8, up to 12, and so on.
func lengthClass(tokens int64) int {
	if tokens = min(max(tokens, 1), longest); tokens == 1 {
		return 0
	}
	power := bits.Len64(uint64(tokens - 1)) // 1<<power is the least that is not below it
	class := 2*power - 1
	if power > 1 && tokens <= 3<<(power-2) {
		class--
	}
	return min(class, lengthClasses-1)
}

// classEnd is the greatest length in a class.
func classEnd(class int) int64 {
	switch power := (class + 1) / 2; {
	case class == 0:
		return 1
	case class%2 == 1:
		return 1 << power
	default:
		return 3 << (class/2 + 1 - 2)
	}
}

// loadAnswers reads what was seen before.
func (s *state) loadAnswers(txn *badger.Txn) error {
	return each(txn, answersPrefix, func(rest string, m *lengths) error {
		m.tell()
		if model := splitNames(rest); len(model) == 1 {
			s.answers.models.Store(model[0], m)
			s.answers.known++
		}
		return nil
	})
}
