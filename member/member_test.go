package member

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func directory(t testing.TB, members ...Config) *Directory {
	t.Helper()
	d, err := NewDirectory(Team{Members: members})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func hashed(key string) string {
	digest := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(digest[:])
}

func TestByKey(t *testing.T) {
	d := directory(t,
		Config{Name: "alice", Keys: []Key{{Secret: "key-a"}}},
		Config{Name: "bob", Keys: []Key{{Secret: strings.ToUpper(hashed("key-b")[7:])}}}, // a plain key that looks like a hash
		Config{Name: "carol", Keys: []Key{{Secret: hashed("key-c")}}},
		Config{Name: "dave"},
		Config{Name: "erin", Keys: []Key{{Secret: hashed("")}}}, // which is no key
	)
	type header = http.Header
	for _, test := range []struct {
		name   string
		header header
		want   string
	}{
		{"nothing", header{}, ""},
		{"bearer", header{"Authorization": {"Bearer key-a"}}, "alice"},
		{"scheme in any case", header{"Authorization": {"bEARER key-a"}}, "alice"},
		{"more blanks", header{"Authorization": {"Bearer   key-a "}}, "alice"},
		{"other scheme", header{"Authorization": {"Basic key-a"}}, ""},
		{"no scheme", header{"Authorization": {"key-a"}}, ""},
		{"empty bearer", header{"Authorization": {"Bearer "}}, ""},
		{"scheme alone", header{"Authorization": {"Bearer"}}, ""},
		{"x-api-key", header{"X-Api-Key": {"key-a"}}, "alice"},
		{"empty x-api-key", header{"X-Api-Key": {""}}, ""},
		{"key in another case", header{"X-Api-Key": {"KEY-A"}}, ""},
		{"hash of the key instead of the key", header{"X-Api-Key": {hashed("key-a")}}, ""},
		{"configured as a hash", header{"X-Api-Key": {"key-c"}}, "carol"},
		{"hash where that is configured", header{"X-Api-Key": {hashed("key-c")}}, ""},
		{"looks like a hash without its prefix", header{"X-Api-Key": {strings.ToUpper(hashed("key-b")[7:])}}, "bob"},
		{"both the same", header{"Authorization": {"Bearer key-a"}, "X-Api-Key": {"key-a"}}, "alice"},
		{"both of one member, one unknown", header{"Authorization": {"Bearer key-a"}, "X-Api-Key": {"sk-other"}}, "alice"},
		{"the other one unknown", header{"Authorization": {"Bearer sk-other"}, "X-Api-Key": {"key-a"}}, "alice"},
		{"one after another that is unknown", header{"Authorization": {"Bearer key-a", "Basic x", "Bearer sk-other"}}, "alice"},
		{"the same twice", header{"Authorization": {"Bearer key-a", "Bearer key-a"}}, "alice"},
		{"two members", header{"Authorization": {"Bearer key-a"}, "X-Api-Key": {"key-c"}}, ""},
		{"two members in one header", header{"Authorization": {"Bearer key-a", "Bearer key-c"}}, ""},
		{"two members in the other", header{"X-Api-Key": {"key-a", "key-c"}}, ""},
		{"both unknown", header{"Authorization": {"Bearer x"}, "X-Api-Key": {"y"}}, ""},
	} {
		m, ok := d.ByKey(test.header)
		if ok != (test.want != "") || ok && m.Name != test.want {
			t.Errorf("%s: got %v %v, want %q", test.name, m, ok, test.want)
		}
	}
}

// A key ends at its time, and of two ends of one key the later counts.
func TestKeysEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		d := directory(t, Config{Name: "alice", Keys: []Key{
			{Secret: "key-new"},
			{Secret: "key-old", Until: now.Add(time.Hour)},
			{Secret: "key-over", Until: now.Add(-time.Hour)},
			{Secret: "key-twice", Until: now.Add(time.Hour)},
			{Secret: hashed("key-twice"), Until: now.Add(2 * time.Hour)},
			{Secret: "key-again", Until: now.Add(2 * time.Hour)},
			{Secret: hashed("key-again"), Until: now.Add(time.Hour)},
			{Secret: "key-ever", Until: now.Add(-time.Hour)},
			{Secret: "key-ever"},
			{Secret: "key-first"},
			{Secret: hashed("key-first"), Until: now.Add(time.Hour)},
		}})
		good := func(want string) {
			t.Helper()
			got := ""
			for _, key := range []string{"new", "old", "over", "twice", "again", "ever", "first"} {
				if _, ok := d.ByKey(http.Header{"X-Api-Key": {"key-" + key}}); ok {
					got += key + " "
				}
			}
			if got != want {
				t.Errorf("good are %q, want %q", got, want)
			}
		}
		good("new old twice again ever first ")
		time.Sleep(time.Hour)
		good("new twice again ever first ")
		time.Sleep(time.Hour)
		good("new ever first ")
	})
}

