"""The official Python SDK talks to the emulator: what it expects of a YDB, and how it classifies errors.

    ydb_python.py PLAIN AUTH TLS CA STORE    three endpoints (grpc://, grpc://, grpcs://), the certificate of the third, and an S3 (host:port, keys).

Its gRPC is C-core and its protobuf is Google's: neither is shared with anything else that is tested here. Started by .ci/ydb-judges.
"""

import json
import logging
import sys
import threading
import time
import traceback
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import ydb

PLAIN, AUTH, TLS, CA, STORE = sys.argv[1:]
DATABASE = "/local"
checks = []
logging.disable(logging.CRITICAL)  # the SDK tells of every refusal that is wanted here


def check(work):
    checks.append(work)
    return work


def refused(kind, work):
    """The error that the SDK raises; it must be of exactly this class."""
    try:
        work()
    except ydb.Error as error:
        assert type(error) is kind, f"{type(error).__name__}: {error}"
        return error
    raise AssertionError(f"not refused with {kind.__name__}")


def rows(pool, text, parameters=None):
    return [tuple(row.values()) for result in pool.execute_with_retries(text, parameters) for row in result.rows]


@check
def discovery_and_scheme(driver, pool):
    scheme = driver.scheme_client
    scheme.make_directory("/local/dir")
    scheme.make_directory("/local/dir/sub")
    found = {child.name: child for child in scheme.list_directory("/local").children}
    assert found["dir"].is_directory()
    assert scheme.describe_path("/local/dir/sub").name == "sub"
    refused(ydb.SchemeError, lambda: scheme.list_directory("/local/nowhere"))
    refused(ydb.SchemeError, lambda: scheme.remove_directory("/local/dir"))
    scheme.remove_directory("/local/dir/sub")
    scheme.remove_directory("/local/dir")
    assert "127.0.0.1" in driver.discovery_debug_details()


@check
def table_service(driver, pool):
    client = driver.table_client
    description = (
        ydb.TableDescription()
        .with_column(ydb.Column("id", ydb.PrimitiveType.Uint64))
        .with_column(ydb.Column("name", ydb.OptionalType(ydb.PrimitiveType.Utf8)))
        .with_column(ydb.Column("price", ydb.OptionalType(ydb.DecimalType(22, 9))))
        .with_primary_key("id")
        .with_index(ydb.TableIndex("by_name").with_index_columns("name"))
        .with_uniform_partitions(4)
    )
    client.create_table("/local/goods", description)
    described = client.describe_table("/local/goods", ydb.DescribeTableSettings().with_include_shard_key_bounds(True))
    assert described.primary_key == ["id"]
    assert [column.name for column in described.columns] == ["id", "name", "price"]
    assert [index.name for index in described.indexes] == ["by_name"]
    assert len(described.shard_key_ranges) == 4
    client.alter_table("/local/goods", add_columns=[ydb.Column("note", ydb.OptionalType(ydb.PrimitiveType.String))])
    client.alter_table("/local/goods", drop_columns=["note"])
    client.alter_table("/local/goods", drop_indexes=["by_name"])

    types = ydb.BulkUpsertColumns()
    types.add_column("id", ydb.PrimitiveType.Uint64)
    types.add_column("name", ydb.OptionalType(ydb.PrimitiveType.Utf8))
    types.add_column("price", ydb.OptionalType(ydb.DecimalType(22, 9)))
    many = [{"id": n << 54, "name": f"n{n}", "price": Decimal(n) / 8} for n in range(1000)]
    client.bulk_upsert("/local/goods", many, types)
    refused(ydb.SchemeError, lambda: client.bulk_upsert("/local/none", many[:1], types))

    session = client.session().create()
    read = [row for part in session.read_table("/local/goods", columns=("id", "name"), ordered=True) for row in part.rows]
    assert [row["id"] for row in read] == [row["id"] for row in many]
    bounds = ydb.KeyRange(
        ydb.KeyBound.inclusive((5 << 54,), ydb.TupleType().add_element(ydb.OptionalType(ydb.PrimitiveType.Uint64))),
        ydb.KeyBound.exclusive((9 << 54,), ydb.TupleType().add_element(ydb.OptionalType(ydb.PrimitiveType.Uint64))),
    )
    part = [row["name"] for part in session.read_table("/local/goods", bounds, ordered=True) for row in part.rows]
    assert part == ["n5", "n6", "n7", "n8"]
    limited = [row for part in session.read_table("/local/goods", row_limit=7, ordered=True) for row in part.rows]
    assert len(limited) == 7
    refused(ydb.SchemeError, lambda: [part for part in session.read_table("/local/none")])

    client.copy_table("/local/goods", "/local/goods_copy")
    client.copy_tables([("/local/goods", "/local/copies/a"), ("/local/goods", "/local/copies/b")])
    client.rename_tables([ydb.RenameItem("/local/copies/a", "/local/copies/c")])
    names = {child.name for child in driver.scheme_client.list_directory("/local/copies").children}
    assert names == {"b", "c"}, names
    refused(ydb.SchemeError, lambda: client.create_table("/local/wrong", ydb.TableDescription().with_column(
        ydb.Column("id", ydb.OptionalType(ydb.PrimitiveType.Uint64))).with_primary_key("nope")))
    for path in ("/local/copies/b", "/local/copies/c", "/local/goods_copy"):
        client.drop_table(path)
    refused(ydb.SchemeError, lambda: client.drop_table("/local/goods_copy"))


