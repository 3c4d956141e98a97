package doctor

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// littleRoom is when the doctor wants something done: three times as much as remains when the gateway stops (256 MiB), which is
// about 750,000 requests more.
const littleRoom = 1 << 30

// MakeRoom is what to do about a full disk.
const MakeRoom = "Make room: below 256 MiB nothing is bought and no request is sent."

// Disk warns of a disk that fills up. A size of 0 is not known.
func (d *Diagnosis) Disk(dir string, free, size uint64) {
	if size == 0 || free >= littleRoom && free >= size/100*5 {
		return
	}
	what := fmt.Sprintf("Only %s of %s are free on the disk of the ledger %s.", humanize.IBytes(free), humanize.IBytes(size), dir)
	if free < littleRoom {
		d.Wrong(what, MakeRoom)
		return
	}
	d.Note(what, MakeRoom)
}

// Unconfirmed tells of credit that a restored ledger has.
func (d *Diagnosis) Unconfirmed(seller string, left money.Micros) {
	if left > 0 {
		d.Note(fmt.Sprintf("Of what is left at seller %s, %s dollars come from a backup and may have been spent since.", seller, left),
			"It is known as soon as the seller has served a request with them.")
	}
}

// Archives tells why entries could not be moved into files (empty: they could), and what is wrong with such files.
func (d *Diagnosis) Archives(failure string, problems []string) {
	if failure != "" {
		d.Wrong("Entries could not be moved into archive files: "+failure, "See to the disk and the directory of the files. Nothing is lost: it is tried again, "+
			"and the entries are where they were.")
	}
	for _, p := range problems {
		d.Wrong("Entries that were archived can't be read: "+p, "Requests are served meanwhile; statements, exports and verify of that time fail. "+
			"Put the file back from a copy, under the same name, where it was or beside the ledger's directory.")
	}
}
