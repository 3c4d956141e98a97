package routing

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Document is a registry's document, parsed and checked. It never changes.
type Document struct {
	Version       string
	DefaultSeller string    // empty: none named. It need not be among Sellers
	Sellers       []*Seller // in the registry's order
	LeftOut       int       // entries that are not among Sellers because of a fault

	position map[string]int32 // of a seller's id in Sellers
}

// Seller gives the seller with the id, nil when there is none.
func (d *Document) Seller(id string) *Seller {
	if d == nil {
		return nil
	}
	if i, ok := d.position[id]; ok {
		return d.Sellers[i]
	}
	return nil
}

// Fault says why an entry of the document was left out.
type Fault struct {
	ID     string // the entry's id, or its place ("sellers[3]") when the id can't be shown
	Reason string // never quotes the document
}

// maxFaults bounds the list of faults; Document.LeftOut counts them all.
const maxFaults = 100

// ParseDocument reads a registry's document. A document that is not JSON, or not an object with a list of sellers, is
// refused whole. Otherwise each entry is taken or left out by itself: one with a fault of its own, or with the id of an
// entry before it, be that one taken or left out, is left out and counted, and the first hundred of them are told as faults.
//
// A model that can't be read (no id, an id or alias that is empty, over 256 bytes or not text, a price that is no whole
// number of micros from 0 to money.Max, one id at two prices), or more names than are kept, leaves the whole entry out: a seller is not to be traded with
// whose prices are guesswork. Protocols that are not known are ignored, unless none is left. A member that is null or
// an empty list is one that is missing.
func ParseDocument(body []byte) (*Document, []Fault, error) {
	// Not gjson's check: it recurses, and a deeply nested document would overflow the stack, which ends the process. What gjson
	// reads of a document that turns out not to be JSON is thrown away.
	valid := make(chan bool, 1)
	go func() { valid <- json.Valid(body) }()
	doc, faults, err := readDocument(gjson.ParseBytes(body))
	if !<-valid {
		return nil, nil, errors.New("the registry document is not JSON")
	}
	return doc, faults, err
}

func readDocument(root gjson.Result) (*Document, []Fault, error) {
	if !root.IsObject() {
		return nil, nil, errors.New("the registry document is not a JSON object")
	}
	var sellers gjson.Result
	var defaultSeller twin
	p := parser{
		doc:    &Document{position: make(map[string]int32)},
		models: make(map[string]*modelName), prices: make(map[money.Price]*money.Price),
		methods: make(map[string][]string), aliases: make(map[string][]string), faulty: make(map[string]bool),
	}
	root.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "version":
			if value.Type == gjson.String && len(value.Str) <= wire.MaxModelID && wire.FitText(value.Str) {
				p.doc.Version = strings.Clone(value.Str)
			}
		case "defaultSeller":
			defaultSeller.set(value, true)
		case "default_seller":
			defaultSeller.set(value, false)
		case "sellers":
			sellers = value
		}
		return true
	})
	if !sellers.IsArray() {
		return nil, nil, errors.New(`the registry document has no list "sellers"`)
	}
	if v := defaultSeller.value; v.Type == gjson.String && ValidSellerID(v.Str) {
		p.doc.DefaultSeller = strings.Clone(v.Str)
	}
	sellers.ForEach(func(_, value gjson.Result) bool {
		p.entry(value)
		return true
	})
	return p.doc, p.faults, nil
}

// parser holds what the entries of one document share. The document's text must not outlive the parsing, so every string
// that is kept is a copy, and what many sellers name (models, prices, payment methods) is kept once.
type parser struct {
	doc     *Document
	faults  []Fault
	count   int // entries seen
	models  map[string]*modelName
	prices  map[money.Price]*money.Price
	methods map[string][]string // by the list as it is written
	aliases map[string][]string // the same
	offered []Model             // of the entry at hand; used again for the next
	faulty  map[string]bool     // ids of entries that were left out

	offers                 int // models of the entries that were taken
	nameBytes              int // of models and aliases, each once
	entryNames, entryBytes int // of the entry at hand
}

type modelName struct {
	text  string
	entry int  // the entry that named it last,
	at    int  // and where in its models
	owned bool // there its list of aliases is that model's alone
}

