//! The wrapper against the real library. One test: a process has one engine with one data folder.

use std::path::PathBuf;

use millrace_chdb::{Class, Connection, Engine, Error, Result};

fn library() -> PathBuf {
    let cache = std::env::var_os("MILLRACE_CACHE").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/millrace")
    });
    cache.join("chdb/libchdb.so")
}

fn select(connection: &mut Connection, sql: &str) -> Result<String> {
    let output = connection.query(sql.as_bytes(), "TabSeparated", &[])?;
    Ok(String::from_utf8(output.bytes).expect("text"))
}

fn code(error: Error) -> u32 {
    match error {
        Error::Query { code, .. } => code,
        other => panic!("not the engine's error: {other}"),
    }
}

#[test]
fn the_engine_through_its_wrapper() -> Result<()> {
    let data = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::load(&library(), data.path(), &[])?;
    let mut connection = engine.connect()?;

    // Statements, parameters, errors with ClickHouse's codes.
    assert_eq!(select(&mut connection, "select 1 + 1")?, "2\n");
    let params = [("n".to_owned(), "7".to_owned()), ("s".to_owned(), "it's".to_owned())];
    let output = connection.query(b"select {n:UInt8}, {s:String}", "CSV", &params)?;
    assert_eq!(output.bytes, b"7,\"it's\"\n");
    assert_eq!(code(select(&mut connection, "select * from missing").unwrap_err()), 60);
    assert_eq!(code(select(&mut connection, "selec 1").unwrap_err()), 62);

    // Inserts in pieces, cut anywhere; binary zeros; nothing written when the data is cut off.
    select(&mut connection, "create table t (n UInt32, s String) engine = MergeTree order by n")?;
    let row = [7, 0, 0, 0, 3, b'a', 0, b'c'];
    let mut insert = connection.insert(b"insert into t (n, s)", "RowBinary", &[])?;
    insert.append(&row[..5])?;
    insert.append(&row[5..])?;
    assert_eq!(insert.finish()?.progress.rows_written, 1);
    assert_eq!(select(&mut connection, "select n, hex(s) from t")?, "7\t610063\n");
    let mut insert = connection.insert(b"insert into t (n, s)", "RowBinary", &[])?;
    insert.append(&row[..6])?;
    assert_eq!(code(insert.finish().unwrap_err()), 33);
    let insert = connection.insert(b"insert into t (n, s)", "RowBinary", &[])?;
    drop(insert);
    assert_eq!(code(connection.insert(b"insert into missing", "RowBinary", &[]).unwrap_err()), 60);
    assert_eq!(select(&mut connection, "select count() from t")?, "1\n");

    // Streams: all blocks, an error in the middle, cancelled early with the connection still good.
    let mut rows = 0;
    let mut stream = connection.stream(b"select number from numbers(200000)", "RowBinary", &[])?;
    while let Some(block) = stream.fetch()? {
        rows += block.bytes.len() / 8;
    }
    assert_eq!((rows, stream.fetch()?.is_none()), (200_000, true));
    drop(stream);
    let mut stream = connection.stream(
        b"select throwIf(number = 150000) from numbers(200000) settings max_block_size = 65536",
        "RowBinary",
        &[],
    )?;
    let error = loop {
        match stream.fetch() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the error was lost"),
            Err(error) => break error,
        }
    };
    assert_eq!(code(error), 395);
    drop(stream);
    let mut stream = connection.stream(b"select number from system.numbers", "RowBinary", &[])?;
    assert!(stream.fetch()?.is_some());
    drop(stream);
    assert_eq!(select(&mut connection, "select 3")?, "3\n");

    // What a statement would do.
    let kind = |connection: &mut Connection, sql: &str| {
        connection.classify(sql.as_bytes()).map(|a| (a.statements, a.class))
    };
    assert_eq!(kind(&mut connection, "select 1")?, (1, Class::ReadOnly));
    assert_eq!(kind(&mut connection, "drop table t; select 1")?, (2, Class::Mutating));
    assert_eq!(kind(&mut connection, "set max_threads = 1")?, (1, Class::Control));
    assert_eq!(kind(&mut connection, "drop nonsense from")?, (0, Class::Unknown));

    // Sessions are separate and run side by side.
    let mut other = engine.connect()?;
    select(&mut other, "create temporary table only_here (n UInt8)")?;
    assert_eq!(code(select(&mut connection, "select * from only_here").unwrap_err()), 60);
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let engine = engine.clone();
            std::thread::spawn(move || {
                let mut connection = engine.connect()?;
                (0..25).try_for_each(|i| {
                    let answer = select(&mut connection, &format!("select {thread} * 100 + {i}"))?;
                    assert_eq!(answer, format!("{}\n", thread * 100 + i));
                    Ok(())
                })
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic")?;
    }
    Ok(())
}
