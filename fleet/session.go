package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// SessionKey is where a fleet's session is: that in which a session limit of purchases counts. It begins by an operator's word,
// and not with a process: a rolling restart begins none.
const SessionKey = "p/session"

// Session is which one it is. Its zero value is the one before anybody has begun one.
type Session struct {
	N     uint64    `json:"n"`     // from 1
	Since time.Time `json:"since"` // by the store's clock
}

// readSession reads what is under SessionKey; nil: none was begun.
func readSession(value []byte) (s Session, err error) {
	if value == nil {
		return Session{}, nil
	}
	if err := json.Unmarshal(value, &s); err != nil {
		return Session{}, fmt.Errorf("fleet: the session can't be read: %w", err)
	}
	return s, nil
}

// NewSession begins a session.
func (f *Fleet) NewSession(ctx context.Context) (s Session, err error) {
	err = f.store.Change(ctx, SessionKey, func(at Moment, old []byte) ([]byte, error) {
		before, err := readSession(old)
		if err != nil {
			return nil, err
		}
		s = Session{before.N + 1, at.Now}
		return json.Marshal(s)
	})
	if err != nil {
		return Session{}, fmt.Errorf("fleet: no session was begun, or it is not known: %w", err)
	}
	return s, nil
}
