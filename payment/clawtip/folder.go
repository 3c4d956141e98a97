package clawtip

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// folder is where the order files of the rail's skills lie: one folder for each indicator, in it one file for each order.
type folder struct {
	path string
}

// note is what we keep beside an order file: whose it is, which link was shown, and which credential did not count.
type note struct {
	PurchaseID string `json:"purchaseId"`
	Link       string `json:"link,omitempty"`
	Stale      string `json:"stale,omitempty"` // hash of a credential that came with a link: it says that nothing was paid
}

const maxFile = 64 << 10

var (
	errForeign = errors.New("the order file is there already, and it is not of this purchase")
	errFolder  = errors.New("the folder of the order files can't be used")
)

func (o order) file() string { return filepath.Join(o.Indicator, o.OrderNo+".json") }
func (o order) note() string { return filepath.Join(o.Indicator, "."+o.OrderNo+".tokenbuddy") }

// open opens the folder, out of which no name and no link in it leads, and that of the indicator. Where one is missing, the error
// is fs.ErrNotExist.
func (f folder) open(indicator string) (*os.Root, error) {
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, missing(err)
	}
	return within(root, indicator)
}

// create is open that makes what is missing.
func (f folder) create(indicator string) (*os.Root, error) {
	if os.MkdirAll(f.path, 0o700) != nil {
		return nil, errFolder
	}
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, missing(err)
	}
	if err := root.Mkdir(indicator, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		_ = root.Close()
		return nil, errFolder
	}
	return within(root, indicator)
}

// within gives the folder again where that of the indicator is one, else closes it.
func within(root *os.Root, indicator string) (*os.Root, error) {
	info, err := root.Lstat(indicator)
	if err == nil && !info.IsDir() {
		err = errFolder // a link, perhaps
	}
	if err != nil {
		_ = root.Close()
		return nil, missing(err)
	}
	return root, nil
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ErrNotExist
	}
	return errFolder
}

// free says whether the order's files can become those of a purchase: nobody else's are there.
func (f folder) free(o order, purchaseID string) error {
	root, err := f.open(o.Indicator)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	n, err := readNote(root, o)
	_, fileErr := root.Lstat(o.file())
	switch {
	case err == nil && n.PurchaseID != purchaseID, errors.Is(err, fs.ErrNotExist) && fileErr == nil:
		return errForeign
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// claim makes the order file that of a purchase, and writes it where it is not there. One that somebody else has put there,
// or that says something else, is errForeign.
func (f folder) claim(o order, purchaseID string, content []byte) (note, error) {
	root, err := f.create(o.Indicator)
	if err != nil {
		return note{}, err
	}
	defer root.Close()
	n, err := readNote(root, o)
	_, fileErr := root.Lstat(o.file())
	switch {
	case errors.Is(err, fs.ErrNotExist) && fileErr == nil:
		return note{}, errForeign
	case errors.Is(err, fs.ErrNotExist):
		n = note{PurchaseID: purchaseID}
		if err := create(root, o.note(), encodeNote(n)); err != nil {
			return note{}, err
		}
	case err != nil:
		return note{}, err
	case n.PurchaseID != purchaseID:
		return note{}, errForeign
	}
	if errors.Is(fileErr, fs.ErrNotExist) {
		return n, create(root, o.file(), content)
	}
	have, err := readFile(root, o.file())
	if err != nil {
		return note{}, err
	}
	if !sameOrder(have, o) {
		return note{}, errForeign
	}
	return n, nil
}

// look reads what the order file and the note say; fs.ErrNotExist where one is missing.
func (f folder) look(o order, purchaseID string) (credential string, n note, err error) {
	root, err := f.open(o.Indicator)
	if err != nil {
		return "", note{}, err
	}
	defer root.Close()
	if n, err = readNote(root, o); err != nil {
		return "", note{}, err
	}
	if n.PurchaseID != purchaseID {
		return "", note{}, errForeign
	}
	data, err := readFile(root, o.file())
	if err != nil {
		return "", n, err
	}
	if !sameOrder(data, o) {
		return "", n, errForeign
	}
	return credentialIn(data), n, nil
}

// mark replaces the note.
func (f folder) mark(o order, n note) error {
	root, err := f.open(o.Indicator)
	if err != nil {
		return err
	}
	defer root.Close()
	temporary := o.note() + ".new"
	if err := write(root, temporary, encodeNote(n)); err != nil {
		return err
	}
	if root.Rename(temporary, o.note()) != nil {
		return errFolder
	}
	return nil
}

// remove takes the order's file away, if it is the purchase's. The note stays: an order is paid once, and a seller that names its number
// again would have it paid for again.
func (f folder) remove(o order, purchaseID string) error {
	root, err := f.open(o.Indicator)
	if err != nil {
		return err
	}
	defer root.Close()
	if n, err := readNote(root, o); err != nil || n.PurchaseID != purchaseID {
		return errForeign
	}
	if err := root.Remove(o.file()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errFolder
	}
	return f.mark(o, note{PurchaseID: purchaseID})
}

func encodeNote(n note) []byte {
	b, _ := json.Marshal(n) // texts always encode
	return b
}

func readNote(root *os.Root, o order) (n note, err error) {
	data, err := readFile(root, o.note())
	if err != nil {
		return note{}, err
	}
	if json.Unmarshal(data, &n) != nil || n.PurchaseID == "" {
		return note{}, errFolder
	}
	return n, nil
}

// create writes a file that is not there yet: whole, or not at all.
func create(root *os.Root, name string, content []byte) error {
	temporary := name + "." + rand.Text()
	if err := write(root, temporary, content); err != nil {
		return err
	}
	defer func() { _ = root.Remove(temporary) }()
	if err := root.Link(temporary, name); err != nil { // unlike a rename it replaces nothing
		if errors.Is(err, fs.ErrExist) {
			return errForeign
		}
		return errFolder
	}
	return nil
}

func write(root *os.Root, name string, content []byte) error {
	_ = root.Remove(name) // left over from a crash
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errFolder
	}
	_, err = file.Write(content)
	if e := file.Sync(); err == nil {
		err = e
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%w: it may be full", errFolder)
	}
	return nil
}

// readFile reads a regular file, and follows no link to one.
func readFile(root *os.Root, name string) ([]byte, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, missing(err)
	}
	if !before.Mode().IsRegular() {
		return nil, errForeign
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, missing(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !os.SameFile(before, info) {
		return nil, errForeign
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil || len(data) > maxFile {
		return nil, errFolder
	}
	return bytes.TrimSpace(data), nil
}
