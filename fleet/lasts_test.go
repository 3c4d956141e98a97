package fleet

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Of gateways that were forgotten, or that a restored store does not know, nothing is kept.
func TestForgottenGatewaysAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		begin := func(id string) (*Fleet, *link) {
			l := store.link()
			f := New(Options{Store: l, Gateway: id, Epoch: 1})
			f.Start()
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_ = f.Close(ctx)
			})
			return f, l
		}
		f, _ := begin("g")
		for n := range 3 {
			_, l := begin(fmt.Sprint("gone", n))
			<-time.After(time.Minute)
			l.cut(true)
		}
		<-time.After(time.Minute)
		kept := func() (words, silent int) {
			synctest.Wait()
			f.mu.Lock()
			defer f.mu.Unlock()
			return len(f.lasts), len(f.silent)
		}
		if words, silent := kept(); words != 4 || silent != 4 {
			t.Errorf("%d words, %d gateways", words, silent)
		}
		for n := range 2 {
			if _, err := f.Forget(t.Context(), fmt.Sprint("gone", n), false); err != nil {
				t.Error(err)
			}
		}
		store.mu.Lock()
		delete(store.values, GatewayKey("gone2"))
		store.mu.Unlock()
		<-time.After(time.Minute)
		if words, silent := kept(); words != 1 || silent != 1 {
			t.Errorf("%d words, %d gateways", words, silent)
		}
	})
}
