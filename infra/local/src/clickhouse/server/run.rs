//! Runs one statement on the engine, in a thread that may block.

use bytes::Bytes;
use millrace_chdb::{Class, Connection, Engine, Progress};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, mpsc, oneshot};

use super::{
    codec,
    failure::{Failure, code},
    request::Request,
    session::Session,
    statement::Statement,
};

/// Data of an insert is handed over in pieces of this size.
const PIECE: usize = 1024 * 1024;

/// What is known when the first bytes of the answer are.
#[derive(Debug)]
pub(super) struct Head {
    /// Format of the answer.
    pub format: String,
    /// What the statement did; not known yet while the result is still coming.
    pub progress: Option<Progress>,
}

/// A statement and where its answer goes.
pub(super) struct Job {
    pub engine: Engine,
    pub request: Request,
    pub session: Option<OwnedMutexGuard<Session>>,
    /// Released when the statement has ended.
    pub permit: OwnedSemaphorePermit,
    pub head: oneshot::Sender<Result<Head, Failure>>,
    pub chunks: mpsc::Sender<Result<Bytes, Failure>>,
}

impl Job {
    /// Runs it to its end. The answer's head goes out first, then its bytes.
    pub(super) fn run(self) {
        let Job { engine, request, session, permit, head, chunks } = self;
        let mut answer = Answer { head: Some(head), chunks, compress: request.compress };
        let result = match session {
            Some(mut session) => {
                let result = session
                    .connection(&engine)
                    .and_then(|connection| in_session(connection, &request, &mut answer));
                session.touch();
                result
            }
            None => engine.connect().map_err(Failure::from).and_then(|mut connection| {
                set(&mut connection, &request.settings)?;
                execute(&mut connection, &request, &mut answer)
            }),
        };
        drop(permit);
        if let Err(failure) = result {
            answer.fail(failure);
        }
    }
}

/// The way back to the client. A client that is gone makes sending fail, which ends the statement.
struct Answer {
    head: Option<oneshot::Sender<Result<Head, Failure>>>,
    chunks: mpsc::Sender<Result<Bytes, Failure>>,
    compress: bool,
}

struct ClientGone;

impl Answer {
    fn start(&mut self, head: Head) -> Result<(), ClientGone> {
        let sender = self.head.take().expect("an answer has one head");
        sender.send(Ok(head)).map_err(|_| ClientGone)
    }

    fn send(&self, bytes: Vec<u8>) -> Result<(), ClientGone> {
        let bytes = if self.compress { codec::encode_blocks(&bytes) } else { bytes };
        self.chunks.blocking_send(Ok(bytes.into())).map_err(|_| ClientGone)
    }

    fn fail(mut self, failure: Failure) {
        // Nobody to tell if the client is gone.
        match self.head.take() {
            Some(head) => drop(head.send(Err(failure))),
            None => drop(self.chunks.blocking_send(Err(failure))),
        }
    }

    fn whole(&mut self, format: String, bytes: Vec<u8>, progress: Progress) {
        // A client that is gone needs no answer, and the statement has ended anyway.
        let _ =
            self.start(Head { format, progress: Some(progress) }).and_then(|()| self.send(bytes));
    }
}

/// In a session a request's settings hold for its statement only, so what they replace is put back.
fn in_session(
    connection: &mut Connection,
    request: &Request,
    answer: &mut Answer,
) -> Result<(), Failure> {
    if request.settings.is_empty() {
        return execute(connection, request, answer);
    }
    let before = current(connection, &request.settings)?;
    set(connection, &request.settings)?;
    let result = execute(connection, request, answer);
    restore(connection, &before)?;
    result
}

fn execute(
    connection: &mut Connection,
    request: &Request,
    answer: &mut Answer,
) -> Result<(), Failure> {
    if let Some(database) = &request.database {
        connection.query(format!("use {}", quoted(database, '`')).as_bytes(), "Null", &[])?;
    }
    let text = request.text.as_slice();
    let statement = Statement::scan(text);
    if statement.names_client_file {
        let reason = "INTO OUTFILE and FROM INFILE name files of a client, which HTTP doesn't have: send the data in the body. (NOT_IMPLEMENTED)";
        return Err(Failure::new(code::NOT_IMPLEMENTED, reason.into()));
    }
    if let ("insert", Some(clause)) = (statement.verb.as_str(), &statement.format) {
        return if request.read_only {
            Err(read_only())
        } else {
            insert(connection, clause, &request.params, answer)
        };
    }

    let analysis = connection.classify(text)?;
    if analysis.statements > 1 {
        return Err(Failure::new(
            code::SYNTAX_ERROR,
            "Syntax error: Multi-statements are not allowed. (SYNTAX_ERROR)".into(),
        ));
    }
    if request.read_only && !matches!(analysis.class, Class::ReadOnly | Class::Unknown) {
        return Err(read_only());
    }
    let default_format = request.default_format.as_deref().unwrap_or("TabSeparated");
    let format = statement.format.as_ref().map_or(default_format, |clause| clause.name).to_owned();
    let is_select =
        matches!(statement.verb.as_str(), "select" | "with") && analysis.class == Class::ReadOnly;
    let extremes = request.settings.iter().any(|(name, _)| name == "extremes");
    match Header::of(&format) {
        Some(header)
            if is_select && !request.wait_end_of_query && !statement.has_totals && !extremes =>
        {
            stream(connection, request, format, header, answer)
        }
        _ => {
            let output = connection.query(text, &format, &request.params)?;
            answer.whole(format, output.bytes, output.progress);
            Ok(())
        }
    }
}

