package gateway

import (
	"testing"
	"time"
)

// TestReachedAgain: what was once an address that a seller may not have says nothing of one that answers.
func TestReachedAgain(t *testing.T) {
	w := newWay(t, "", says(200, good))
	table := w.gw.table
	table.Forbid(table.Index().Seller("a").Key(), time.Now())
	if all := table.Unserved(time.Now()); len(all) != 1 {
		t.Fatalf("the test proves nothing: %+v", all)
	}
	if res := w.ask(chat); res.Code != 200 {
		t.Fatalf("status %d: %s", res.Code, res.Body)
	}
	if all := table.Unserved(time.Now()); len(all) != 0 {
		t.Errorf("it has answered, and %+v", all)
	}
}
