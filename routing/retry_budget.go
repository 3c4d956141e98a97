package routing

import "sync/atomic"

// retryBudget keeps retries at one seller under a share of its other requests, so that an outage is not answered with a storm.
// It has a bucket for each of the last 10 seconds: the second it is for, how many requests began in it, and how many
// retries were allowed.
type retryBudget [budgetSeconds]atomic.Uint64

const (
	budgetSeconds  = 10
	retriesPerSec  = 1
	requestsPerTry = 5 // 20 %

	budgetSecond  = 40 // bits below the second's number, which has 24
	budgetRequest = 16 // bits below the requests, which have 24; retries have 16
	requestsMask  = 1<<(budgetSecond-budgetRequest) - 1
	retriesMask   = 1<<budgetRequest - 1
	secondMask    = 1<<(64-budgetSecond) - 1
)

// begun counts a request, retries among them, that begins in a second (counted from anywhere, not below 0).
func (b *retryBudget) begun(second int64) {
	b.add(second, 1<<budgetRequest, requestsMask<<budgetRequest)
}

// add adds one to a part of the second's bucket, which does not overflow.
func (b *retryBudget) add(second int64, one, mask uint64) {
	bucket := &b[second%budgetSeconds]
	stamp := uint64(second) & secondMask << budgetSecond
	for {
		before := bucket.Load()
		after := before
		if before&(secondMask<<budgetSecond) != stamp {
			after = stamp
		}
		if after&mask != mask {
			after += one
		}
		if bucket.CompareAndSwap(before, after) {
			return
		}
	}
}

// take counts a retry when there may be one.
func (b *retryBudget) take(second int64) bool {
	var requests, retries int64
	for i := range b {
		v := b[i].Load()
		age := (uint64(second) - v>>budgetSecond) & secondMask
		if age < budgetSeconds {
			requests += int64(v >> budgetRequest & requestsMask)
			retries += int64(v & retriesMask)
		}
	}
	others := max(0, requests-retries)
	if retries*requestsPerTry >= others+budgetSeconds*retriesPerSec*requestsPerTry {
		return false
	}
	b.add(second, 1, retriesMask)
	return true
}
