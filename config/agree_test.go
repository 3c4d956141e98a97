package config

import (
	"testing"
)

func TestAgree(t *testing.T) {
	noEnvironment(t)
	for _, test := range []struct{ name, a, b, want string }{
		{"the same", `"affinity":0`, `"affinity":"1m"`, ""},
		{"said and by default", `"purchase":{"amount":"5.00","daily_limit":"50"}`, `"affinity":0`, ""},
		{"amount", `"purchase":{"amount":"4"}`, `"affinity":0`, "the limits: purchase amount is $4.00 at one and $5.00 at the other; give both the same"},
		{"rebuy_below", `"purchase":{"rebuy_below":"0"}`, `"affinity":0`, "the limits: purchase rebuy_below is $0.00 at one and $0.10 at the other; give both the same"},
		{"daily_limit", `"affinity":0`, `"purchase":{"daily_limit":"0.5"}`, "the limits: purchase daily_limit is $50.00 at one and $0.50 at the other; give both the same"},
		{"session_limit", `"affinity":0`, `"purchase":{"session_limit":"9"}`, "the limits: purchase session_limit is no limit at one and $9.00 at the other; give both the same"},
		{"expiry_margin", `"affinity":0`, `"purchase":{"expiry_margin":"2m"}`, "the limits: purchase expiry_margin is 1m0s at one and 2m0s at the other; give both the same"},
		{"approve", `"purchase":{"approve":{"above":"10"}}`, `"purchase":{"approve":{"first":true}}`, "the limits: purchase approve is above $10.00 at one and first at the other; give both the same"},
		{"approve, and not", `"affinity":0`, `"purchase":{"approve":{"above":"0","first":true}}`, "the limits: purchase approve is not there at one and first, and above $0.00 at the other; give both the same"},
		{"key", `"ledger":{"key":"hunter2hunter2"}`, `"affinity":0`, "its key: give their ledger blocks the same key"},
		{"cooldown", `"failover":{"cooldown":"10s"}`, `"affinity":0`, "the cooldown: failover cooldown is 10s at one and 30s at the other; give both the same"},
		{"other time-outs", `"failover":{"deadline":"10s","retries":0}`, `"affinity":0`, ""},
		{
			"a group's rate", `"member_from":"{http.auth.user.id}","groups":[{"name":"build","members":["a"],"rate":{"requests":5,"per":"1m"}}]`,
			`"member_from":"{http.auth.user.id}","groups":[{"name":"build","members":["a"]}]`,
			"the rate of a group: group build rate is 5 in 1m0s at one and no limit at the other; give both the same",
		},
		{
			"a group and a member of one name", `"member_from":"{http.auth.user.id}","groups":[{"name":"build","members":["a"],"rate":{"requests":5,"per":"1m"}}]`,
			`"member_from":"{http.auth.user.id}","members":[{"name":"build","rate":{"requests":6,"per":"1m"}}]`, "",
		},
		{"zone", `"budgets":{"zone":"Europe/Berlin"}`, `"affinity":0`, "the days of budgets: budgets zone is Europe/Berlin at one and UTC at the other; give both the same"},
		{"week", `"budgets":{"week":"Sunday"}`, `"budgets":{"zone":"UTC"}`, "the weeks of budgets: budgets week is Sunday at one and Monday at the other; give both the same"},
		{"retain", `"ledger":{"retain":"400d"}`, `"affinity":0`, "the time for which entries are kept: ledger retain is 9600h0m0s at one and not there at the other; give both the same"},
		{
			"the same payments", `"payments":[{"method":"mock","limit":"20","of":[{"id":1}]},{"method":"mock","name":"a"}]`,
			`"payments":[{"name":"a","method":"mock"},{"of":[ {"id":1} ],"limit":"20","method":"mock"}]`, "",
		},
		{"other payments", `"payments":[{"method":"mock"},{"method":"mock","name":"a","run":["/a"]}]`, `"payments":[{"method":"mock","name":"b","run":["/b"]}]`, ""},
		{
			"another limit of a payment method", `"payments":[{"method":"mock","limit":"2"}]`, `"payments":[{"method":"mock","limit":"200"}]`,
			"the payment method mock: give both the same payment block, or each a ledger of its own",
		},
		{
			"another program of one name", `"payments":[{"method":"mock","name":"a","run":["/a"]}]`, `"payments":[{"method":"mock","name":"a","run":["/b"]}]`,
			"the payment method a: give both the same payment block, or each a ledger of its own",
		},
		{"week by default", `"budgets":{"week":"monday"}`, `"affinity":0`, ""},
		{
			"a member's rate", `"members":[{"name":"ann","key":"key-of-ann","rate":{"requests":5,"per":"1m"}}]`,
			`"members":[{"name":"ann","key":"another-key","rate":{"requests":50,"per":"1m"}}]`,
			"the rate of a member: member ann rate is 5 in 1m0s at one and 50 in 1m0s at the other; give both the same",
		},
		{
			"a member's rate, and none", `"members":[{"name":"ann","key":"key-of-ann","rate":{"requests":5,"per":"1m"}}]`,
			`"members":[{"name":"ann","key":"key-of-ann"}]`,
			"the rate of a member: member ann rate is 5 in 1m0s at one and no limit at the other; give both the same",
		},
		{
			"other members, models and budgets", `"members":[{"name":"ann","key":"key-of-ann","daily_budget":"1","models":["m"]}]`,
			`"members":[{"name":"bob","key":"key-of-ann","rate":{"requests":1,"per":"1m"}},{"name":"ann","key":"another-key"}]`, "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := resolve(t, with(test.a)), resolve(t, with(test.b))
			got := ""
			if err := a.Agree(b); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got:  %s\nwant: %s", got, test.want)
			}
			if err := b.Agree(a); (err == nil) != (test.want == "") {
				t.Errorf("the other way round: %v", err)
			}
		})
	}
}