// entry reads one seller, and takes it or leaves it out.
func (p *parser) entry(value gjson.Result) {
	p.count++
	p.entryNames, p.entryBytes = 0, 0
	s, id, err := p.seller(value)
	if err == nil {
		p.doc.position[s.ID] = int32(len(p.doc.Sellers))
		p.doc.Sellers = append(p.doc.Sellers, s)
		return
	}
	p.doc.LeftOut++
	if ValidSellerID(id) {
		p.faulty[strings.Clone(id)] = true
	}
	if len(p.faults) == maxFaults {
		return
	}
	if id == "" || len(id) > maxSellerID || !wire.FitText(id) {
		id = "sellers[" + strconv.Itoa(p.count-1) + "]"
	}
	p.faults = append(p.faults, Fault{ID: strings.Clone(id), Reason: err.Error()})
}

func (p *parser) seller(value gjson.Result) (s *Seller, id string, err error) {
	if !value.IsObject() {
		return nil, "", errors.New("the entry is not an object")
	}
	var rawID, name, rawURL, protocols, models gjson.Result
	var methods twin
	value.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "id":
			rawID = v
		case "name":
			name = v
		case "url":
			rawURL = v
		case "protocols":
			protocols = v
		case "paymentMethods":
			methods.set(v, true)
		case "payment_methods":
			methods.set(v, false)
		case "models":
			models = v
		}
		return true
	})
	if rawID.Type != gjson.String || rawID.Str == "" {
		return nil, "", errors.New("the entry has no id")
	}
	id = rawID.Str
	if !ValidSellerID(id) {
		return nil, id, errors.New(badID)
	}
	if _, taken := p.doc.position[id]; taken {
		return nil, id, errors.New("the id is repeated; the first entry with it stays")
	}
	if p.faulty[id] {
		return nil, id, errors.New("the id is repeated; the first entry with it has a fault, and this one does not take its place")
	}
	if rawURL.Type != gjson.String || rawURL.Str == "" {
		return nil, id, errors.New("the entry has no url")
	}
	s = &Seller{ID: strings.Clone(id)}
	base, query := CutQuery(rawURL.Str)
	s.Query = strings.Clone(query)
	if s.BaseURL, s.Origin, err = wire.ParseURL(base); err != nil {
		return nil, id, err
	}
	if len(name.Str) <= wire.MaxModelID && wire.FitText(name.Str) {
		s.Name = strings.Clone(name.Str)
	}
	if s.Protocols, err = protocolSet(protocols); err != nil {
		return nil, id, err
	}
	if s.Methods, err = p.methodList(methods.value); err != nil {
		return nil, id, err
	}
	if s.Models, err = p.modelList(models); err != nil {
		return nil, id, err
	}
	return s, id, nil
}

// twin takes a member that may stand under two names. The camelCase one wins, wherever it stands.
type twin struct {
	value gjson.Result
	camel bool
}

func (t *twin) set(value gjson.Result, camel bool) {
	if value.Type != gjson.Null && (camel || !t.camel) {
		t.value, t.camel = value, camel
	}
}

// eachItem reads a list, which is empty when the member is missing or null, up to the first item that is refused.
func eachItem(value gjson.Result, member string, read func(item gjson.Result) error) (err error) {
	switch {
	case value.Type == gjson.Null:
		return nil
	case !value.IsArray():
		return fmt.Errorf("%s is not a list", member)
	}
	value.ForEach(func(_, item gjson.Result) bool {
		err = read(item)
		return err == nil
	})
	return err
}

func protocolSet(value gjson.Result) (ProtocolSet, error) {
	var set ProtocolSet
	named := false
	err := eachItem(value, "protocols", func(item gjson.Result) error {
		named = true
		set |= Protocols(dialect.Protocol(item.Str))
		return nil
	})
	switch {
	case err != nil || !named:
		return AllProtocols, err
	case set == 0:
		return 0, errors.New("none of the protocols is known")
	}
	return set, nil
}

// methodList reads the payment methods. Their names have the syntax of a seller's id; which of them can be paid is for the
// index to say.
func (p *parser) methodList(value gjson.Result) ([]string, error) {
	if known, ok := p.methods[value.Raw]; ok {
		return known, nil
	}
	var methods []string
	named := false
	err := eachItem(value, "paymentMethods", func(item gjson.Result) error {
		named = true
		if item.Type == gjson.String && ValidSellerID(item.Str) {
			methods = append(methods, strings.Clone(item.Str))
		}
		return nil
	})
	switch {
	case err != nil || !named:
		return mockOnly, err
	case len(methods) == 0:
		return nil, errors.New("paymentMethods names no method")
	}
	p.methods[strings.Clone(value.Raw)] = methods
	return methods, nil
}