@check
def data_queries_of_the_table_service(driver, pool):
    session = driver.table_client.session().create()
    session.execute_scheme("CREATE TABLE t (id Uint64, v Utf8, PRIMARY KEY (id))")
    prepared = session.prepare("DECLARE $id AS Uint64; DECLARE $v AS Utf8; UPSERT INTO t (id, v) VALUES ($id, $v)")
    for number in range(3):
        session.transaction(ydb.SerializableReadWrite()).execute(
            prepared, {"$id": number, "$v": f"v{number}"}, commit_tx=True
        )
    for mode in (ydb.OnlineReadOnly(), ydb.StaleReadOnly(), ydb.SnapshotReadOnly()):
        result = session.transaction(mode).execute("SELECT id, v FROM t ORDER BY id", commit_tx=True)
        assert [(row.id, row.v) for row in result[0].rows] == [(0, "v0"), (1, "v1"), (2, "v2")]
    plan = session.explain("SELECT * FROM t")
    assert "t" in plan.query_plan
    refused(ydb.GenericError, lambda: session.prepare("SELEC 1"))
    with session.transaction(ydb.SerializableReadWrite()) as tx:
        tx.begin()
        tx.execute("UPSERT INTO t (id, v) VALUES (9, 'x'u)")
        tx.rollback()
    assert session.transaction().execute("SELECT COUNT(*) AS n FROM t", commit_tx=True)[0].rows[0].n == 3

    # Results of the table service are cut at 1000 rows, and the SDK refuses to take what was cut.
    session.transaction().execute(
        "UPSERT INTO t (id, v) VALUES " + ", ".join(f"({n}, 'x'u)" for n in range(1500)),
        commit_tx=True,
    )
    cut = lambda: session.transaction().execute("SELECT id FROM t ORDER BY id", commit_tx=True)
    refused(ydb.TruncatedResponseError, cut)
    session.execute_scheme("DROP TABLE t")
    session.delete()
    refused(ydb.BadSession, lambda: session.transaction().execute("SELECT 1", commit_tx=True))