func TestDoubtsBeside(t *testing.T) {
	noEnvironment(t)
	const from = `"member_from":"{http.auth.user.id}",`
	for _, test := range []struct{ name, a, b, want string }{
		{"the same", `"members":[{"name":"ann","key":"key-of-ann","daily_budget":"5"}]`, `"members":[{"name":"ann","key":"key-of-ann","daily_budget":"5.00"}]`, ""},
		{"of others", `"members":[{"name":"ann","key":"key-of-ann","daily_budget":"5"}]`, `"members":[{"name":"bob","key":"key-of-bob"}]`, ""},
		{
			"a member's", `"members":[{"name":"ann","key":"key-of-ann","daily_budget":"5","monthly_budget":"20"}]`, `"members":[{"name":"ann","key":"key-of-ann"}]`,
			"member ann: it has daily_budget $5.00, monthly_budget $20.00 here, and no budget at another site with this ledger: what is spent at either counts at both, and each refuses by its own",
		},
		{
			"a group's", from + `"groups":[{"name":"build","members":["ann"],"weekly_budget":"5"}]`, from + `"groups":[{"name":"build","members":["ann"],"weekly_budget":"6"}]`,
			"group build: it has weekly_budget $5.00 here, and weekly_budget $6.00 at another site with this ledger: what is spent at either counts at both, and each refuses by its own",
		},
		{
			"another group", `"members":[{"name":"ann","key":"key-of-ann"}],"groups":[{"name":"build","members":["ann"],"weekly_budget":"5"}]`, `"members":[{"name":"ann","key":"key-of-ann"}]`,
			"member ann: it has no budget in group build here, and no budget at another site with this ledger: what is spent at either counts at both, and each refuses by its own",
		},
	} {
		said := ""
		for _, d := range resolve(t, with(test.a)).DoubtsBeside(resolve(t, with(test.b))) {
			said += d.Word + ": " + d.Hint
		}
		if said != test.want {
			t.Errorf("%s: %q, want %q", test.name, said, test.want)
		}
	}
}
