package member

import (
	"testing"
	"time"
)

func TestRates(t *testing.T) {
	var rates Rates
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ada := &Member{Name: "ada", Rate: Rate{3, time.Minute}}
	ask := func(m *Member, want time.Duration) {
		t.Helper()
		if after, ok := rates.Allow(m, now); after != want || ok != (want == 0) {
			t.Errorf("%s at %s: %s, %t; want %s", m.Name, now.Format("05"), after, ok, want)
		}
	}
	for range 3 {
		ask(ada, 0)
	}
	ask(ada, 20*time.Second)
	ask(ada, 20*time.Second) // one that is refused does not count
	ask(&Member{Name: "bob", Rate: Rate{1, time.Hour}}, 0)
	ask(&Member{Name: "bob", Rate: Rate{1, time.Hour}}, time.Hour)
	for range 100 {
		ask(&Member{Name: "cyd"}, 0)
	}
	now = now.Add(5 * time.Second)
	ask(ada, 15*time.Second)
	now = now.Add(15 * time.Second)
	ask(ada, 0)
	ask(ada, 20*time.Second)
	ask(&Member{Name: "ada", Rate: Rate{30, time.Minute}}, 2*time.Second) // a config gives more, from now on
	now = now.Add(4 * time.Second)
	ask(&Member{Name: "ada", Rate: Rate{30, time.Minute}}, 0)
	ask(&Member{Name: "ada", Rate: Rate{30, time.Minute}}, 0)
	ask(&Member{Name: "ada", Rate: Rate{30, time.Minute}}, 2*time.Second)
}
