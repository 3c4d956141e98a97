package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
)

// defaultReadFirst is how many bytes of entries and settlements are read before the store opens: about a tenth of a second's
// work. What is beyond it is read in the background (ReadRest).
const defaultReadFirst = 64 << 20

// inspect looks at the files of a store that nobody has open, before Badger does, which trusts them: without its
// MANIFEST it takes a store for a new one and deletes the tables, a table whose end is rotten ends the process, and a
// rotten block looks as if its records had never been. What is still to be looked at is left in s.unread.
func (s *Store) inspect(o Options) error {
	dir, readFirst := o.Dir, o.ReadFirst
	files, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	}
	tables, err := manifest(dir, files)
	if err != nil {
		return err
	}
	s.crashed = !closed(files, tables)
	s.unread = nil
	for _, t := range tables {
		first, last, err := t.ends(dir)
		if err == nil && bulk(o.Bulk, first, last) {
			readFirst -= size(t.path(dir))
			if readFirst < 0 {
				s.unread = append(s.unread, t)
				continue
			}
		}
		if err == nil {
			err = t.verify(dir)
		}
		if err != nil {
			return Damaged("%v", err)
		}
	}
	return nil
}

// ReadRest reads the tables that Open has left unread, and is called back after each with how long it has worked, to rest; an error
// of that ends it and is given back. A table that the store has compacted away meanwhile can't be told from a rotten one: then the
// records have to be verified.
func (s *Store) ReadRest(rest func(worked time.Duration) error) (compacted bool, err error) {
	for _, t := range s.unread {
		began := time.Now()
		err := t.verify(s.dir)
		gone := !slices.ContainsFunc(s.Tables(), func(there badger.TableInfo) bool { return there.ID == t.id })
		if compacted = compacted || gone; err != nil && !gone {
			return compacted, Damaged("%v", err)
		}
		if err := rest(time.Since(began)); err != nil {
			return compacted, err
		}
	}
	return compacted, nil
}

// closed tells whether the files are those of a store that was closed: no log, and the tables of the MANIFEST alone.
func closed(files []os.DirEntry, tables []storedTable) bool {
	return !slices.ContainsFunc(files, func(f os.DirEntry) bool {
		id, table := table.ParseFileID(f.Name())
		named := slices.ContainsFunc(tables, func(t storedTable) bool { return t.id == id })
		return filepath.Ext(f.Name()) == ".mem" || table && !named
	})
}

// storedTable is a table of the store, as its MANIFEST has it.
type storedTable struct {
	id          uint64
	compression options.CompressionType // None for those that older versions have written
}

func (t storedTable) path(dir string) string { return table.NewFilename(t.id, dir) }

// filesWith gives the paths of the files in a directory that have an extension. (For filepath.Glob the directory's own name would be a
// pattern as well.)
func filesWith(dir, ext string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, f := range files {
		if filepath.Ext(f.Name()) == ext {
			paths = append(paths, filepath.Join(dir, f.Name()))
		}
	}
	return paths, nil
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// manifest gives the tables that the store consists of, in order.
func manifest(dir string, files []os.DirEntry) ([]storedTable, error) {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		for _, file := range files { // Badger writes the MANIFEST before any of these
			if ext := filepath.Ext(file.Name()); ext == ".sst" || ext == ".mem" || ext == ".vlog" {
				return nil, Damaged("its file MANIFEST is missing, and %s is there", file.Name())
			}
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir))
	if err != nil {
		return nil, Damaged("its file MANIFEST can't be read: %v", err)
	}
	tables := make([]storedTable, 0, len(m.Tables))
	for _, id := range slices.Sorted(maps.Keys(m.Tables)) {
		tables = append(tables, storedTable{id, m.Tables[id].Compression})
	}
	return tables, nil
}

// bulk tells whether all keys from the first to the last have one of the prefixes.
func bulk(prefixes []string, first, last string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool {
		return strings.HasPrefix(first, p) && strings.HasPrefix(last, p)
	})
}

// ends are the first and the last key of a table. Only its end is read.
func (t storedTable) ends(dir string) (first, last string, err error) {
	err = t.read(dir, func(opened *table.Table) error {
		first, last = string(opened.Smallest()), string(opened.Biggest())
		return nil
	})
	return first, last, err
}

// verify reads all of a table.
func (t storedTable) verify(dir string) error { return t.read(dir, (*table.Table).VerifyChecksum) }

// read opens a table, and has it looked at.
func (t storedTable) read(dir string, look func(*table.Table) error) (err error) {
	path := t.path(dir)
	// Badger's code for tables panics on what it does not expect, and reads a mapped file: where the disk fails, or the
	// file was cut off, that is a fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("its file %s is rotten or cut off", filepath.Base(path))
		}
	}()
	file, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close(-1) }() // as long as it is; it was only read
	opened, err := table.OpenTable(file, table.Options{
		ChkMode: options.OnBlockRead, Compression: t.compression, BlockSize: badger.DefaultOptions(dir).BlockSize,
	})
	if err != nil {
		return err
	}
	return look(opened)
}
