package gateway

import (
	"time"

	"go.uber.org/zap"
)

// rereadEvery is how soon a secret acts that was written to its file. They are read, not asked of the system: that sees a file
// that was swapped behind a link, as Kubernetes does it, and one on a network's disk, and costs a few microseconds each.
// While one of them is at fault it is less often, as Caddy logs each file that it can't read.
const (
	rereadEvery  = 500 * time.Millisecond
	rereadSeldom = 8 * time.Second
)

// watchSecrets has keys that are changed in their files act, until stop is called. The log says so without a secret; what is
// wrong with a file it says once, until that is another fault or none.
func (gw *Gateway) watchSecrets() (stop func()) {
	if !gw.settings.Watched() {
		return func() {}
	}
	tell, release := gw.market.HoldSecrets()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		wait, fault := rereadEvery, ""
		for {
			select {
			case <-done:
				return
			case <-time.After(wait):
			}
			changed, err := gw.settings.Reread()
			if err != nil {
				wait = min(2*wait, rereadSeldom)
			}
			switch {
			case err == nil && fault == "":
				wait = rereadEvery
			case err == nil:
				wait, fault = rereadEvery, ""
				tell("")
			case fault != err.Error():
				fault = err.Error()
				tell(fault)
				gw.log.Error("secrets.refused", zap.Error(err), zap.String("hint", "the keys that were read last stay in use until the file is mended"))
			}
			if changed {
				gw.log.Info("secrets.changed")
			}
		}
	}()
	return func() { close(done); <-ended; release() }
}
