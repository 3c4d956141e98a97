package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a container mostly has no zones of its own

	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

func (c *Config) checkMembers() error {
	names := make(map[string]bool, len(c.Members))
	keys := make(map[string]string, len(c.Members)) // who has the key
	for _, m := range c.Members {
		err := m.check()
		switch {
		case err != nil:
		case names[m.Name]:
			err = errRepeated
		case len(m.keys()) == 0 && c.MemberFrom == "":
			err = errors.New("it has no key, and there is no member_from: nobody could be this member")
		}
		if err != nil {
			return at("member "+m.Name, err)
		}
		names[m.Name] = true
		for _, k := range m.keys() {
			if other := keys[sameKey(k.Key)]; other != "" && other != m.Name {
				return at("member "+m.Name, at("key", fmt.Errorf("member %s has the same key", other)))
			}
			keys[sameKey(k.Key)] = m.Name
		}
	}
	return nil
}

// keys are all that the member has.
func (m *MemberConfig) keys() []*KeyConfig {
	if m.Key == "" {
		return m.Keys
	}
	return append([]*KeyConfig{{Key: m.Key}}, m.Keys...)
}

func (m *MemberConfig) checkKeys() error {
	if slices.Contains(m.Keys, nil) {
		return errNull
	}
	for _, k := range m.Keys {
		if k.Key == "" {
			return errMissing
		}
	}
	for _, k := range m.keys() {
		if err := cmp.Or(checkSecret(k.Key), checkMemberKey(k.Key)); err != nil {
			return err
		}
		if _, err := k.until(); err != nil {
			return err
		}
	}
	return nil
}

func (m *MemberConfig) check() error {
	return cmp.Or(
		at("name", member.CheckName(m.Name)),
		at("key", m.checkKeys()),
		m.LimitsConfig.check(),
	)
}

func (l *LimitsConfig) check() error {
	return cmp.Or(l.BoundsConfig.check(), at("models", checkList(l.Models, member.CheckNewGlob)))
}

func (b *BoundsConfig) check() error {
	return cmp.Or(
		at("daily_budget", checkMoney(b.DailyBudget)),
		at("weekly_budget", cmp.Or(checkMoney(b.WeeklyBudget), checkNoLess(b.WeeklyBudget, "daily_budget", b.DailyBudget))),
		at("monthly_budget", cmp.Or(checkMoney(b.MonthlyBudget), checkNoLess(b.MonthlyBudget, "daily_budget", b.DailyBudget),
			checkNoLess(b.MonthlyBudget, "weekly_budget", b.WeeklyBudget))),
		at("rate", b.Rate.check()),
	)
}

func (r *RateConfig) check() error {
	switch {
	case r == nil:
		return nil
	case r.Per == 0:
		return errors.New("expected a number of requests and a time")
	}
	return cmp.Or(checkCount(r.Requests, 1, maxRate), checkDuration(r.Per))
}

// checkGroups comes after the members, whose names are known to be good.
func (c *Config) checkGroups() error {
	groups := make(map[string]bool, len(c.Groups))
	in := make(map[string]string)
	for _, g := range c.Groups {
		err := cmp.Or(at("name", checkGroupName(g.Name)), g.check())
		if err == nil && groups[g.Name] {
			err = errRepeated
		}
		for _, name := range g.Members {
			if err != nil {
				break
			}
			named := slices.ContainsFunc(c.Members, func(m *MemberConfig) bool { return m.Name == name })
			switch other := in[name]; {
			case !named && c.MemberFrom == "":
				err = at("members", fmt.Errorf("there is no member %s, and no member_from that could bring one", name))
			case other == g.Name:
				err = at("members", fmt.Errorf("%s is there twice", name))
			case other != "":
				err = at("members", fmt.Errorf("%s is in the group %s already: expected one group for each", name, other))
			}
			in[name] = g.Name
		}
		if err != nil {
			return at("group "+g.Name, err)
		}
		groups[g.Name] = true
	}
	return nil
}

func checkGroupName(name string) error {
	if member.CheckName(name) != nil {
		return fmt.Errorf("%q is not a group's name: expected 1 to 64 printable characters without spaces", name)
	}
	return nil
}

func (g *GroupConfig) check() error {
	if len(g.Members) == 0 {
		return at("members", errMissing)
	}
	for _, name := range g.Members {
		if err := member.CheckName(name); err != nil {
			return at("members", err)
		}
	}
	return g.BoundsConfig.check()
}

func (c *Config) checkMemberDefault() error {
	if c.MemberDefault == nil {
		return nil
	}
	if c.MemberFrom == "" {
		return errors.New("there is no member_from that could bring a member whom it is for")
	}
	return c.MemberDefault.check()
}

func (b *BudgetsConfig) check() error {
	_, _, err := b.calendar()
	return err
}

// calendar gives the zone and the first day of a week.
func (b *BudgetsConfig) calendar() (zone *time.Location, week time.Weekday, err error) {
	zone, week = time.UTC, time.Monday
	if b == nil {
		return zone, week, nil
	}
	if b.Zone != "" {
		zone, err = time.LoadLocation(b.Zone)
		if err != nil || b.Zone == "Local" {
			return nil, 0, at("zone", fmt.Errorf("%q is not a time zone: expected one such as Europe/Berlin or UTC", b.Zone))
		}
	}
	if b.Week == "" {
		return zone, week, nil
	}
	for day := range time.Weekday(7) {
		if strings.EqualFold(day.String(), b.Week) {
			return zone, day, nil
		}
	}
	return nil, 0, at("week", fmt.Errorf("%q is no day of the week: expected one such as monday", b.Week))
}