@check
def query_service_types(driver, pool):
    pool.execute_with_retries(
        """CREATE TABLE kinds (id Int32 NOT NULL, b Bool, i8 Int8, u8 Uint8, i64 Int64, u64 Uint64, f Float, d Double, s String,
        u Utf8, j Json, jd JsonDocument, y Yson, dt Date, dtt Datetime, ts Timestamp, iv Interval, dec Decimal(22, 9), uu Uuid,
        PRIMARY KEY (id))"""
    )
    moment = datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=timezone.utc)
    given = {
        "$b": True,
        "$i8": (-128, ydb.PrimitiveType.Int8),
        "$u8": (255, ydb.PrimitiveType.Uint8),
        "$i64": -(2**63),
        "$u64": (2**64 - 1, ydb.PrimitiveType.Uint64),
        "$f": (0.5, ydb.PrimitiveType.Float),
        "$d": 1.0 / 3,
        "$s": b"\x00\xff",
        "$u": "snow \u2603",
        "$j": ('{"a":1}', ydb.PrimitiveType.Json),
        "$jd": ('{"a":[null,2.5]}', ydb.PrimitiveType.JsonDocument),
        "$y": (b"{a=1}", ydb.PrimitiveType.Yson),
        "$dt": (date(2024, 2, 29), ydb.PrimitiveType.Date),
        "$dtt": (moment.replace(microsecond=0, tzinfo=None), ydb.PrimitiveType.Datetime),
        "$ts": (moment.replace(tzinfo=None), ydb.PrimitiveType.Timestamp),
        "$iv": (timedelta(days=-1, microseconds=1), ydb.PrimitiveType.Interval),
        "$dec": (Decimal("-1.000000001"), ydb.DecimalType(22, 9)),
        "$uu": (UUID("00112233-4455-6677-8899-aabbccddeeff"), ydb.PrimitiveType.UUID),
    }
    names = ", ".join(name[1:] for name in given)
    pool.execute_with_retries(f"UPSERT INTO kinds (id, {names}) VALUES (1, {', '.join(given)})", given)
    read = rows(pool, f"SELECT {names} FROM kinds")[0]
    for (name, value), got in zip(given.items(), read):
        wanted = value[0] if isinstance(value, tuple) else value
        if name in ("$j", "$jd"):
            wanted = json.loads(wanted)
        if isinstance(got, datetime):
            got = got.replace(tzinfo=None)
        assert got == wanted, f"{name}: {got!r} is not {wanted!r}"


@check
def query_service_transactions(driver, pool):
    pool.execute_with_retries("CREATE TABLE account (id Uint32 NOT NULL, money Int64, PRIMARY KEY (id))")
    pool.execute_with_retries("UPSERT INTO account (id, money) VALUES (1, 10), (2, 20)")
    with pool.checkout() as one, pool.checkout() as two:
        tx = one.transaction(ydb.QuerySerializableReadWrite()).begin()
        read = [row.money for part in tx.execute("SELECT money FROM account WHERE id = 1") for row in part.rows]
        assert read == [10]
        for _ in two.execute("UPDATE account SET money = 11 WHERE id = 1"):
            pass
        with tx.execute("UPDATE account SET money = 12 WHERE id = 1"):
            pass
        error = refused(ydb.Aborted, tx.commit)
        assert any(issue.issue_code == 2001 for issue in error.issues), error.issues
        read_only = two.transaction(ydb.QuerySnapshotReadOnly()).begin()
        list(read_only.execute("SELECT 1"))
        refused(ydb.GenericError, lambda: list(read_only.execute("UPDATE account SET money = 0 WHERE id = 1")))
    assert rows(pool, "SELECT money FROM account WHERE id = 1") == [(11,)]

    # The SDK tries an aborted transaction again, and then it goes through.
    attempts = []

    def add(tx):
        attempts.append(1)
        with tx.execute("SELECT money FROM account WHERE id = 2") as parts:
            money = [row.money for part in parts for row in part.rows][0]
        if len(attempts) == 1:
            rows(pool, "UPDATE account SET money = money + 1 WHERE id = 2")
        with tx.execute("UPDATE account SET money = $m WHERE id = 2", {"$m": money + 100}, commit_tx=True):
            pass

    pool.retry_tx_sync(add)
    assert len(attempts) == 2 and rows(pool, "SELECT money FROM account WHERE id = 2") == [(121,)]