func TestByName(t *testing.T) {
	d := directory(t, Config{Name: "alice", Limits: Limits{Models: []string{"gpt-5"}}})
	for _, test := range []struct {
		name       string
		found, any bool // any: may use a model that alice may not
	}{
		{"alice", true, false},
		{"bob", true, true},
		{"bob@example.com", true, true},
		{"", false, false},
		{"two words", false, false},
		{"line\nbreak", false, false},
		{"\xff", false, false},
		{strings.Repeat("é", 64), true, true},
		{strings.Repeat("é", 65), false, false},
	} {
		m, ok := d.ByName(test.name)
		if ok != test.found || ok && (m.Name != test.name || m.Allows("other") != test.any) {
			t.Errorf("%q: got %v %v", test.name, m, ok)
		}
		if test.any && m.Bounds != Unbound {
			t.Errorf("%q may spend %+v", test.name, m.Bounds)
		}
	}
	for _, test := range []struct {
		of    Team
		name  string
		known bool
	}{
		{Team{}, "anonymous", true},
		{Team{}, "bob", false},
		{Team{Members: []Config{{Name: "alice"}}}, "alice", true},
		{Team{Members: []Config{{Name: "alice"}}}, "bob", false},
		{Team{Members: []Config{{Name: "alice"}}}, "anonymous", false},
		{Team{From: true}, "bob", true},
		{Team{From: true}, "two words", false},
	} {
		d, err := NewDirectory(test.of)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := d.Knows(test.name); ok != test.known || ok && m.Name != test.name {
			t.Errorf("%s of %+v: %v %v", test.name, test.of, m, ok)
		}
	}
	if d.Empty() || !directory(t).Empty() {
		t.Error("Empty says the wrong thing")
	}
}

// TestGroups: a member has its group, also one that another module brings, who has the team's default limits.
func TestGroups(t *testing.T) {
	few := Limits{Bounds: Bounds{DailyBudget: 5, WeeklyBudget: -1, MonthlyBudget: -1}, Models: []string{"gpt-*"}}
	team := Team{
		Members: []Config{{Name: "alice", Limits: Limits{Bounds: Unbound}}, {Name: "bob", Limits: Limits{Bounds: Unbound}}},
		Groups:  []GroupConfig{{Name: "build", Members: []string{"alice", "carol"}, Bounds: Bounds{DailyBudget: 20}}},
		Default: &few,
	}
	d, err := NewDirectory(team)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, group string
		byDefault   bool
	}{{"alice", "build", false}, {"bob", "", false}, {"carol", "build", true}, {"dave", "", true}} {
		m, ok := d.ByName(test.name)
		if !ok || (m.Group != nil) != (test.group != "") || m.Group != nil && (m.Group.Name != test.group || m.Group.DailyBudget != 20) {
			t.Errorf("%s: %+v", test.name, m)
		}
		if (m.DailyBudget == 5) != test.byDefault || m.Allows("opus") == test.byDefault {
			t.Errorf("%s: %+v", test.name, m)
		}
	}
	team.Groups = append(team.Groups, GroupConfig{Name: "ops", Members: []string{"alice"}})
	if _, err := NewDirectory(team); err == nil || err.Error() != "member alice: it is in the groups build and ops" {
		t.Error(err)
	}
}

