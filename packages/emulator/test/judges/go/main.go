// The official Go SDK talks to the emulator, with gRPC's own Go implementation and its own protobuf.
//
//	go run . PLAIN AUTH TLS CA    three endpoints (grpc://, grpc://, grpcs://) and the certificate of the third
//
// Started by .ci/ydb-judges.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ydb-platform/ydb-go-genproto/protos/Ydb"
	"github.com/ydb-platform/ydb-go-sdk/v3"
	"github.com/ydb-platform/ydb-go-sdk/v3/query"
	"github.com/ydb-platform/ydb-go-sdk/v3/table"
	"github.com/ydb-platform/ydb-go-sdk/v3/table/options"
	"github.com/ydb-platform/ydb-go-sdk/v3/types"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func claim(holds bool, what string, values ...any) {
	if !holds {
		panic(fmt.Errorf(what, values...))
	}
}

// refused claims that the SDK sees this status in the error.
func refused(err error, status Ydb.StatusIds_StatusCode) {
	claim(ydb.IsOperationError(err, status), "not %s: %v", status, err)
}

func count(ctx context.Context, db *ydb.Driver, text string, opts ...query.ExecuteOption) (n uint64) {
	row, err := db.Query().QueryRow(ctx, text, opts...)
	must(err)
	must(row.Scan(&n))
	return n
}

func schemeService(ctx context.Context, db *ydb.Driver) {
	must(db.Scheme().MakeDirectory(ctx, "/local/go/sub"))
	listed, err := db.Scheme().ListDirectory(ctx, "/local/go")
	must(err)
	claim(len(listed.Children) == 1 && listed.Children[0].Name == "sub", "%v", listed.Children)
	_, err = db.Scheme().ListDirectory(ctx, "/local/none")
	refused(err, Ydb.StatusIds_SCHEME_ERROR)
	must(db.Scheme().RemoveDirectory(ctx, "/local/go/sub"))
}

func tableService(ctx context.Context, db *ydb.Driver) {
	must(db.Table().Do(ctx, func(ctx context.Context, session table.Session) error {
		return session.CreateTable(ctx, "/local/go/t",
			options.WithColumn("id", types.Optional(types.TypeUint64)),
			options.WithColumn("name", types.Optional(types.TypeText)),
			options.WithPrimaryKeyColumn("id"),
			options.WithIndex("by_name", options.WithIndexType(options.GlobalIndex()), options.WithIndexColumns("name")),
			options.WithPartitions(options.WithUniformPartitions(4)))
	}))
	rows := make([]types.Value, 1000)
	for at := range rows {
		rows[at] = types.StructValue(
			types.StructFieldValue("id", types.Uint64Value(uint64(at)<<54)),
			types.StructFieldValue("name", types.TextValue(fmt.Sprintf("n%d", at))))
	}
	// Servers refuse bulk writes into tables with indexes of every kind but async.
	data := table.BulkUpsertDataRows(types.ListValue(rows...))
	refused(db.Table().BulkUpsert(ctx, "/local/go/t", data), Ydb.StatusIds_SCHEME_ERROR)
	must(db.Query().Exec(ctx, "ALTER TABLE `go/t` DROP INDEX by_name"))
	must(db.Table().BulkUpsert(ctx, "/local/go/t", data))
	must(db.Table().Do(ctx, func(ctx context.Context, session table.Session) error {
		described, err := session.DescribeTable(ctx, "/local/go/t", options.WithShardKeyBounds())
		must(err)
		claim(len(described.KeyRanges) == 4 && len(described.Columns) == 2, "%v", described)
		result, err := session.StreamReadTable(ctx, "/local/go/t", options.ReadOrdered(),
			options.ReadGreaterOrEqual(types.TupleValue(types.OptionalValue(types.Uint64Value(990<<54)))))
		must(err)
		var names []string
		for result.NextResultSet(ctx) {
			for result.NextRow() {
				var id *uint64
				var name *string
				must(result.Scan(&id, &name))
				names = append(names, *name)
			}
		}
		must(result.Err())
		claim(len(names) == 10 && names[0] == "n990" && names[9] == "n999", "%v", names)
		return nil
	}))
}

