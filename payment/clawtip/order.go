package clawtip

import (
	"crypto/md5" //nolint:gosec // the rail names folders so; nothing rests on it
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// fen is a hundredth of a yuan.
type fen int64

// maxFen is the largest amount that is read: ten million yuan.
const maxFen fen = 1_000_000_000

func (f fen) String() string { return fmt.Sprintf("%d.%02d", f/100, f%100) }

// order is what a seller wants paid, checked: all of it goes into a file's name or a program's arguments.
type order struct {
	OrderNo       string `json:"orderNo"`
	Amount        fen    `json:"amount"`
	PayTo         string `json:"payTo"`
	EncryptedData string `json:"encryptedData"` // sealed for the rail: nobody here can read it
	Indicator     string `json:"indicator"`
	Slug          string `json:"slug"`
}

var (
	validOrderNo   = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,31}$`)
	validIndicator = regexp.MustCompile(`^[0-9a-f]{32}$`)
	validSlug      = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)
	validPayTo     = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_+/=.-]{0,127}$`)
)

const maxEncrypted = 4 << 10

// readOrder reads an order's payment. No error quotes it.
func readOrder(payment json.RawMessage) (o order, err error) {
	var p struct {
		OrderNo       string          `json:"orderNo"`
		Amount        json.RawMessage `json:"amount"`
		PayTo         string          `json:"payTo"`
		EncryptedData string          `json:"encryptedData"`
		Indicator     string          `json:"indicator"`
		Slug          string          `json:"slug"`
	}
	if wire.Decode(payment, &p) != nil {
		return order{}, errors.New("the seller's payment is not a clawtip order")
	}
	amount, ok := readFen(p.Amount)
	sum := md5.Sum([]byte(p.Slug)) //nolint:gosec // see above
	data, dataErr := base64.StdEncoding.DecodeString(p.EncryptedData)
	switch {
	case !validOrderNo.MatchString(p.OrderNo):
		return order{}, errors.New("the seller's order number is not 1 to 32 letters, digits, '_' and '-'")
	case !ok:
		return order{}, errors.New("the seller's amount is not a whole number of fen")
	case !validPayTo.MatchString(p.PayTo):
		return order{}, errors.New("the seller's pay_to is not an account")
	case !validSlug.MatchString(p.Slug):
		return order{}, errors.New("the seller's slug is not 1 to 64 letters, digits, '.', '_' and '-'")
	case !validIndicator.MatchString(p.Indicator) || p.Indicator != hex.EncodeToString(sum[:]):
		return order{}, errors.New("the seller's indicator is not the MD5 of its slug")
	case dataErr != nil || len(data) == 0 || len(p.EncryptedData) > maxEncrypted:
		return order{}, errors.New("the seller's encrypted_data is not base64 of at most 4 KiB")
	}
	return order{p.OrderNo, amount, p.PayTo, p.EncryptedData, p.Indicator, p.Slug}, nil
}

// readFen reads a whole number, as a number or as a text.
func readFen(raw json.RawMessage) (fen, bool) {
	s := string(raw)
	if len(s) > 1 && s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || fen(n) > maxFen || strconv.FormatInt(n, 10) != s {
		return 0, false
	}
	return fen(n), true
}

// rate is what a dollar may cost.
type rate struct {
	micros    int64 // millionths of a yuan for a dollar
	tolerance int64 // millionths by which it may be worse
}

const million = 1_000_000

// parseRate reads "7.12", and "3%" where it is there.
func parseRate(yuan, tolerance string) (r rate, err error) {
	m, err := money.Parse(yuan)
	if err != nil || m <= 0 || m > 1000*money.USD {
		return rate{}, errors.New("expected the yuan for a dollar, such as 7.12")
	}
	r.micros = int64(m)
	if tolerance == "" {
		return r, nil
	}
	digits, ok := strings.CutSuffix(tolerance, "%")
	percent, err := money.Parse(digits)
	if !ok || err != nil || percent > 50*money.USD {
		return rate{}, errors.New("expected by how much a seller's rate may be worse, 0% to 50%, such as 3%")
	}
	r.tolerance = int64(percent) / 100
	return r, nil
}

// most is the most that may be paid for an amount, rounded up to a fen.
func (r rate) most(amount money.Micros) fen {
	n := big.NewInt(int64(amount))
	n.Mul(n, big.NewInt(r.micros))
	n.Mul(n, big.NewInt(million+r.tolerance))
	unit := new(big.Int).SetUint64(10_000 * million * million) // fen are 10,000 millionths of a yuan
	n.Add(n, new(big.Int).Sub(unit, big.NewInt(1)))
	n.Quo(n, unit)
	if !n.IsInt64() || n.Int64() > int64(maxFen) {
		return maxFen
	}
	return fen(n.Int64())
}

// underFen tells whether an amount is worth less than the least that can be paid.
func (r rate) underFen(amount money.Micros) bool {
	n := big.NewInt(int64(amount))
	return n.Mul(n, big.NewInt(r.micros)).Cmp(big.NewInt(10_000*million)) < 0
}

// check says whether an order asks for no more than the amount is worth, and no more than the cap.
func (o order) check(amount money.Micros, r rate, most fen) error {
	if r.underFen(amount) { // a fen would be paid for it, and counted as next to nothing
		return fmt.Errorf("the order is for $%s, which is less than a fen", amount)
	}
	if limit := r.most(amount); o.Amount > limit {
		return fmt.Errorf("the seller asks for %s CNY for $%s, and by the rate of this config it may be %s CNY", o.Amount, amount, limit)
	}
	if most > 0 && o.Amount > most {
		return fmt.Errorf("the seller asks for %s CNY, and max_payment of clawtip is %s CNY", o.Amount, most)
	}
	return nil
}
