package tokenbuddy

import "errors"

// What the grammar has and this version has not is refused, never accepted and ignored. All of it is listed here: who
// builds one of these things deletes its line.
var (
	unbuiltOfMember = []unbuilt[*MemberConfig]{
		{"daily_budget", func(m *MemberConfig) bool { return m.DailyBudget != "" }},
		{"monthly_budget", func(m *MemberConfig) bool { return m.MonthlyBudget != "" }},
		{"rate", func(m *MemberConfig) bool { return m.Rate != nil }},
	}
)

var errUnbuilt = errors.New("it is not built yet in this version: leave it out")

// unbuilt is a word of the grammar, and how to tell that a configuration uses it.
type unbuilt[T any] struct {
	word string
	used func(T) bool
}

// checkBuilt refuses a configuration that is right but asks for what is not built yet.
func (c *Config) checkBuilt() error {
	for _, m := range c.Members {
		if err := refuseUnbuilt(unbuiltOfMember, m); err != nil {
			return at("member "+m.Name, err)
		}
	}
	return nil
}

func refuseUnbuilt[T any](list []unbuilt[T], config T) error {
	for _, u := range list {
		if u.used(config) {
			return at(u.word, errUnbuilt)
		}
	}
	return nil
}
