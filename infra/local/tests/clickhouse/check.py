"""The embedded ClickHouse as a real client sees it.

Usage: check.py HOST PORT USER, password on standard input. Exits non-zero with the failed check.
"""

import datetime
import sys
import threading

import clickhouse_connect
import pyarrow as pa
import pyarrow.parquet
from clickhouse_connect.driver.exceptions import DatabaseError

HOST, PORT, USER = sys.argv[1], int(sys.argv[2]), sys.argv[3]
PASSWORD = sys.stdin.readline().strip()


def connect(**options):
    return clickhouse_connect.get_client(host=HOST, port=PORT, username=USER, password=PASSWORD, **options)


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def fails(code, action):
    try:
        action()
    except DatabaseError as error:
        assert f"code: {code}" in str(error).lower() or f"Code: {code}" in str(error), str(error)
        return
    raise AssertionError(f"expected error {code}")


def ddl(client):
    client.command("create database shop")
    client.command(
        "create table shop.sales (id UInt64, name String, amount Decimal(18, 2), at DateTime64(3, 'UTC'), tags Array(String),"
        " note Nullable(String), kind LowCardinality(String)) engine = MergeTree order by id"
    )
    equal(client.query("show tables from shop").result_rows, [("sales",)])
    client.command("alter table shop.sales add column extra UInt8 default 7")
    client.command("create table shop.other as shop.sales")
    client.command("exchange tables shop.sales and shop.other")
    client.command("drop table shop.other")


def rows(first, count):
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc)
    return [[i, f"näme {i}", i, at, ["a", str(i)], None if i % 2 else "x", f"k{i % 3}"] for i in range(first, first + count)]


COLUMNS = ["id", "name", "amount", "at", "tags", "note", "kind"]


def native_inserts_in_every_coding():
    first = 0
    for compress in [False, "lz4", "zstd", "gzip"]:
        client = connect(compress=compress)
        summary = client.insert("sales", rows(first, 1000), column_names=COLUMNS, database="shop")
        equal(summary.written_rows, 1000)
        first += 1000
    client = connect(database="shop")
    equal(client.query("select count(), uniqExact(id), sum(extra) from sales").result_rows, [(4000, 4000, 28000)])
    row = client.query("select name, amount, at, tags, note, kind from sales where id = 3001").result_rows[0]
    equal(row[0], "näme 3001")
    equal(str(row[1]), "3001.00")
    equal(row[2].timestamp(), 1767323045.678)
    equal(row[3:], (["a", "3001"], None, "k1"))


def arrow(client):
    client.command("create table shop.arrows (n Int64, s String) engine = MergeTree order by n")
    table = pa.table({"n": pa.array(range(5000), pa.int64()), "s": [f"r{i}" for i in range(5000)]})
    client.insert_arrow("arrows", table, database="shop")
    answer = client.query_arrow("select n, s from shop.arrows order by n", use_strings=True)
    equal(answer.num_rows, 5000)
    equal(answer.column("s").to_pylist(), table.column("s").to_pylist())


def raw_inserts(client):
    client.command("create table shop.raw (n UInt32, s String) engine = MergeTree order by n")
    binary = b"".join(i.to_bytes(4, "little") + b"\x03" + bytes([10, 0, i]) for i in range(5))
    client.raw_insert("shop.raw", ["n", "s"], binary, fmt="RowBinary")
    client.raw_insert("shop.raw", ["n", "s"], '{"n": 5, "s": "json"}\n{"n": 6}\n', fmt="JSONEachRow")
    # A blank line inside the data is data.
    client.raw_insert("shop.raw", ["n", "s"], '7,"c\n\nsv"\n', fmt="CSV")
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.table({"n": pa.array([8], pa.uint32()), "s": ["parquet"]}), sink)
    client.raw_insert("shop.raw", ["n", "s"], sink.getvalue().to_pybytes(), fmt="Parquet")
    client.command("insert into shop.raw values (9, 'values')")
    client.command("insert into shop.raw select 10, 'select'")
    got = client.query("select n, hex(s) from shop.raw order by n").result_rows
    equal(got[:2], [(0, "0A0000"), (1, "0A0001")])
    equal([bytes.fromhex(s).decode() for _, s in got[5:]], ["json", "", "c\n\nsv", "parquet", "values", "select"])
    equal(client.raw_query("select n from shop.raw where n < 2 order by n", fmt="CSV"), b"0\n1\n")