@check
def query_service_results(driver, pool):
    sets = pool.execute_with_retries("SELECT 1 AS a; SELECT 'x'u AS b; SELECT NULL AS c")
    assert [[tuple(row.values()) for row in result.rows] for result in sets] == [[(1,)], [("x",)], [(None,)]]
    assert rows(pool, "SELECT $a || $b AS t", {"$a": "x", "$b": "y"}) == [("xy",)]
    assert rows(pool, "SELECT * FROM AS_TABLE($r) ORDER BY id", {
        "$r": ([{"id": 2}, {"id": 1}], ydb.ListType(ydb.StructType().add_member("id", ydb.PrimitiveType.Int32)))
    }) == [(1,), (2,)]
    pool.execute_with_retries("CREATE TABLE many (id Uint64, s Utf8, PRIMARY KEY (id))")
    for start in range(0, 3000, 1000):
        values = ", ".join(f"({n}, '{'x' * 1000}'u)" for n in range(start, start + 1000))
        pool.execute_with_retries(f"UPSERT INTO many (id, s) VALUES {values}")
    with pool.checkout() as session:
        parts = [len(part.rows) for part in session.execute("SELECT id, s FROM many ORDER BY id")]
        assert sum(parts) == 3000 and len(parts) > 1, parts
        plan = session.explain("SELECT * FROM many WHERE id = 1u")
        assert "many" in str(plan)
        list(session.execute("SELECT COUNT(*) FROM many", stats_mode=ydb.QueryStatsMode.FULL))
        assert session.last_query_stats is not None


@check
def errors_as_the_sdk_classifies_them(driver, pool):
    execute = lambda text: (lambda: pool.execute_with_retries(text, retry_settings=ydb.RetrySettings(max_retries=0)))
    refused(ydb.GenericError, execute("SELEC 1"))
    refused(ydb.GenericError, execute("SELECT 1 + 'a'"))
    refused(ydb.SchemeError, execute("SELECT * FROM nowhere"))
    refused(ydb.PreconditionFailed, execute("INSERT INTO account (id, money) VALUES (1, 1)"))
    refused(ydb.Unsupported, execute("SELECT * FROM account AS a JOIN account AS b ON a.id = b.id"))
    refused(ydb.BadRequest, execute("DECLARE $x AS Int32; SELECT $x"))
    refused(ydb.SchemeError, execute("DROP TABLE nowhere"))


@check
def topics_as_objects(driver, pool):
    topic = driver.topic_client
    topic.create_topic("/local/topic", min_active_partitions=2, consumers=["first"])
    described = topic.describe_topic("/local/topic")
    assert len(described.partitions) == 2 and [consumer.name for consumer in described.consumers] == ["first"]
    topic.alter_topic("/local/topic", add_consumers=["second"])
    assert {consumer.name for consumer in topic.describe_topic("/local/topic").consumers} == {"first", "second"}
    topic.drop_topic("/local/topic")
    refused(ydb.SchemeError, lambda: topic.describe_topic("/local/topic"))


@check
def concurrent_sessions(driver, pool):
    pool.execute_with_retries("CREATE TABLE counters (id Uint32, n Int32, PRIMARY KEY (id))")
    pool.execute_with_retries("UPSERT INTO counters (id, n) VALUES (1, 0)")
    failures = []

    def work():
        try:
            for _ in range(10):
                pool.execute_with_retries("UPDATE counters SET n = n + 1 WHERE id = 1")
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures, failures
    assert rows(pool, "SELECT n FROM counters") == [(40,)]