func TestNewDirectoryRefuses(t *testing.T) {
	for _, test := range []struct {
		members []Config
		want    string
	}{
		{[]Config{{Name: ""}}, `"" is not a member's name: expected 1 to 64 printable characters without spaces`},
		{[]Config{{Name: "a"}, {Name: "a"}}, "member a: there are two of that name"},
		{[]Config{{Name: "a", Keys: []Key{{Secret: "hunter"}}}, {Name: "b", Keys: []Key{{Secret: "hunter"}}}}, "member b key: member a has the same key"},
		{[]Config{{Name: "a", Keys: []Key{{Secret: "hunter"}}}, {Name: "b", Keys: []Key{{Secret: hashed("hunter")}}}}, "member b key: member a has the same key"},
		{[]Config{{Name: "a", Keys: []Key{{Secret: "sha256:hunter"}}}}, "member a key: expected sha256: and the 64 hexadecimal digits of the key's SHA-256"},
		{[]Config{{Name: "a", Keys: []Key{{Secret: "sha256:" + strings.Repeat("g", 64)}}}}, "member a key: expected sha256: and the 64 hexadecimal digits of the key's SHA-256"},
		{[]Config{{Name: "a", Keys: []Key{{Secret: hashed("x")[:7+62]}}}}, "member a key: expected sha256: and the 64 hexadecimal digits of the key's SHA-256"},
		{[]Config{{Name: "a", Keys: []Key{{Secret: hashed("x") + "00"}}}}, "member a key: expected sha256: and the 64 hexadecimal digits of the key's SHA-256"},
		{[]Config{{Name: "a", Keys: []Key{{}}}}, "member a key: it is empty, or holds a space or control character, which no client could send"},
		{[]Config{{Name: "a", Keys: []Key{{Secret: "hunter\x7f"}}}}, "member a key: it is empty, or holds a space or control character, which no client could send"},
		{[]Config{{Name: "a", Limits: Limits{Models: []string{""}}}}, `member a models: "" is not a glob of models: expected 1 to 256 bytes of text, such as gpt-5, openai/* or *`},
		{
			[]Config{{Name: "a", Limits: Limits{Models: []string{strings.Repeat("x", 256), strings.Repeat("y", 257)}}}},
			`member a models: "` + strings.Repeat("y", 257) + `" is not a glob of models: expected 1 to 256 bytes of text, such as gpt-5, openai/* or *`,
		},
		{[]Config{{Name: "a", Keys: []Key{{Secret: "hunter two"}}}}, "member a key: it is empty, or holds a space or control character, which no client could send"},
		{[]Config{{Name: "a", Limits: Limits{Models: []string{"x", "\n"}}}}, `member a models: "\n" is not a glob of models: expected 1 to 256 bytes of text, such as gpt-5, openai/* or *`},
	} {
		_, err := NewDirectory(Team{Members: test.members})
		if err == nil || err.Error() != test.want {
			t.Errorf("%v\ngot:  %v\nwant: %s", test.members, err, test.want)
		}
	}
}

func TestAllows(t *testing.T) {
	for _, test := range []struct {
		globs []string
		model string
		want  bool
	}{
		{nil, "anything", true},
		{[]string{"gpt-5"}, "gpt-5", true},
		{[]string{"gpt-5"}, "gpt-5-mini", false},
		{[]string{"gpt-5"}, "openai/gpt-5", false},
		{[]string{"gpt-5"}, "GPT-5", false},
		{[]string{"*"}, "openai/gpt-5", true},
		{[]string{"*"}, "", true},
		{[]string{"openai/*"}, "openai/gpt-5/fast", true},
		{[]string{"openai/*"}, "anthropic/opus", false},
		{[]string{"*/gpt-5"}, "a/b/gpt-5", true},
		{[]string{"*mini*"}, "gpt-5-mini", true},
		{[]string{"a*b*c"}, "abcbc", true},
		{[]string{"a*b*c"}, "abcb", false},
		{[]string{"gpt-?"}, "gpt-5", true},
		{[]string{"gpt-?"}, "gpt-", false},
		{[]string{"gpt-?"}, "gpt-é", true},
		{[]string{"opus[1m]"}, "opus[1m]", true},
		{[]string{"opus[1m]"}, "opus1", false},
		{[]string{"a", "b*"}, "bc", true},
	} {
		if got := (&Member{Limits: Limits{Models: test.globs}}).Allows(test.model); got != test.want {
			t.Errorf("%q allows %q: %v, want %v", test.globs, test.model, got, test.want)
		}
	}
	if !Anonymous.Allows("any/model") {
		t.Error("anonymous may use every model")
	}
}

// FuzzMatch compares with the same glob as a regular expression, which takes a path of its own to the answer.
func FuzzMatch(f *testing.F) {
	f.Add("openai/*", "openai/gpt-5")
	f.Add("a*b?c*", "axxbyc")
	f.Add("**?*", "é")
	f.Add("*a*a*a*a*b", strings.Repeat("a", 200))
	f.Add("[x]\\*", "[x]\\y")
	f.Fuzz(func(t *testing.T, glob, id string) {
		if checkGlob(glob) != nil || id != strings.ToValidUTF8(id, "") || strings.ToValidUTF8(glob, "") != glob {
			return
		}
		pattern := regexp.QuoteMeta(glob)
		pattern = strings.ReplaceAll(pattern, `\*`, `.*`)
		pattern = strings.ReplaceAll(pattern, `\?`, `.`)
		want := regexp.MustCompile(`(?s)\A(?:` + pattern + `)\z`).MatchString(id)
		if got := match(glob, id); got != want {
			t.Errorf("match(%q, %q) = %v, want %v", glob, id, got, want)
		}
	})
}

func BenchmarkByKey(b *testing.B) {
	d := directory(b, Config{Name: "alice", Keys: []Key{{Secret: "sk-team-0123456789abcdef0123456789abcdef"}}}, Config{Name: "bob", Keys: []Key{{Secret: "sk-other"}}})
	h := http.Header{"Authorization": {"Bearer sk-team-0123456789abcdef0123456789abcdef"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := d.ByKey(h); !ok {
			b.Fatal("not found")
		}
	}
}