func queryService(ctx context.Context, db *ydb.Driver) {
	claim(count(ctx, db, "SELECT COUNT(*) FROM `go/t`") == 1000, "rows of go/t")
	parameters := ydb.ParamsBuilder().Param("$id").Uint64(5 << 54).Build()
	row, err := db.Query().QueryRow(ctx, "DECLARE $id AS Uint64; SELECT name FROM `go/t` WHERE id = $id", query.WithParameters(parameters))
	must(err)
	var name *string
	must(row.Scan(&name))
	claim(*name == "n5", "%s", *name)

	refused(db.Query().Exec(ctx, "SELEC 1"), Ydb.StatusIds_GENERIC_ERROR)
	refused(db.Query().Exec(ctx, "SELECT * FROM nowhere"), Ydb.StatusIds_SCHEME_ERROR)
	refused(db.Query().Exec(ctx, "INSERT INTO `go/t` (id) VALUES (0)"), Ydb.StatusIds_PRECONDITION_FAILED)
}

// transactions: another writer comes between read and commit; the SDK must see locks that were invalidated, and try again.
func transactions(ctx context.Context, db *ydb.Driver) {
	must(db.Query().Exec(ctx, "CREATE TABLE `go/n` (id Uint32 NOT NULL, n Int64, PRIMARY KEY (id))"))
	must(db.Query().Exec(ctx, "UPSERT INTO `go/n` (id, n) VALUES (1, 0)"))
	attempts := 0
	must(db.Query().DoTx(ctx, func(ctx context.Context, tx query.TxActor) error {
		attempts++
		row, err := tx.QueryRow(ctx, "SELECT n FROM `go/n` WHERE id = 1")
		if err != nil {
			return err
		}
		var n *int64
		must(row.Scan(&n))
		if attempts == 1 {
			must(db.Query().Exec(ctx, "UPDATE `go/n` SET n = 100 WHERE id = 1"))
		}
		return tx.Exec(ctx, fmt.Sprintf("UPDATE `go/n` SET n = %d WHERE id = 1", *n+1))
	}, query.WithIdempotent()))
	claim(attempts == 2, "%d attempts", attempts)
	claim(count(ctx, db, "SELECT Unwrap(CAST(n AS Uint64)) FROM `go/n`") == 101, "the update was lost")

	stop := errors.New("stop")
	err := db.Query().DoTx(ctx, func(ctx context.Context, tx query.TxActor) error {
		must(tx.Exec(ctx, "UPSERT INTO `go/n` (id, n) VALUES (2, 0)"))
		return stop
	})
	claim(errors.Is(err, stop), "%v", err)
	claim(count(ctx, db, "SELECT COUNT(*) FROM `go/n`") == 1, "a rolled back row is there")
}

func main() {
	plain, auth, tls, ca := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	open := func(endpoint string, opts ...ydb.Option) *ydb.Driver {
		db, err := ydb.Open(ctx, endpoint+"/local", opts...)
		must(err)
		return db
	}
	failed := 0
	try := func(name string, work func()) {
		defer func() {
			if problem := recover(); problem != nil {
				failed++
				fmt.Printf("  FAILED  %s: %v\n", name, problem)
			}
		}()
		work()
		fmt.Printf("  ok      %s\n", name)
	}
	db := open(plain)
	try("scheme service", func() { schemeService(ctx, db) })
	try("table service", func() { tableService(ctx, db) })
	try("query service", func() { queryService(ctx, db) })
	try("transactions", func() { transactions(ctx, db) })
	try("user and password", func() {
		owner := open(auth, ydb.WithStaticCredentials("root", "1234"))
		claim(count(ctx, owner, "SELECT 1ul") == 1, "no answer")
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		_, err := ydb.Open(short, auth+"/local", ydb.WithStaticCredentials("root", "wrong"))
		claim(err != nil, "a wrong password was taken")
	})
	try("TLS", func() {
		claim(count(ctx, open(tls, ydb.WithCertificatesFromFile(ca)), "SELECT 1ul") == 1, "no answer")
	})
	fmt.Printf("ydb-go-sdk %s: %d failed\n", ydb.Version, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
