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

// wrongError marks what an edit says of an order that is wrong, on its way through the ledger or the store: these may call it when nobody waits for
// them any more.
type wrongError struct{ error }

// wrong marks an error of an edit; of none it makes none.
func wrong(err error) error {
	if err == nil {
		return nil
	}
	return &wrongError{err}
}

// told gives an edit's own error as it was; any other is one of an order that can't be kept.
func told(err error) error {
	if own, ok := errors.AsType[*wrongError](err); ok {
		return own.error
	}
	return unkept(err)
}
