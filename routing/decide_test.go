package routing

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestJudge(t *testing.T) {
	for _, row := range []struct {
		status int
		body   string
		want   Kind
	}{
		{200, ``, ""},
		{201, `not even JSON`, ""},
		{402, ``, InsufficientFunds},
		{429, `{"error":{"code":"insufficient_quota"}}`, InsufficientFunds},
		{400, `{"error":{"type":"insufficient_balance"}}`, InsufficientFunds},
		{403, `{"error":{"code":"insufficient_funds"}}`, InsufficientFunds},
		{403, "\ufeff" + `{"error":{"code":"insufficient_funds"}}`, InsufficientFunds},
		{401, ``, AuthInvalid},
		{403, ``, AuthInvalid},
		{400, `{"error":{"message":"insufficient_funds"}}`, Hard4xx},
		{404, ``, Hard4xx},
		{409, ``, Hard4xx},
		{413, ``, Hard4xx},
		{418, ``, Hard4xx},
		{422, ``, Hard4xx},
		{301, ``, Soft5xx},
		{304, ``, Soft5xx},
		{408, ``, Soft5xx},
		{425, ``, Soft5xx},
		{429, ``, Soft5xx},
		{500, ``, Soft5xx},
		{503, ``, Soft5xx},
		{529, ``, Soft5xx},
		{101, ``, Soft5xx},
	} {
		if got := Judge(row.status, []byte(row.body)); got.Kind != row.want || got.Status != row.status {
			t.Errorf("Judge(%d, %s) = %+v, want %q", row.status, row.body, got, row.want)
		}
	}
}

func TestJudgeModelMissing(t *testing.T) {
	for _, row := range []struct {
		status int
		body   string
		want   bool
	}{
		{404, `{"error":{"message":"x","type":"invalid_request_error","code":"model_not_found"}}`, true},
		{404, `{"error":{"type":"model_not_found"}}`, true},
		{404, `{"code":"model_not_found"}`, true},
		{404, "\ufeff" + `{"code":"model_not_found"}`, true},
		{404, `{"error":{"message":"model_not_found"}}`, false},
		{404, `{"type":"error","error":{"type":"not_found_error","message":"model: x"}}`, true},
		{404, `no such page`, false},
		{404, strings.Repeat("[", 1_000_000), false},
		{400, `{"error":{"code":"model_not_found"}}`, false},
		{503, `{"error":{"code":"model_not_found"}}`, false},
		{200, `{"error":{"code":"model_not_found"}}`, false},
	} {
		if got := Judge(row.status, []byte(row.body)); got.ModelMissing != row.want {
			t.Errorf("Judge(%d, %.60s) = %+v, want %v", row.status, row.body, got, row.want)
		}
	}
}