@check
def exports_and_imports(driver, pool):
    host, access, secret = STORE.split()
    exports = ydb.ExportClient(driver)
    imports = ydb.ImportClient(driver)

    def placed(settings):
        settings = settings.with_scheme(1).with_endpoint(host).with_bucket("bucket")
        return settings.with_access_key(access).with_secret_key(secret)

    def finished(operation, get):
        for _ in range(200):
            if operation.progress.name == "DONE":
                return operation
            time.sleep(0.02)
            operation = get(operation.id)
        raise AssertionError(f"{operation} does not end")

    pool.execute_with_retries("CREATE TABLE sent (id Uint64, name Utf8, PRIMARY KEY (id), INDEX by_name GLOBAL ON (name))")
    pool.execute_with_retries("UPSERT INTO sent (id, name) VALUES (1, 'one'), (2, NULL)")
    export = lambda: placed(ydb.ExportToS3Settings()).with_source_and_destination("/local/sent", "judge/sent").with_uid("u")
    begun = exports.export_to_s3(export())
    assert exports.export_to_s3(export()).id == begun.id
    done = finished(begun, exports.get_export_to_s3_operation)
    assert [(item.parts_total, item.parts_completed) for item in done.items_progress] == [(1, 1)]
    back = placed(ydb.ImportFromS3Settings()).with_source_and_destination("judge/sent", "/local/received")
    finished(imports.import_from_s3(back), imports.get_import_from_s3_operation)
    assert rows(pool, "SELECT id, name FROM received VIEW by_name ORDER BY id") == [(1, "one"), (2, None)]
    refused(ydb.BadRequest, lambda: imports.import_from_s3(back))  # it is there
    lost = exports.export_to_s3(export().with_uid("lost").with_bucket("nowhere"))
    for _ in range(200):
        try:
            exports.get_export_to_s3_operation(lost.id)
            time.sleep(0.02)
        except ydb.issues.Cancelled:  # so a failure looks
            return
    raise AssertionError("an export to a bucket that is not there does not end")


def with_driver(endpoint, work, **options):
    with ydb.Driver(ydb.DriverConfig(endpoint, DATABASE, **options)) as driver:
        driver.wait(timeout=10, fail_fast=True)
        with ydb.QuerySessionPool(driver, size=10) as pool:
            work(driver, pool)


def login(user, password):
    config = ydb.DriverConfig(AUTH, DATABASE)
    return ydb.StaticCredentials(config, user=user, password=password)


def users_and_passwords():
    def as_administrator(driver, pool):
        pool.execute_with_retries("CREATE USER who PASSWORD 'secret'")
        pool.execute_with_retries("CREATE TABLE private (id Uint32, PRIMARY KEY (id))")
        driver.scheme_client.modify_permissions(
            DATABASE, ydb.ModifyPermissionsSettings().grant_permissions("who", ("ydb.database.connect",))
        )

    def as_user(driver, pool):
        refused(ydb.SchemeError, lambda: pool.execute_with_retries("SELECT * FROM private"))
        refused(ydb.SchemeError, lambda: pool.execute_with_retries("DROP TABLE private"))
        refused(ydb.Unauthorized, lambda: pool.execute_with_retries("CREATE TABLE mine (id Uint32, PRIMARY KEY (id))"))
        refused(ydb.Unauthorized, lambda: driver.scheme_client.make_directory("/local/mine"))

    with_driver(AUTH, as_administrator, credentials=login("root", "1234"))
    with_driver(AUTH, as_user, credentials=login("who", "secret"))
    wrong = refused(ydb.ConnectionError, lambda: login("root", "wrong").get_auth_token())  # so the SDK wraps it
    assert "400020" in str(wrong), wrong
    try:
        with_driver(AUTH, lambda driver, pool: None)
    except (ydb.Error, TimeoutError, ConnectionError):
        return
    raise AssertionError("without a token it must not connect")


def over_tls():
    with open(CA, "rb") as file:
        trusted = file.read()
    with_driver(TLS, lambda driver, pool: rows(pool, "SELECT 1"), root_certificates=trusted)
    try:
        with_driver(TLS, lambda driver, pool: None)
    except (ydb.Error, TimeoutError, ConnectionError):
        return
    raise AssertionError("a certificate that nobody trusts must be refused")


failed = 0
works = [(work.__name__, lambda work=work: with_driver(PLAIN, work)) for work in checks]
for name, work in [*works, ("users_and_passwords", users_and_passwords), ("over_tls", over_tls)]:
    try:
        work()
        print(f"  ok      {name.replace('_', ' ')}")
    except Exception:  # noqa: BLE001 - each is told, and the others go on
        failed += 1
        print(f"  FAILED  {name.replace('_', ' ')}")
        traceback.print_exc()
print(f"ydb-python-sdk {ydb.VERSION}: {len(works) + 2 - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