fn read_only() -> Failure {
    let reason = "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly: use POST. (READONLY)";
    Failure::new(code::READONLY, reason.into())
}

fn insert(
    connection: &mut Connection,
    clause: &super::statement::FormatClause<'_>,
    params: &[(String, String)],
    answer: &mut Answer,
) -> Result<(), Failure> {
    let mut insert = connection.insert(clause.before, clause.name, params)?;
    for piece in clause.data().chunks(PIECE) {
        insert.append(piece)?;
    }
    let output = insert.finish()?;
    answer.whole("TabSeparated".into(), Vec::new(), output.progress);
    Ok(())
}

fn stream(
    connection: &mut Connection,
    request: &Request,
    format: String,
    header: Header,
    answer: &mut Answer,
) -> Result<(), Failure> {
    let mut stream = connection.stream(&request.text, &format, &request.params)?;
    // The first block decides between an answer and an error status.
    let Some(first) = stream.fetch()? else {
        answer.whole(format, Vec::new(), Progress::default());
        return Ok(());
    };
    let repeated = header.length(&first.bytes);
    let mut sent =
        answer.start(Head { format, progress: None }).and_then(|()| answer.send(first.bytes));
    // Dropping the stream cancels the query when the client is gone.
    while sent.is_ok() {
        match stream.fetch()? {
            Some(block) => sent = answer.send(block.bytes[repeated..].to_vec()),
            None => break,
        }
    }
    Ok(())
}

/// How blocks of a format become one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    /// Blocks just follow each other.
    None,
    /// Each block repeats column names, and types if the flag is set.
    Binary { types: bool },
}

impl Header {
    /// `None` for formats whose blocks can't be joined; their results are answered whole.
    fn of(format: &str) -> Option<Header> {
        match format.to_ascii_lowercase().as_str() {
            "native" | "rowbinary" | "tabseparated" | "tsv" | "csv" | "jsoneachrow" => {
                Some(Header::None)
            }
            "rowbinarywithnames" => Some(Header::Binary { types: false }),
            "rowbinarywithnamesandtypes" => Some(Header::Binary { types: true }),
            _ => None,
        }
    }

    /// Bytes at the start of a block that later blocks repeat.
    fn length(self, block: &[u8]) -> usize {
        let Header::Binary { types } = self else { return 0 };
        let mut at = 0;
        let columns = variable_length(block, &mut at);
        for _ in 0..columns * if types { 2 } else { 1 } {
            let length = variable_length(block, &mut at);
            at += length;
        }
        at.min(block.len())
    }
}

/// LEB128, as ClickHouse writes lengths.
fn variable_length(bytes: &[u8], at: &mut usize) -> usize {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let Some(byte) = bytes.get(*at) else { break };
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn set(connection: &mut Connection, settings: &[(String, String)]) -> Result<(), Failure> {
    if settings.is_empty() {
        return Ok(());
    }
    let assignments: Vec<_> = settings
        .iter()
        .map(|(name, value)| format!("{} = {}", quoted(name, '`'), quoted(value, '\'')))
        .collect();
    connection.query(format!("set {}", assignments.join(", ")).as_bytes(), "Null", &[])?;
    Ok(())
}

/// Values of settings that were changed before; `None` for those at their default.
fn current(
    connection: &mut Connection,
    settings: &[(String, String)],
) -> Result<Vec<(String, Option<String>)>, Failure> {
    let mut values = Vec::new();
    for (name, _) in settings {
        let params = [("name".to_owned(), name.clone())];
        let sql = b"select value from system.settings where name = {name:String} and changed";
        let output = connection.query(sql, "RowBinary", &params)?;
        let mut at = 0;
        let length = variable_length(&output.bytes, &mut at);
        let value = (!output.bytes.is_empty())
            .then(|| String::from_utf8_lossy(&output.bytes[at..at + length]).into_owned());
        values.push((name.clone(), value));
    }
    Ok(values)
}

fn restore(
    connection: &mut Connection,
    before: &[(String, Option<String>)],
) -> Result<(), Failure> {
    let assignments: Vec<_> = before
        .iter()
        .map(|(name, value)| {
            let value = value.as_ref().map_or("default".to_owned(), |value| quoted(value, '\''));
            format!("{} = {value}", quoted(name, '`'))
        })
        .collect();
    connection.query(format!("set {}", assignments.join(", ")).as_bytes(), "Null", &[])?;
    Ok(())
}

fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for c in text.chars() {
        if c == quote || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repeated_header_is_measured() {
        let block = b"\x01\x06number\x06UInt64\x00\x00\x00\x00\x00\x00\x00\x00";
        assert_eq!(Header::of("RowBinaryWithNamesAndTypes").unwrap().length(block), 15);
        assert_eq!(Header::of("RowBinaryWithNames").unwrap().length(block), 8);
        assert_eq!(Header::of("Native").unwrap().length(block), 0);
        assert_eq!(Header::of("JSON"), None);
    }

    #[test]
    fn quotes_cannot_be_left() {
        assert_eq!(quoted("a'b\\", '\''), "'a\\'b\\\\'");
        assert_eq!(quoted("a`b", '`'), "`a\\`b`");
    }
}
