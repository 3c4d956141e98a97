// Package doctor says what is wrong with a gateway, and what to do about it: the command and the page both ask it.
package doctor

// Finding is something that the doctor has found.
type Finding struct {
	Wrong bool   `json:"wrong"` // somebody has to do something; else it is only good to know
	What  string `json:"what"`
	Todo  string `json:"todo"`
}

// Diagnosis is what the doctor says of a gateway, or of its ledger.
type Diagnosis struct {
	OK       bool      `json:"ok"`
	Findings []Finding `json:"findings"`
}

// New is a diagnosis of somebody who is well as far as is known.
func New() *Diagnosis { return &Diagnosis{OK: true, Findings: []Finding{}} }

// Wrong adds something about which somebody has to do something.
func (d *Diagnosis) Wrong(what, todo string) {
	d.OK = false
	d.Findings = append(d.Findings, Finding{true, what, todo})
}

// Note adds something that is good to know.
func (d *Diagnosis) Note(what, todo string) {
	d.Findings = append(d.Findings, Finding{false, what, todo})
}
