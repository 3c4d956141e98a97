package program

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"

	"github.com/caddyserver/caddy/v2"
)

// AdminIsLocal says whether the admin endpoint of the config that is being loaded can be reached from this machine alone. Who
// reaches it can load a config, and so name a program to run.
func AdminIsLocal(ctx caddy.Context) error {
	listen, remote, err := adminOf(ctx)
	switch {
	case err != nil:
		return err
	case remote:
		return errors.New("the remote admin endpoint of Caddy is on: who reaches it could run programs here; turn it off (admin.remote)")
	case listen == "":
		return nil
	}
	addr, err := caddy.ParseNetworkAddressWithDefaults(listen, "tcp", 2019)
	if err == nil && (addr.IsUnixNetwork() || addr.Host == "localhost") {
		return nil
	}
	if ip, e := netip.ParseAddr(addr.Host); err == nil && e == nil && ip.Unmap().IsLoopback() {
		return nil
	}
	return fmt.Errorf("the admin endpoint of Caddy listens on %s, beyond this machine: who reaches it could run programs here; put it on "+
		"localhost or a unix socket, or turn it off", listen)
}

// adminOf gives the address of the admin endpoint; empty where it is off. Caddy does not offer a module the config around it,
// so it is read, and only read, from the context's field; a Caddy that has none is one that we know nothing of.
func adminOf(ctx caddy.Context) (listen string, remote bool, err error) {
	unknown := errors.New("this Caddy does not say where its admin endpoint listens")
	cfg := reflect.ValueOf(ctx).FieldByName("cfg")
	if !cfg.IsValid() || cfg.Kind() != reflect.Pointer {
		return "", false, unknown
	}
	if cfg.IsNil() {
		return caddy.DefaultAdminListen, false, nil
	}
	admin := cfg.Elem().FieldByName("Admin")
	if !admin.IsValid() || admin.Type() != reflect.TypeFor[*caddy.AdminConfig]() {
		return "", false, unknown
	}
	if admin.IsNil() {
		return caddy.DefaultAdminListen, false, nil
	}
	remote = !admin.Elem().FieldByName("Remote").IsNil()
	if admin.Elem().FieldByName("Disabled").Bool() {
		return "", remote, nil
	}
	if listen = admin.Elem().FieldByName("Listen").String(); listen == "" {
		listen = caddy.DefaultAdminListen
	}
	return listen, remote, nil
}