func TestDecide(t *testing.T) {
	with := func(p Position, change func(*Position)) Position {
		change(&p)
		return p
	}
	retrying := func(p *Position) { p.MaxRetries, p.RetryBudget = 1, true }
	var (
		others   = Position{Attempts: 1, MaxAttempts: 4, Untried: 1}
		last     = Position{Attempts: 1, MaxAttempts: 4}
		just     = Position{Attempts: 1, MaxAttempts: 4, Untried: 3} // as many attempts as others
		many     = Position{Attempts: 1, MaxAttempts: 4, Untried: 99}
		rebought = Position{Attempts: 2, MaxAttempts: 4, Untried: 1, Rebought: true}
		lastAlso = Position{Attempts: 2, MaxAttempts: 4, Rebought: true}
		spent    = Position{Attempts: 4, MaxAttempts: 4, Untried: 1}
		over     = Position{Attempts: 5, MaxAttempts: 4, Untried: 1}

		retry      = with(others, retrying)
		retryLast  = with(last, retrying)
		retried    = with(retry, func(p *Position) { p.Attempts, p.Retries = 2, 1 })
		fresh      = with(retry, func(p *Position) { p.FreshPurchase = true })
		freshAgain = with(retried, func(p *Position) { p.FreshPurchase = true })
		freshThird = with(freshAgain, func(p *Position) { p.MaxAttempts, p.Retries = 9, 2 })
		streak     = with(others, func(p *Position) { p.HardStreak = 6 })
		held       = with(others, func(p *Position) { p.Held = true })
		heldLast   = with(last, func(p *Position) { p.Held = true })
		heldSpent  = with(spent, func(p *Position) { p.Held = true })

		bad      = Outcome{Kind: Hard4xx, Status: 400}
		missing  = Outcome{Kind: Hard4xx, Status: 404}
		funds    = Outcome{Kind: InsufficientFunds, Status: 402}
		unknown  = Outcome{Kind: AuthInvalid, Status: 401}
		forbid   = Outcome{Kind: AuthInvalid, Status: 403}
		broken   = Outcome{Kind: Soft5xx, Status: 500}
		deadline = Outcome{Kind: Deadline}
		moved    = Outcome{Kind: Soft5xx, Status: 302}

		late    = Outcome{Kind: Deadline, TimedOut: true}
		foreign = Outcome{Kind: WrongSeller, Status: 400}
		noUsage = Outcome{Kind: Hard4xx, Status: 400, RefusesUsage: true}

		again     = Decision{Step: Retry, Backoff: 50 * time.Millisecond, Force: true}
		first     = Decision{Step: Retry, Backoff: 50 * time.Millisecond}
		second    = Decision{Step: Retry, Backoff: 100 * time.Millisecond}
		waitedOut = func(d time.Duration) Decision { return Decision{Step: Retry, WaitOut: d} }
	)
	maker := func(p Position, m Maker) Position {
		p.Maker = m
		return p
	}
	busy := func(status int, after time.Duration) Outcome {
		return Outcome{Kind: Soft5xx, Status: status, RetryAfter: after}
	}
	retries := func(n int) Position {
		return Position{Attempts: n + 1, MaxAttempts: 99, Retries: n, MaxRetries: 50, RetryBudget: true}
	}
	for _, row := range []struct {
		name string
		at   Position
		of   Outcome
		want Decision
	}{
		{"a good answer", others, Outcome{Status: 200}, Decision{Step: Deliver}},
		{"a good answer while another is held back", held, Outcome{Status: 200}, Decision{Step: Deliver}},
		{"a good answer with a Retry-After", retryLast, Outcome{Status: 200, RetryAfter: 1}, Decision{Step: Deliver}},

		{"402: buy once more there", others, funds, Decision{Step: Rebuy, RefuseToken: true}},
		{"402 from the last candidate", last, funds, Decision{Step: Rebuy, RefuseToken: true}},
		{"402 among more than can be tried", many, funds, Decision{Step: Rebuy, RefuseToken: true}},
		{"402 where the attempts just suffice for the others", just, funds, Decision{Step: Rebuy, RefuseToken: true}},
		{"a second 402", rebought, funds, Decision{Step: Next, RefuseToken: true}},
		{"a second 402, and nobody else", lastAlso, funds, Decision{Step: GiveUp, RefuseToken: true}},
		{"402 when all attempts are spent", spent, funds, Decision{Step: GiveUp, RefuseToken: true}},
		{"429 that means 402", last, Outcome{Kind: InsufficientFunds, Status: 429, RetryAfter: 1}, Decision{Step: Rebuy, RefuseToken: true}},

		{"401", others, unknown, Decision{Step: Next, DropToken: true}},
		{"401 from the last candidate", last, unknown, Decision{Step: Rebuy, DropToken: true}},
		{"a second 401", lastAlso, unknown, Decision{Step: GiveUp, DropToken: true}},
		{"401 when all attempts are spent", spent, unknown, Decision{Step: GiveUp, DropToken: true}},
		{"403: the token stays", others, forbid, Decision{Step: Next}},
		{"403 from the last candidate", last, forbid, Decision{Step: GiveUp}},

		{"400: the request is at fault", others, bad, Decision{Step: Deliver}},
		{"409: another may not mind", others, Outcome{Kind: Hard4xx, Status: 409}, Decision{Step: Next}},
		{"413: another may take it", retry, Outcome{Kind: Hard4xx, Status: 413}, Decision{Step: Next}},
		{"409 from the last candidate", retryLast, Outcome{Kind: Hard4xx, Status: 409}, Decision{Step: GiveUp}},
		{"413 from the last candidate", retryLast, Outcome{Kind: Hard4xx, Status: 413}, Decision{Step: GiveUp}},
		{"413 after a row of 400", streak, Outcome{Kind: Hard4xx, Status: 413}, Decision{Step: Next}},
		{"413 after 400 from another", heldLast, Outcome{Kind: Hard4xx, Status: 413}, Decision{Step: DeliverHeld}},
		{"400 that names our stream_options", others, noUsage, Decision{Step: Retry, WithoutUsage: true}},
		{"400 that names our stream_options, attempts spent", spent, noUsage, Decision{Step: Retry, WithoutUsage: true}},
		{"400 that names our stream_options, after five in a row", streak, noUsage, Decision{Step: Retry, WithoutUsage: true}},

		{"wrong seller, nobody knows whose it is", others, foreign, Decision{Step: Next}},
		{"wrong seller, the maker is free", maker(others, Maker{Known: true}), foreign, Decision{Step: ToMaker}},
		{"wrong seller, the maker is free and nobody else", maker(last, Maker{Known: true}), foreign, Decision{Step: ToMaker}},
		{"wrong seller, the maker rests for ten seconds", maker(others, Maker{Known: true, Rest: 10 * time.Second}), foreign, Decision{Step: ToMaker, WaitOut: 10 * time.Second}},
		{"wrong seller, the maker rests for longer", maker(others, Maker{Known: true, Rest: 10*time.Second + 1}), foreign, Decision{Step: Next}},
		{"wrong seller, the maker rests for longer, and nobody else", maker(last, Maker{Known: true, Rest: time.Hour}), foreign, Decision{Step: GiveUp}},
		{"wrong seller, the maker rests past the time left", with(maker(others, Maker{Known: true, Rest: time.Second}), func(p *Position) { p.TimeLeft = time.Second }), foreign, Decision{Step: Next}},
		{"wrong seller, the maker was gone back to", maker(others, Maker{Known: true, SentTo: true}), foreign, Decision{Step: Next}},
		{"wrong seller, the maker was gone back to in vain", maker(last, Maker{Known: true, SentTo: true}), foreign, Decision{Step: GiveUp}},
		{"wrong seller, says the maker", maker(others, Maker{Known: true, Refused: true}), foreign, Decision{Step: Next}},
		{"wrong seller, says the maker as the last", maker(last, Maker{Known: true, Refused: true}), foreign, Decision{Step: Deliver}},
		{"wrong seller, nobody knows whose it is, as the last", last, foreign, Decision{Step: Deliver}},
		{"wrong seller, attempts spent", maker(spent, Maker{Known: true}), foreign, Decision{Step: GiveUp}},
		{"wrong seller after five 400 in a row: it is none", maker(streak, Maker{}), foreign, Decision{Step: Next}},
		{"422 when all attempts are spent", spent, Outcome{Kind: Hard4xx, Status: 422}, Decision{Step: Deliver}},
		{"400 for the fifth time in a row", with(streak, func(p *Position) { p.HardStreak = 5 }), bad, Decision{Step: Deliver}},
		{"400 after five in a row: another is asked first", streak, bad, Decision{Step: Next, Hold: true}},
		{"400 after five in a row, and nobody else", with(last, func(p *Position) { p.HardStreak = 6 }), bad, Decision{Step: Deliver}},
		{"400 after five in a row, all attempts spent", with(spent, func(p *Position) { p.HardStreak = 6 }), bad, Decision{Step: Deliver}},
		{"400 from two sellers", held, bad, Decision{Step: Deliver}},
		{"400 from two sellers with a long row each", with(held, func(p *Position) { p.HardStreak = 9 }), bad, Decision{Step: Deliver}},
		{"400, then nothing from the next", held, deadline, Decision{Step: Next}},
		{"400, then nothing from anybody", heldLast, deadline, Decision{Step: DeliverHeld}},
		{"400, then 500 and all attempts spent", heldSpent, broken, Decision{Step: DeliverHeld}},
		{"400, then 401 from the last", with(lastAlso, func(p *Position) { p.Held = true }), unknown, Decision{Step: DeliverHeld, DropToken: true}},

		{"404: another may have it", others, missing, Decision{Step: Next}},
		{"404 from the last candidate", last, missing, Decision{Step: GiveUp}},
		{"404 after a row of 400", streak, missing, Decision{Step: Next}},
		{"404 with model_not_found", others, Outcome{Kind: Hard4xx, Status: 404, ModelMissing: true}, Decision{Step: Next, LeaveOut: true}},
		{"404 with model_not_found from the last", last, Outcome{Kind: Hard4xx, Status: 404, ModelMissing: true}, Decision{Step: GiveUp, LeaveOut: true}},

		{"500, no retries wanted", others, broken, Decision{Step: Next}},
		{"500", retry, broken, first},
		{"408", retry, Outcome{Kind: Soft5xx, Status: 408}, first},
		{"425", retry, Outcome{Kind: Soft5xx, Status: 425}, first},
		{"3xx", retry, moved, first},
		{"429 without Retry-After", retry, busy(429, 0), first},
		{"503 without Retry-After", retry, busy(503, 0), first},
		{"500 with Retry-After", retry, busy(500, time.Minute), Decision{Step: Next}},
		{"529 with Retry-After", retry, busy(529, time.Second), Decision{Step: Next}},
		{"408 with a short Retry-After from the last", retryLast, busy(408, time.Second), waitedOut(time.Second)},
		{"529 with a short Retry-After from the last", retryLast, busy(529, time.Second), waitedOut(time.Second)},
		{"3xx with Retry-After", retry, busy(302, time.Second), Decision{Step: Next}},
		{"500 a second time", retried, broken, Decision{Step: Next}},
		{"500 from a seller that was just paid", fresh, broken, first},
		{"500 a second time from a seller that was just paid", freshAgain, broken, second},
		{"500 a third time from a seller that was just paid", freshThird, broken, Decision{Step: Next}},
		{"500 from a seller that was just paid, no retries wanted", with(fresh, func(p *Position) { p.MaxRetries = 0 }), broken, first},
		{"500 where the attempts just suffice for the others", with(just, retrying), broken, Decision{Step: Next}},
		{"500 where the attempts do not suffice for the others", with(many, retrying), broken, Decision{Step: Next}},
		{"500 with the retry budget spent", with(retry, func(p *Position) { p.RetryBudget = false }), broken, Decision{Step: Next}},
		{"500 from the last candidate", retryLast, broken, first},
		{"500 from the last candidate, retries spent", last, broken, Decision{Step: GiveUp}},
		{"500 when all attempts are spent", with(spent, retrying), broken, Decision{Step: GiveUp}},
		{"500 when more than all attempts are spent", with(over, retrying), broken, Decision{Step: GiveUp}},
		{"500 just before the time is over", with(retry, func(p *Position) { p.TimeLeft = 50 * time.Millisecond }), broken, Decision{Step: Next}},
		{"500 with time enough", with(retry, func(p *Position) { p.TimeLeft = 51 * time.Millisecond }), broken, first},
		{"the third pause", retries(2), broken, Decision{Step: Retry, Backoff: 200 * time.Millisecond}},
		{"the longest pause", retries(40), broken, Decision{Step: Retry, Backoff: time.Second}},

		{"429 with Retry-After", retry, busy(429, time.Second), Decision{Step: Next}},
		{"503 with Retry-After", retry, busy(503, time.Second), Decision{Step: Next}},
		{"503 with Retry-After from a seller that was just paid", fresh, busy(503, time.Second), Decision{Step: Next}},
		{"429 with a short Retry-After from the last", retryLast, busy(429, 10*time.Second), waitedOut(10 * time.Second)},
		{"503 with a short Retry-After from the last, no retries wanted", with(last, func(p *Position) { p.RetryBudget = true }), busy(503, 1), waitedOut(1)},
		{"503 with a short Retry-After from the last, budget spent", last, busy(503, 1), Decision{Step: GiveUp}},
		{"429 with a long Retry-After from the last", retryLast, busy(429, 10*time.Second+1), Decision{Step: GiveUp}},
		{"429 with a short Retry-After, all attempts spent", with(spent, retrying), busy(429, 1), Decision{Step: GiveUp}},
		{"429 with a Retry-After past the time left", with(retryLast, func(p *Position) { p.TimeLeft = time.Second }), busy(429, time.Second), Decision{Step: GiveUp}},

		{"no answer", retry, deadline, Decision{Step: Next}},
		{"a stream that breaks before content", retry, Outcome{Kind: Deadline, Status: 200}, Decision{Step: Next}},
		{"no answer from a seller that was just paid", fresh, deadline, Decision{Step: Next}},
		{"no answer in time from the last candidate", retryLast, late, Decision{Step: GiveUp}},
		{"no answer in time", retry, late, Decision{Step: Next}},
		{"a reset by the last candidate", retryLast, deadline, again},
		{"a reset by the last candidate, no retries wanted", with(last, func(p *Position) { p.RetryBudget = true }), deadline, again},
		{"a second reset by the last candidate", with(retryLast, func(p *Position) { p.Attempts, p.Retries = 2, 1 }), deadline, Decision{Step: GiveUp}},
		{"a reset by the last candidate, budget spent", last, deadline, Decision{Step: GiveUp}},
		{"a reset by the last candidate, attempts spent", with(retryLast, func(p *Position) { p.Attempts = 4 }), deadline, Decision{Step: GiveUp}},
		{"a reset by the last candidate, just before the time is over", with(retryLast, func(p *Position) { p.TimeLeft = 50 * time.Millisecond }), deadline, Decision{Step: GiveUp}},
		{"a reset by the last candidate, another's answer is held back", with(heldLast, retrying), deadline, Decision{Step: DeliverHeld}},
		{"a 200 that is no answer", retry, NoAnswer(200), Decision{Step: Next}},
		{"a 200 that is no answer, from the last", retryLast, NoAnswer(200), again},
		{"a purchase that failed", retry, Outcome{Kind: PurchaseFailed}, Decision{Step: Next}},
		{"a purchase that failed, and nobody else", retryLast, Outcome{Kind: PurchaseFailed}, Decision{Step: GiveUp}},
		{"a purchase that would pass a limit", retry, Outcome{Kind: BudgetExceeded}, Decision{Step: Next, NoPurchase: true}},
		{"a limit, and nobody else", last, Outcome{Kind: BudgetExceeded}, Decision{Step: GiveUp}},
		{"the client went away", retry, Outcome{Kind: ClientGone}, Decision{Step: Leave}},
		{"the client went away while an answer is held back", heldLast, Outcome{Kind: ClientGone}, Decision{Step: Leave}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Decide(row.at, row.of); got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

// A request always comes to an end: each decision to go on uses up an attempt or a candidate.
func TestDecideEnds(t *testing.T) {
	kinds := []Kind{WrongSeller, InsufficientFunds, AuthInvalid, Hard4xx, Soft5xx, Deadline, PurchaseFailed, BudgetExceeded}
	rapid.Check(t, func(t *rapid.T) {
		p := Position{
			MaxAttempts: rapid.IntRange(1, 6).Draw(t, "attempts"), Untried: rapid.IntRange(0, 6).Draw(t, "untried"),
			MaxRetries: rapid.IntRange(0, 9).Draw(t, "retries"),
		}
		candidates := p.Untried + 1
		for steps := 0; ; steps++ {
			if steps > p.MaxAttempts+candidates {
				t.Fatalf("%d steps", steps)
			}
			kind := rapid.SampledFrom(kinds).Draw(t, "kind")
			o := Outcome{
				Kind: kind, Status: rapid.SampledFrom([]int{400, 401, 403, 404, 429, 500, 503}).Draw(t, "status"),
				RetryAfter: rapid.SampledFrom([]time.Duration{0, 1, time.Hour}).Draw(t, "after"),
			}
			if kind != PurchaseFailed && kind != BudgetExceeded {
				p.Attempts++
			}
			p.RetryBudget, p.FreshPurchase = rapid.Bool().Draw(t, "budget"), rapid.Bool().Draw(t, "fresh")
			p.HardStreak = rapid.IntRange(0, 9).Draw(t, "streak")
			o.TimedOut, p.Maker.Known, p.Maker.Refused = rapid.Bool().Draw(t, "late"), rapid.Bool().Draw(t, "known"), rapid.Bool().Draw(t, "refused")
			d := Decide(p, o)
			if p.Attempts > p.MaxAttempts {
				t.Fatalf("attempt %d of %d", p.Attempts, p.MaxAttempts)
			}
			switch d.Step {
			case Next:
				if p.Untried == 0 {
					t.Fatal("there is no next")
				}
				p.Untried--
				p.Retries, p.Rebought = 0, false
				p.Held = p.Held || d.Hold
			case Retry:
				p.Retries++
			case ToMaker:
				if p.Maker.SentTo {
					t.Fatal("sent back twice")
				}
				p.Maker.SentTo = true
				p.Retries, p.Rebought = 0, false
			case Rebuy:
				if p.Rebought {
					t.Fatal("bought twice")
				}
				p.Rebought = true
			case DeliverHeld:
				if !p.Held {
					t.Fatal("nothing is held back")
				}
				return
			default:
				return
			}
		}
	})
}

func TestPause(t *testing.T) {
	for _, row := range []struct {
		d      Decision
		random float64
		want   time.Duration
	}{
		{Decision{}, 0.9, 0},
		{Decision{Backoff: time.Second}, 0, 0},
		{Decision{Backoff: time.Second}, 0.25, 250 * time.Millisecond},
		{Decision{WaitOut: time.Second}, 0.9, time.Second},
	} {
		if got := row.d.Pause(row.random); got != row.want {
			t.Errorf("%+v: %v, want %v", row.d, got, row.want)
		}
	}
}
