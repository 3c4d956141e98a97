package ledger

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// The store's keys: a letter and a slash, then what the record is about. Names inside a key are escaped as in accounts.
const (
	accountPrefix    = "a/" // + account
	rollupPrefix     = "r/" // + day/member:model:seller[:group[:project]]
	holdPrefix       = "h/" // + id
	tokenPrefix      = "t/" // + id: what was bought
	balancePrefix    = "b/" // + id of a token: what is left of it
	endedPrefix      = "g/" // + id of a token that is gone: the costs on it that a client's next try takes back
	purchasePrefix   = "p/" // + id
	triedPrefix      = "c/" // + hash: what the seller has settled of a request that may be tried again
	settlementPrefix = "s/" // + seller:origin:settlement id
	spentPrefix      = "d/" // + day
	answersPrefix    = "l/" // + model: how long its answers are
	responsePrefix   = "o/" // + key: who made a response
	pausedPrefix     = "x/" // + seller: it gets no requests
	memberPrefix     = "n/" // + member: what was said of it at run time
	walletPrefix     = "w/" // + payment method: what was put into its wallet
	archivePrefix    = "z/" // + sequence number, 8 bytes big-endian: the file that entries from it on are in
	retractedPrefix  = "v/" // + id of an entry: what it has cost was taken back
	sharedPrefix     = "f/" // + m or g/holder: what was spent, as a fleet is told
	besidePrefix     = "j/" // + sequence number, 8 bytes big-endian: what a fleet keeps beside an entry
	stubPrefix       = "k/" // + sequence number, 8 bytes big-endian: what is left of an entry that is in a file

	metaFormat   = "m/format"   // the format of the store
	metaIdentity = "m/identity" // a random name, made with the ledger
	metaReborn   = "m/reborn"   // how many of its entries another ledger has too, as it was restored with an identity of its own
	metaHead     = "m/head"     // the newest entry: sequence and hash
	metaEpoch    = "m/epoch"    // how often the ledger was opened in a fleet
	metaRestored = "m/restored" // how often it had been when it was restored by what the fleet had
	metaCalendar = "m/calendar" // that budgets have gone by last, in a fleet
	metaShared   = "m/shared"   // what is under f/ knows of all entries up to this one: of all there are where no process has booked that was in no fleet
	metaSeal     = "m/seal"     // a known text, sealed: tells a wrong key
)

// The formats are versions of what is in a store. One that is not known is not opened.
const (
	formatAmong    = 1 // entries stand among the other records
	formatArchived = 2 // as 1, but there may be archive files: what does not know them must not take the ledger for damaged
	formatFirst    = 3 // entries stand before all other records, and there may be archive files
	formatBlocks   = 4 // as 3, but most entries stand in blocks
	formatNewest   = formatBlocks
)

// entryKeys are the keys of a store's entries: what stands before the sequence number, 8 bytes big-endian.
type entryKeys string

const (
	// entriesFirst sort before all other keys. New tables of the store are merged with all older ones that have keys between their first
	// and their last. An entry is newer than all before it, so that these lie outside, and are not written again with all else that changes.
	entriesFirst entryKeys = "\x01/"
	// entriesAmong are those of formats 1 and 2.
	entriesAmong entryKeys = "e/"
)

// entriesIn are the keys of the entries in a store of that format; empty: it is not known.
func entriesIn(format int) entryKeys {
	switch format {
	case formatAmong, formatArchived:
		return entriesAmong
	case formatFirst, formatBlocks:
		return entriesFirst
	}
	return ""
}

// of is the key of an entry that stands by itself.
func (k entryKeys) of(seq uint64) []byte { return store.NumberedKey(string(k), seq) }

// get gives the JSON of an entry; badger.ErrKeyNotFound when there is none.
func (k entryKeys) get(txn *badger.Txn, seq uint64) ([]byte, error) {
	return store.Numbered(txn, string(k), seq)
}

// sequence reads what stands behind the prefix in the key of an entry.
func sequence(rest []byte) (uint64, bool) {
	if len(rest) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(rest), true
}

// rollupKey leaves out what is last and empty.
func rollupKey(day, member, model, seller, group, project string) string {
	parts := []string{member, model, seller, group, project}
	for len(parts) > 3 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return names(rollupPrefix+day+"/", parts...)
}

func settlementKey(seller, origin, id string) string {
	return names(settlementPrefix, seller, origin, id)
}

// names is a prefix with names behind it, joined with colons so that they can be told apart again. Bytes that are not UTF-8 are replaced
// as the JSON of an entry replaces them: what a key says and what its entry says is the same.
func names(prefix string, parts ...string) string {
	var room [128]byte
	all := append(room[:0], prefix...)
	for i, part := range parts {
		if i > 0 {
			all = append(all, ':')
		}
		for _, c := range part {
			switch c {
			case '%':
				all = append(all, "%25"...)
			case ':':
				all = append(all, "%3A"...)
			default:
				all = utf8.AppendRune(all, c)
			}
		}
	}
	return string(all)
}

var unescaper = strings.NewReplacer("%25", "%", "%3A", ":")

func splitNames(s string) []string {
	parts := strings.Split(s, ":")
	for i, p := range parts {
		parts[i] = unescaper.Replace(p)
	}
	return parts
}
