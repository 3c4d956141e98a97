package ledger

import "github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"

// directWeight is what a record takes beside its key and value, generously.
const directWeight = 128

// direct writes records outside of any batch, in as many transactions as they need, in order.
type direct struct {
	ledger         *Ledger
	txn            *store.Batch
	records, bytes int
	err            error
}

// write is called at the start, or by the committer between two batches. What it has written is durable with the next sync.
func (l *Ledger) write(f func(*direct)) error {
	d := &direct{ledger: l}
	f(d)
	d.commit()
	return d.err
}

func (d *direct) set(key string, value []byte) {
	d.change(key, len(value), func() { d.txn.Set([]byte(key), value) })
}

func (d *direct) delete(key string) {
	d.change(key, 0, func() { d.txn.Delete([]byte(key)) })
}

func (d *direct) change(key string, bytes int, do func()) {
	if d.err != nil {
		return
	}
	if d.txn == nil {
		d.txn = d.ledger.db.Begin()
	}
	do()
	d.records, d.bytes = d.records+1, d.bytes+len(key)+bytes
	if d.bytes+d.records*directWeight >= batchWeight {
		d.commit()
	}
}

func (d *direct) commit() {
	if d.txn == nil {
		return
	}
	defer d.txn.Discard()
	if d.err == nil {
		d.err = d.txn.Commit()
	}
	d.txn, d.records, d.bytes = nil, 0, 0
}

func (d *direct) note(err error) {
	if d.err == nil {
		d.err = err
	}
}
