package member

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Directory finds members. It never changes, so any number of requests may read it at once.
type Directory struct {
	byKey  map[Digest]grant
	byName map[string]*Member
	groups map[string]*Group // by their members' names
	named  map[string]*Group // by their own
	others Limits            // of those who are not in byName
	from   bool              // another module may bring such
	roster *Roster           // of those who are in no config; may be nil
}

// grant is whose a key is, and until when; zero: for ever.
type grant struct {
	member *Member
	until  time.Time
}

// Team is who a Directory is of.
type Team struct {
	Members []Config
	Groups  []GroupConfig
	// Default is what members may do that are found by a name which is not in Members; nil: everything.
	Default *Limits
	// From says that another module brings members, whatever their names.
	From bool
}

// GroupConfig is a group as the configuration has it.
type GroupConfig struct {
	// Name is what the group is called in the ledger, as with a member.
	Name string
	// Members are in it, and in no other.
	Members []string
	Bounds
}

// NewDirectory builds the directory of a team. Two of the same name or with the same key are an error; no error says anything of
// a key.
func NewDirectory(team Team) (*Directory, error) {
	d := &Directory{
		byKey: make(map[Digest]grant, len(team.Members)), byName: make(map[string]*Member, len(team.Members)),
		groups: make(map[string]*Group), named: make(map[string]*Group), others: Limits{Bounds: Unbound}, from: team.From,
	}
	if team.Default != nil {
		d.others = *team.Default
	}
	for _, c := range team.Groups {
		g := &Group{c.Name, c.Bounds}
		d.named[g.Name] = g
		for _, name := range c.Members {
			if other := d.groups[name]; other != nil {
				return nil, fmt.Errorf("member %s: it is in the groups %s and %s", name, other.Name, g.Name)
			}
			d.groups[name] = g
		}
	}
	for _, c := range team.Members {
		if err := CheckName(c.Name); err != nil {
			return nil, err
		}
		if d.byName[c.Name] != nil {
			return nil, fmt.Errorf("member %s: there are two of that name", c.Name)
		}
		for _, glob := range c.Models {
			if err := checkGlob(glob); err != nil {
				return nil, fmt.Errorf("member %s models: %w", c.Name, err)
			}
		}
		m := &Member{Name: c.Name, Limits: c.Limits, Group: d.groups[c.Name]}
		d.byName[c.Name] = m
		for _, key := range c.Keys {
			if err := d.grant(m, key); err != nil {
				return nil, fmt.Errorf("member %s key: %w", c.Name, err)
			}
		}
	}
	return d, nil
}

// grant gives the member a key. Of two ends of one key the later counts.
func (d *Directory) grant(m *Member, key Key) error {
	digest, err := KeyDigest(key.Secret)
	if err != nil {
		return err
	}
	g := grant{m, key.Until}
	if before, ok := d.byKey[digest]; ok {
		if before.member != m {
			return fmt.Errorf("member %s has the same key", before.member.Name)
		}
		if before.until.IsZero() || !g.until.IsZero() && before.until.After(g.until) {
			g.until = before.until
		}
	}
	d.byKey[digest] = g
	return nil
}

// Empty says that there is no member, neither in the config nor added at run time.
func (d *Directory) Empty() bool {
	return len(d.byName) == 0 && (d.roster == nil || len(d.roster.byName) == 0)
}

// Names says whether the config has a member of this name.
func (d *Directory) Names(name string) bool { return d.byName[name] != nil }

// Group finds a group of the config by its name; nil: there is none.
func (d *Directory) Group(name string) *Group { return d.named[name] }

// All gives the members that are in the config or were added at run time, by name, disabled ones too.
func (d *Directory) All() []*Member {
	all := slices.Collect(maps.Values(d.byName))
	if d.roster != nil {
		all = slices.AppendSeq(all, maps.Values(d.roster.byName))
	}
	slices.SortFunc(all, func(a, b *Member) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// ByKey finds the member whose key a request shows, as "Authorization: Bearer <key>" or as "X-Api-Key: <key>". Some clients
// send both, with what they happen to have in one of them: a key that is nobody's is overlooked beside one that is
// somebody's. Keys of two different members are nobody's: it would be a guess who is to pay.
func (d *Directory) ByKey(h http.Header) (*Member, bool) {
	var found *Member
	for _, value := range h["Authorization"] {
		if m := d.lookup(bearer(value)); m != nil {
			if found != nil && found != m {
				return nil, false
			}
			found = m
		}
	}
	for _, value := range h["X-Api-Key"] {
		if m := d.lookup(strings.TrimSpace(value)); m != nil {
			if found != nil && found != m {
				return nil, false
			}
			found = m
		}
	}
	return found, found != nil
}

// ByName finds the member that another module has authenticated under this name. One that is not configured is a member
// all the same, with the team's default limits: that module has let it in, unless it is disabled. No member has a name that CheckName refuses.
func (d *Directory) ByName(name string) (*Member, bool) {
	if m := d.byName[name]; m != nil {
		return m, true
	}
	var raises []Raise
	if d.roster != nil {
		if m := d.roster.byName[name]; m != nil {
			return m, !m.Disabled
		}
		raises = d.roster.raises[name]
	}
	if !validName(name) {
		return nil, false
	}
	return &Member{Name: name, Limits: d.others, Group: d.groups[name], Raises: raises}, true
}

// Knows finds who may ask under a name: one of the config, one that was added at run time, whoever another module may bring, or, where nobody is
// configured, anonymous.
func (d *Directory) Knows(name string) (*Member, bool) {
	switch added := d.roster != nil && d.roster.byName[name] != nil; {
	case d.from, added, d.Names(name):
		return d.ByName(name)
	case name == Anonymous.Name && d.Empty():
		return Anonymous, true
	}
	return nil, false
}

// lookup hashes before it compares. How long the map takes then tells about the hash of what was sent, which nobody can
// steer towards the hash of a key byte by byte, and nothing about the key.
func (d *Directory) lookup(key string) *Member {
	if key == "" {
		return nil
	}
	var stack [128]byte // longer than most keys, so that they need no memory of their own
	digest := sha256.Sum256(append(stack[:0], key...))
	g := d.byKey[digest]
	if g.member == nil && d.roster != nil {
		g = d.roster.byKey[digest]
	}
	if !g.until.IsZero() && !time.Now().Before(g.until) {
		return nil
	}
	return g.member
}

// bearer gives the key in the value of an Authorization header; empty: there is none.
func bearer(value string) string {
	scheme, key, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

// Digest is the SHA-256 of a key. Keys themselves are not kept.
type Digest [sha256.Size]byte

const digestPrefix = "sha256:"

var (
	errDigest = errors.New("expected sha256: and the 64 hexadecimal digits of the key's SHA-256")
	errKey    = errors.New("it is empty, or holds a space or control character, which no client could send")
)

// KeyDigest reads a key as the configuration has it: the key itself, or "sha256:" and the hexadecimal digits of its hash.
// Its errors do not repeat the key.
func KeyDigest(key string) (Digest, error) {
	if digits, ok := strings.CutPrefix(key, digestPrefix); ok {
		var digest Digest
		if len(digits) != hex.EncodedLen(len(digest)) {
			return digest, errDigest
		}
		if _, err := hex.Decode(digest[:], []byte(digits)); err != nil {
			return digest, errDigest
		}
		return digest, nil
	}
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Digest{}, errKey
	}
	return sha256.Sum256([]byte(key)), nil
}
