package guestload

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLoad: a guest that is not loaded is told of, without what it has panicked with, and is ended once: when it has returned.
func TestLoad(t *testing.T) {
	var nobody *struct{ name string }
	for name, test := range map[string]struct {
		guest func() (int, error)
		want  string
		ended time.Duration // after the begin; -1: not at all
	}{
		"it is loaded":        {func() (int, error) { return 7, nil }, "", -1},
		"it fails":            {func() (int, error) { return 7, errors.New("no") }, "no", 0},
		"it panics":           {func() (int, error) { panic("secret") }, "the guest panicked while it was loaded, in github.com/tokenbuddy/caddy-tokenbuddy/guestload.TestLoad.", 0},
		"it finds nobody":     {func() (int, error) { return len(nobody.name), nil }, "the guest panicked while it was loaded, in github.com/tokenbuddy/caddy-tokenbuddy/guestload.TestLoad.", 0},
		"it is gone":          {func() (int, error) { runtime.Goexit(); return 0, nil }, "the guest ended its goroutine while it was loaded", 0},
		"it returns too late": {func() (int, error) { time.Sleep(time.Hour); return 7, nil }, "the guest does not return: it was not loaded within 30s", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, ended := time.Now(), make(chan time.Duration, 2)
				value, err := Load("the guest", "loaded", test.guest, func() { ended <- time.Since(began) })
				if took := time.Since(began); took > loadTime {
					t.Errorf("it took %s", took)
				}
				switch {
				case test.want == "":
					if err != nil || value != 7 {
						t.Errorf("%d, %v", value, err)
					}
				case err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "secret") || value != 0:
					t.Errorf("%d, %v", value, err)
				case strings.HasSuffix(test.want, ".") && !strings.Contains(err.Error(), "(load_test.go:"):
					t.Errorf("%v: it does not say where", err)
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				close(ended)
				got := time.Duration(-1)
				for at := range ended {
					if got != -1 {
						t.Error("ended twice")
					}
					got = at
				}
				if got != test.ended {
					t.Errorf("ended after %s, want %s", got, test.ended)
				}
			})
		})
	}
}
