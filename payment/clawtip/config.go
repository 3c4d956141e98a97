package clawtip

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/internal/program"
	"github.com/tokenbuddy/caddy-tokenbuddy/words"
)

// Config is what the operator says of the method.
type Config struct {
	// The folder of the order files, where the rail's program looks for them. Placeholders and a ~ at its beginning are resolved.
	// Default: ~/.openclaw/skills/orders.
	Orders string `json:"orders,omitempty"`

	// The program that pays an order, an absolute path, and its arguments, in which {order_no} and {indicator} stand for those
	// of the order. The file must belong to root or Caddy's user, and be writable by nobody else. Without it a human, or an
	// agent of theirs, runs it.
	Run []string `json:"run,omitempty"`

	// What a dollar costs, in yuan, such as 7.12; a placeholder is resolved when the config is loaded. Required.
	Rate string `json:"rate"`

	// By how much a seller's rate may be worse, 0% to 50%. Default: 0%.
	Tolerance string `json:"tolerance,omitempty"`

	// The most that one payment may be, in yuan. Required with run.
	MaxPayment string `json:"max_payment,omitempty"`

	// By seller id, the accounts that may be paid. Without them the first one that a seller names is kept, and another one is
	// refused.
	Payees map[string][]string `json:"payees,omitempty"`
}

const defaultOrders = "~/.openclaw/skills/orders"

// UnmarshalCaddyfile reads
//
//	payment clawtip {
//		orders      <folder>
//		run         <program> [<args...>]     # {order_no} and {indicator} in the arguments
//		rate        <yuan> [<percent>%]
//		max_payment <yuan>
//		payee       <seller_id> <account...>  # repeatable
//	}
func (m *Method) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return words.Read(d, []words.Word{
		{Name: "orders", Usage: "<folder>", Set: words.Text(&m.Orders, nil)},
		{Name: "run", Usage: "<program> [<args...>]", Set: func(args []string) error {
			m.Run = args
			return checkArgs(args)
		}},
		{Name: "rate", Usage: "<yuan> [<percent>%]", Set: func(args []string) error {
			if m.Rate = args[0]; len(args) == 2 {
				m.Tolerance = args[1]
			}
			if strings.Contains(m.Rate, "{") {
				return nil
			}
			_, err := parseRate(m.Rate, m.Tolerance)
			return err
		}},
		{Name: "max_payment", Usage: "<yuan>", Set: words.Text(&m.MaxPayment, func(s string) error {
			_, err := parseFen(s)
			return err
		})},
		{Name: "payee", Usage: "<seller_id> <account...>", Repeat: true, Set: func(args []string) error {
			if m.Payees[args[0]] != nil {
				return fmt.Errorf("%q is there twice: name all its accounts behind the first", args[0])
			}
			if m.Payees == nil {
				m.Payees = make(map[string][]string)
			}
			m.Payees[args[0]] = args[1:]
			return checkPayees(args[0], args[1:])
		}},
	})
}

func parseFen(s string) (fen, error) {
	m, err := money.Parse(s)
	if err != nil || m <= 0 || m%10_000 != 0 || m/10_000 > money.Micros(maxFen) {
		return 0, errors.New("expected an amount in yuan with at most two decimals, such as 36 or 36.50")
	}
	return fen(m / 10_000), nil
}

// checkArgs allows the two placeholders that we fill in, and no others: they would stand there unresolved.
func checkArgs(args []string) error {
	for _, arg := range args {
		if strings.ContainsAny(fill(arg, "", ""), "{}") {
			return errors.New("expected no placeholders but {order_no} and {indicator}")
		}
	}
	return nil
}

func fill(arg, orderNo, indicator string) string {
	return strings.NewReplacer("{order_no}", orderNo, "{indicator}", indicator).Replace(arg)
}

func checkPayees(seller string, accounts []string) error {
	if err := words.CheckSeller(seller); err != nil {
		return fmt.Errorf("payee: %w", err)
	}
	for _, a := range accounts {
		if !validPayTo.MatchString(a) {
			return fmt.Errorf("payee of %s: expected accounts as sellers name them in pay_to", seller)
		}
	}
	if len(accounts) == 0 {
		return fmt.Errorf("payee of %s: expected at least one account", seller)
	}
	return nil
}

// resolve checks the config. It looks at the program's file, and does not run it.
func (m *Method) resolve(ctx caddy.Context, repl *caddy.Replacer) error {
	orders := m.Orders
	if orders == "" {
		orders = defaultOrders
	}
	orders, err := repl.ReplaceOrErr(orders, true, true)
	if err != nil {
		return fmt.Errorf("orders: %w", err)
	}
	if rest, ok := strings.CutPrefix(orders, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		home, err := os.UserHomeDir()
		if err != nil {
			return errors.New("orders: there is no home folder: expected an absolute path")
		}
		orders = filepath.Join(home, rest)
	}
	if !filepath.IsAbs(orders) {
		return errors.New("orders: expected an absolute path")
	}
	m.folder = folder{orders}

	if m.Rate == "" {
		return errors.New("rate is missing: expected what a dollar costs in yuan, and by how much a seller's may be worse, such as rate 7.12 3%")
	}
	yuan, err := repl.ReplaceOrErr(m.Rate, true, true)
	if err != nil {
		return fmt.Errorf("rate: %w", err)
	}
	if m.rate, err = parseRate(strings.TrimSpace(yuan), m.Tolerance); err != nil {
		return fmt.Errorf("rate: %w", err)
	}
	if m.MaxPayment != "" {
		if m.most, err = parseFen(m.MaxPayment); err != nil {
			return fmt.Errorf("max_payment: %w", err)
		}
	}
	for seller, accounts := range m.Payees {
		if err := checkPayees(seller, accounts); err != nil {
			return err
		}
	}
	if len(m.Run) == 0 {
		return nil
	}
	if m.most == 0 {
		return errors.New("max_payment is missing: where a program pays, nobody compares the amount; expected the most that one payment may be")
	}
	if err := checkArgs(m.Run); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if err := program.AdminIsLocal(ctx); err != nil {
		return err
	}
	if err := (program.Program{Path: m.Run[0]}).Check(); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}
