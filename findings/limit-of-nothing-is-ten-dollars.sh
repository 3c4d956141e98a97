#!/usr/bin/env bash
# A new member whose limit is 0 has the column's default, ten dollars, by GORM and Bun; set to 0 later, a limit stays what it was for GORM and xorm, without an error; and "whose limit is 0" is everybody.
#
# Seen 2026-12-01 with gorm.io/gorm 1.31.2, github.com/uptrace/bun 1.3.0 and xorm.io/xorm 1.4.3 (Go 1.26), with SQLite by github.com/glebarez/sqlite 1.11.0, as each documents it; the columns have a default.
# Expected: what a program has put into a field is what is in the database, and a default is for who names no value, as in SQL. To Go a field that nobody has set is 0 and false, and each of the three takes these for
# "nothing said", in places of its own. GORM and Bun write the default for 0 into a new row, once there is a default in the tag: "may spend nothing" is ten dollars, and "not paused" is paused. Several rows at once
# are no different. GORM's Updates and xorm's Update leave out what is 0, so that a member whose limit is taken away keeps it: no error, and to xorm one row was "affected". GORM's Save and Bun's Update write it. A search by an
# example with 0 in it has no condition at all, and finds all members. A test that sets 5 sees nothing of this; 0 is the one amount that has a meaning of its own in a ledger, a limit and a price.
# So amounts in such a struct are pointers or sql.NullInt64, or the columns are named (Select, Cols, a map), and a default is not given by the tag.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/glebarez/sqlite"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"xorm.io/xorm"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func ok(err error) {
	if err != nil {
		panic(err)
	}
}

// Dollars and Paused have defaults of 10 and true, in each library's own words.
type ofGorm struct {
	ID      string `gorm:"primaryKey"`
	Dollars int64  `gorm:"default:10"`
	Paused  bool   `gorm:"default:true"`
}

func (ofGorm) TableName() string { return "members" }

type ofBun struct {
	bun.BaseModel `bun:"table:members"`
	ID            string `bun:",pk"`
	Dollars       int64  `bun:",default:10"`
	Paused        bool   `bun:",default:true"`
}

type ofXorm struct {
	ID      string `xorm:"pk 'id'"`
	Dollars int64  `xorm:"default 10"`
	Paused  bool   `xorm:"default true"`
}

func (ofXorm) TableName() string { return "members" }

func show(db *sql.DB, what string) {
	rows := must(db.Query("select id, dollars, paused from members order by id"))
	defer rows.Close()
	fmt.Printf("  %s:", what)
	for rows.Next() {
		var id string
		var dollars int64
		var paused bool
		ok(rows.Scan(&id, &dollars, &paused))
		fmt.Printf(" %s %d %v", id, dollars, paused)
	}
	fmt.Println()
}

func main() {
	ctx := context.Background()

	fmt.Println("gorm")
	g := must(gorm.Open(sqlite.Open("gorm.db"), &gorm.Config{Logger: logger.Discard}))
	raw := must(g.DB())
	ok(g.AutoMigrate(&ofGorm{}))
	ok(g.Create(&ofGorm{ID: "ada"}).Error)
	bob := ofGorm{ID: "bob", Dollars: 5, Paused: true}
	ok(g.Create([]*ofGorm{&bob, {ID: "cyd"}}).Error)
	show(raw, "ada and cyd made with 0 and false, bob with 5 and true")
	changed := g.Model(&bob).Updates(ofGorm{Paused: false})
	ok(changed.Error)
	show(raw, fmt.Sprintf("bob set to 0 and false by Updates, %d affected", changed.RowsAffected))
	ok(g.Save(&ofGorm{ID: "bob"}).Error)
	show(raw, "by Save")
	var found []ofGorm
	ok(g.Where(&ofGorm{Dollars: 0}).Find(&found).Error)
	fmt.Printf("  with 0 dollars: %d\n", len(found))

	fmt.Println("bun")
	raw = must(sql.Open("sqlite", "bun.db"))
	b := bun.NewDB(raw, sqlitedialect.New())
	must(b.NewCreateTable().Model((*ofBun)(nil)).Exec(ctx))
	must(b.NewInsert().Model(&ofBun{ID: "ada"}).Exec(ctx))
	must(b.NewInsert().Model(&[]ofBun{{ID: "bob", Dollars: 5, Paused: true}, {ID: "cyd"}}).Exec(ctx))
	show(raw, "ada and cyd made with 0 and false, bob with 5 and true")
	must(b.NewUpdate().Model(&ofBun{ID: "bob"}).WherePK().Exec(ctx))
	show(raw, "bob set to 0 and false by Update")

	fmt.Println("xorm")
	x := must(xorm.NewEngine("sqlite", "xorm.db"))
	raw = x.DB().DB
	ok(x.Sync(new(ofXorm)))
	must(x.Insert(&ofXorm{ID: "ada"}))
	must(x.Insert([]*ofXorm{{ID: "bob", Dollars: 5, Paused: true}, {ID: "cyd"}}))
	show(raw, "ada and cyd made with 0 and false, bob with 5 and true")
	affected := must(x.ID("bob").Update(&ofXorm{ID: "bob"}))
	show(raw, fmt.Sprintf("bob set to 0 and false by Update, %d affected", affected))
	must(x.ID("bob").Cols("dollars", "paused").Update(&ofXorm{}))
	show(raw, "by Cols and Update")
	var all []ofXorm
	ok(x.Find(&all, &ofXorm{Dollars: 0}))
	fmt.Printf("  with 0 dollars: %d\n", len(all))
}
GO
{ go mod init probe && go get gorm.io/gorm@v1.31.2 github.com/glebarez/sqlite@v1.11.0 github.com/uptrace/bun@v1.3.0 github.com/uptrace/bun/dialect/sqlitedialect@v1.3.0 xorm.io/xorm@v1.4.3; } 2>go.log || { cat go.log; exit 1; }
go list -m gorm.io/gorm github.com/uptrace/bun xorm.io/xorm github.com/glebarez/sqlite
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
gorm
  ada and cyd made with 0 and false, bob with 5 and true: ada 10 true bob 5 true cyd 10 true
  bob set to 0 and false by Updates, 0 affected: ada 10 true bob 5 true cyd 10 true
  by Save: ada 10 true bob 0 false cyd 10 true
  with 0 dollars: 3
bun
  ada and cyd made with 0 and false, bob with 5 and true: ada 10 true bob 5 true cyd 10 true
  bob set to 0 and false by Update: ada 10 true bob 0 false cyd 10 true
xorm
  ada and cyd made with 0 and false, bob with 5 and true: ada 0 false bob 5 true cyd 0 false
  bob set to 0 and false by Update, 1 affected: ada 0 false bob 5 true cyd 0 false
  by Cols and Update: ada 0 false bob 0 false cyd 0 false
  with 0 dollars: 3
SEEN
