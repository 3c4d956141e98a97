package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
)

// adding has a note be one more than it was.
func adding(was *fleet.Note) (is fleet.Note, err error) {
	n := 0
	if was != nil {
		err = json.Unmarshal(was.Is, &n)
	}
	is.Is = fmt.Appendf(nil, "%d", n+1)
	return is, err
}

// An edit whose answer is lost, even often, is made once; others' edits between are kept.
func TestEditNoteOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewLink(fleettest.NewMemory())
		lost := 3
		s.Lose(func() fleettest.Loss {
			if lost--; lost < 0 {
				return fleettest.Nothing
			}
			return fleettest.Answer
		})
		n := fleet.NewNotes(s, nil)
		is, err := n.Edit(t.Context(), fleet.NoteKey("ada"), adding)
		if err != nil || string(is.Is) != "1" || is.At.IsZero() {
			t.Errorf("%+v, %v", is, err)
		}
		if is, err = n.Edit(t.Context(), fleet.NoteKey("ada"), adding); err != nil || string(is.Is) != "2" {
			t.Errorf("%+v, %v", is, err)
		}
		mine := errors.New("mine")
		if _, err := n.Edit(t.Context(), fleet.NoteKey("ada"), func(*fleet.Note) (fleet.Note, error) { return fleet.Note{}, mine }); !errors.Is(err, mine) {
			t.Errorf("%v", err)
		}
		s.Cut(true)
		if _, err := n.Edit(t.Context(), fleet.NoteKey("ada"), adding); !errors.Is(err, fleet.ErrAway) || errors.Is(err, fleet.ErrUnknown) {
			t.Errorf("%v; want that it is away, at once", err)
		}
		s.Cut(false)
		lost = 1000
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
		defer stop()
		if _, err := n.Edit(ctx, fleet.NoteKey("ada"), adding); !errors.Is(err, fleet.ErrUnknown) {
			t.Errorf("%v; want that it is unknown", err)
		}
		lost = 0
		if err := s.Change(t.Context(), fleet.NoteKey("broken"), func(fleet.Moment, []byte) ([]byte, error) { return []byte("{"), nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Edit(t.Context(), fleet.NoteKey("broken"), adding); err == nil {
			t.Error("a note that can't be read was written over")
		}
	})
}

// Who watches is told at first, of each change within seconds, again after a failure, and not where nothing is another.
func TestWatchNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewLink(fleettest.NewMemory())
		n := fleet.NewNotes(s, nil)
		ctx, stop := context.WithCancel(t.Context())
		var mu sync.Mutex
		var told []int
		var aways int
		var failed error
		var done sync.WaitGroup
		done.Go(func() {
			n.Watch(ctx, func(_ context.Context, all map[string]fleet.Note) error {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, len(all))
				return failed
			}, func(error) {
				mu.Lock()
				defer mu.Unlock()
				aways++
			})
		})
		expect := func(what string, wantAways int, want ...int) {
			t.Helper()
			time.Sleep(11 * time.Second)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(told, want) || aways != wantAways {
				t.Errorf("%s: told %v and away %d times; want %v and %d", what, told, aways, want, wantAways)
			}
			told, aways = nil, 0
		}
		edit := func(key string) {
			t.Helper()
			if _, err := n.Edit(t.Context(), key, adding); err != nil {
				t.Fatal(err)
			}
		}
		expect("at first", 0, 0)
		edit(fleet.NoteKey("a/b"))
		edit(fleet.PausedKey)
		if _, err := fleet.NewNotes(s, nil).Edit(t.Context(), "b/m/ada", adding); err != nil { // which is none
			t.Fatal(err)
		}
		expect("after changes", 0, 2)
		expect("without any", 0)
		s.Cut(true)
		expect("away", 1)
		s.Cut(false)
		expect("back", 0)
		mu.Lock()
		failed = errors.New("failed")
		mu.Unlock()
		edit(fleet.SelectionKey)
		expect("failed", 0, 3, 3)
		stop()
		done.Wait()
	})
}

// What a store had forgotten it has again to the byte: a newer release may have written what this one does not know.
func TestRemindsOfAllThatWasSaid(t *testing.T) {
	s := fleettest.NewMemory()
	key := fleet.NoteKey("ada")
	const said = `{"change":"x","at":"2026-03-04T12:00:00Z","is":{"name":"ada","later":[1, 2]},"newer":{"a": 1}}`
	if err := s.Change(t.Context(), key, func(fleet.Moment, []byte) ([]byte, error) { return []byte(said), nil }); err != nil {
		t.Fatal(err)
	}
	n := fleet.NewNotes(s, nil)
	for range 2 {
		if _, err := n.All(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Forget(1)
	}
	if _, err := n.All(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Load(t.Context(), func(_ string, value []byte) error {
		if string(value) != said {
			t.Errorf("it has %s", value)
		}
		return nil
	}, key); err != nil {
		t.Fatal(err)
	}
}

func TestNoteKey(t *testing.T) {
	for _, name := range []string{"ada", "a/b", "100%", "%2F", "ärger", "a\x00b"} {
		if got, ok := fleet.NoteMember(fleet.NoteKey(name)); !ok || got != name {
			t.Errorf("%q became %q, %v", name, got, ok)
		}
	}
	if name, ok := fleet.NoteMember(fleet.PausedKey); ok {
		t.Errorf("paused is member %q", name)
	}
}
