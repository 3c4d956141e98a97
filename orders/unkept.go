package orders

import "errors"

// ErrUnkept is in the error of an order that is in order itself: the disk, the ledger or the fleet's store could not keep it, or what is kept can't be
// read. Who gave it can put nothing right in it.
var ErrUnkept = errors.New("it could not be kept")

// unkept has an error be ErrUnkept as well; of none it makes none.
func unkept(err error) error {
	if err == nil {
		return nil
	}
	return &unkeptError{err}
}

type unkeptError struct{ error }

func (e *unkeptError) Unwrap() []error { return []error{e.error, ErrUnkept} }
