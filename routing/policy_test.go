package routing

import (
	"cmp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

func TestPolicies(t *testing.T) {
	for _, tc := range []struct {
		name          string
		policy        builtIn
		defaultSeller string
		room          int
		want          string
	}{
		{"default first", DefaultFirst{}, "b", 16, "b z p a c"},
		{"default first, of the pinned", DefaultFirst{}, "p", 16, "p z a b c"},
		{"default first, already first", DefaultFirst{}, "z", 16, "z p a b c"},
		{"default first, none", DefaultFirst{}, "", 16, "z p a b c"},
		{"default first, no candidate", DefaultFirst{}, "far", 16, "z p a b c"},
		{"default first, unknown", DefaultFirst{}, "who", 16, "z p a b c"},
		{"default first, little room", DefaultFirst{}, "c", 3, "c z p"},
		{"default first, room for one", DefaultFirst{}, "c", 1, "c"},
		{"default first, no room", DefaultFirst{}, "c", 0, ""},
		{"manual", &Manual{Seller: "a"}, "b", 16, "a"},
		{"manual, default", &Manual{}, "b", 16, "b"},
		{"manual, nobody", &Manual{}, "", 16, ""},
		{"manual, no candidate", &Manual{Seller: "far"}, "b", 16, ""},
		{"manual, no room", &Manual{Seller: "a"}, "b", 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := indexTable(t)
			table.o.DefaultSeller = cmp.Or(tc.defaultSeller, "nobody")
			table.Update(table.Index().doc)
			x := table.Index()
			q := &Query{Served: "m", Protocol: dialect.Messages}
			kept := x.Candidates("m", dialect.Messages).At(4)
			dst := append(make([]*Candidate, 0, tc.room+1), kept)
			out := tc.policy.order(q, x.Candidates("m", dialect.Messages), dst)
			if out[0] != kept {
				t.Error("what was in dst is gone")
			}
			var got []string
			for _, c := range out[1:] {
				got = append(got, c.Seller.ID)
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if n := len(tc.policy.order(q, nil, dst)); n != 1 {
				t.Errorf("%d candidates out of none", n-1)
			}
		})
	}
}

func TestPolicyCaddyfile(t *testing.T) {
	for input, want := range map[string]string{
		"default_first":           "",
		"default_first x":         `unexpected word "x": expected "default_first" alone`,
		"default_first {\n x\n}":  `unexpected "x"`,
		"manual":                  "",
		"manual acme":             "",
		"manual acme other":       `unexpected word "other": expected "manual [<seller_id>]"`,
		"manual no@id":            `"no@id" is not the id of a seller`,
		"manual acme {\n x y\n}":  `unexpected "x"`,
		"manual {\n seller acme}": `unexpected "seller"`,
	} {
		policy := interface {
			builtIn
			caddyfile.Unmarshaler
		}(new(DefaultFirst))
		if strings.HasPrefix(input, "manual") {
			policy = new(Manual)
		}
		err := policy.UnmarshalCaddyfile(caddyfile.NewTestDispenser(input))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", input, err, want)
		}
		if m, ok := policy.(*Manual); ok && err == nil && m.Seller != strings.TrimSpace(strings.TrimPrefix(input, "manual")) {
			t.Errorf("%q: seller %q", input, m.Seller)
		}
	}
}

func TestPolicyModules(t *testing.T) {
	for id, module := range map[string]caddy.Module{
		"http.tokenbuddy.selection.default_first": DefaultFirst{},
		"http.tokenbuddy.selection.manual":        Manual{},
	} {
		info := module.CaddyModule()
		if string(info.ID) != id {
			t.Errorf("%q, want %q", info.ID, id)
		}
		if _, ok := info.New().(builtIn); !ok {
			t.Errorf("%s makes no policy", id)
		}
	}
	if (&Manual{Seller: "no id"}).Validate() == nil || (&Manual{Seller: "a"}).Validate() != nil || (&Manual{}).Validate() != nil {
		t.Error("validate is wrong")
	}
}