def selects(client):
    equal(client.command("select 1 + 1"), 2)
    result = client.query("select number, toString(number) from numbers(200000)")
    equal(len(result.result_rows), 200000)
    equal(result.result_rows[-1], (199999, "199999"))
    with client.query_row_block_stream("select number from numbers(1000000)") as stream:
        equal(sum(len(block) for block in stream), 1000000)
    parameters = {"n": 7, "s": "it's \\ a\ttab\n", "d": datetime.date(2026, 2, 3), "l": [1, 2]}
    query = "select {n:Int32}, {s:String}, {d:Date}, {l:Array(UInt8)}"
    equal(client.query(query, parameters=parameters).result_rows, [(7, parameters["s"], parameters["d"], [1, 2])])
    equal(client.query("select 1 where 0").result_rows, [])


def errors(client):
    fails(62, lambda: client.query("selec 1"))
    fails(60, lambda: client.query("select * from missing"))
    fails(81, lambda: connect(database="nowhere").query("select 1"))
    fails(47, lambda: client.query("select missing"))
    fails(395, lambda: client.query("select throwIf(number = 3) from numbers(10)"))
    fails(57, lambda: client.command("create table shop.sales (a UInt8) engine = Memory"))
    fails(62, lambda: client.command("select 1; select 2"))
    fails(48, lambda: client.command("select 1 into outfile 'x'"))
    fails(27, lambda: client.raw_insert("shop.raw", ["n", "s"], "nonsense\n", fmt="TabSeparated"))
    fails(60, lambda: client.raw_insert("shop.missing", ["n"], "1\n", fmt="CSV"))
    fails(516, lambda: clickhouse_connect.get_client(host=HOST, port=PORT, username=USER, password="wrong"))
    fails(516, lambda: clickhouse_connect.get_client(host=HOST, port=PORT))
    equal(client.command("select 1"), 1)


def settings(client):
    show = "select value from system.settings where name = 'max_block_size'"
    equal(client.query(show, settings={"max_block_size": 1234}).result_rows, [("1234",)])
    assert client.query(show).result_rows != [("1234",)], "a setting of one statement must not stay"
    fixed = connect(settings={"max_block_size": 4321})
    equal(fixed.query(show).result_rows, [("4321",)])
    client.command("set max_block_size = 777")
    equal(client.query(show).result_rows, [("777",)])
    equal(client.query(show, settings={"max_block_size": 5}).result_rows, [("5",)])
    equal(client.query(show).result_rows, [("777",)])
    fails(159, lambda: client.query("select sleepEachRow(1) from numbers(3)", settings={"max_execution_time": 1}))
    fails(164, lambda: client.command("create table shop.x (a UInt8) engine = Memory", settings={"readonly": 1}))


def sessions():
    one, two = connect(session_id="one"), connect(session_id="two")
    one.command("create temporary table mine (n UInt8)")
    one.command("insert into mine values (1), (2)")
    equal(one.command("select sum(n) from mine"), 3)
    fails(60, lambda: two.query("select * from mine"))
    equal(connect(session_id="one").command("select count() from mine"), 2)
    outcomes = []

    def use(client):
        try:
            client.query("select sleep(2)")
            outcomes.append("ran")
        except DatabaseError as error:
            outcomes.append("refused" if "SESSION_IS_LOCKED" in str(error) else str(error))

    users = [threading.Thread(target=use, args=(client,)) for client in (two, connect(session_id="two"))]
    for user in users:
        user.start()
    for user in users:
        user.join()
    equal(sorted(outcomes), ["ran", "refused"])
    equal(two.command("select 1"), 1)


def concurrent_queries():
    failures = []

    def work(worker):
        try:
            client = connect(autogenerate_session_id=False)
            for i in range(20):
                equal(client.command(f"select {worker} * 1000 + {i}"), worker * 1000 + i)
                client.insert("shop.parallel", [[worker, i]], column_names=["w", "i"])
        except Exception as error:  # reported below, in the main thread
            failures.append(error)

    connect().command("create table shop.parallel (w UInt32, i UInt32) engine = MergeTree order by (w, i)")
    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failures, [])
    equal(connect().query("select count(), uniqExact(w, i) from shop.parallel").result_rows, [(160, 160)])


def insert_tokens(client):
    client.command(
        "create table shop.once (n UInt32) engine = MergeTree order by n settings non_replicated_deduplication_window = 100"
    )
    for token in ["a", "a", "b"]:
        client.insert("shop.once", [[1]], column_names=["n"], settings={"insert_deduplication_token": token})
    equal(client.command("select count() from shop.once"), 2)


def main():
    client = connect()
    checks = [
        (ddl, client), (native_inserts_in_every_coding,), (arrow, client), (raw_inserts, client), (selects, client),
        (errors, client), (settings, client), (sessions,), (concurrent_queries,), (insert_tokens, client),
    ]  # fmt: skip
    for check, *arguments in checks:
        try:
            check(*arguments)
        except BaseException:
            print(f"failed: {check.__name__}", file=sys.stderr)
            raise
        print(f"ok: {check.__name__}")


main()
