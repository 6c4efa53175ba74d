//! What DataFusion says of a view's text, told with its place and what to write instead.

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use super::{Fault, Text, closest};

/// Names that are listed where none is like the wrong one.
const LISTED_MAX: usize = 12;
/// Words that a slip is compared with.
const WORDS: &[&str] = &[
    "select",
    "from",
    "where",
    "group",
    "by",
    "having",
    "order",
    "limit",
    "offset",
    "join",
    "left",
    "right",
    "full",
    "inner",
    "outer",
    "cross",
    "on",
    "using",
    "with",
    "as",
    "union",
    "intersect",
    "except",
    "distinct",
    "qualify",
    "over",
    "partition",
    "between",
    "case",
    "when",
    "then",
    "else",
    "end",
    "and",
    "or",
    "not",
    "in",
    "exists",
    "is",
    "null",
    "interval",
];

/// What is wrong with the SQL of `view`, as DataFusion told it in `error`. `tables` are those it may read.
pub fn planning(view: &str, sql: &str, tables: &[&str], error: &DataFusionError) -> Fault {
    let text = Text::new(sql);
    let said = error.diagnostic();
    let spans = said
        .into_iter()
        .flat_map(|said| std::iter::once(said.span).chain(said.notes.iter().map(|note| note.span)));
    let place = spans.flatten().find_map(|span| text.span(span));
    let fault = |problem: String| Fault::of_view(view, problem, place.clone());
    let root = error.find_root();
    match root {
        DataFusionError::SQL(parser, _) => return syntax(view, &text, parser),
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::DuplicateUnqualifiedField { name }
            | SchemaError::DuplicateQualifiedField { name, .. } => {
                return two_columns(view, &text, name);
            }
            SchemaError::FieldNotFound { field, valid_fields } => {
                return no_column(fault(String::new()), &text, field, valid_fields);
            }
            SchemaError::AmbiguousReference { field } => {
                let notes = said.map(|said| said.notes.as_slice()).unwrap_or_default().iter();
                let possible =
                    notes.filter_map(|note| note.message.strip_prefix("possible column "));
                let possible: Vec<&str> = possible.collect();
                if place.is_none() && text.output(field.name(), 1).is_some() {
                    return two_columns(view, &text, field.name());
                }
                let ambiguous =
                    fault(format!("more than one table has a column \"{}\"", field.name()));
                return match possible.is_empty() {
                    true => ambiguous.with_help("name the table too, as in t.column"),
                    false => ambiguous.with_help(format!("write {}", possible.join(" or "))),
                };
            }
        },
        _ => {}
    }
    let told = message(root);
    if let Some(table) = said.and_then(|said| quoted_in(&said.message, "table '", "' not found")) {
        let missing = fault(format!("no relation or view is called \"{table}\""));
        return match known(table, tables) {
            Some(help) => missing.with_help(help),
            None => missing,
        };
    }
    if let Some(function) = quoted_in(&told, "Invalid function '", "'") {
        let missing = fault(format!("there is no function \"{function}\""));
        return match quoted_in(&told, "Did you mean '", "'") {
            Some(meant) => missing.with_help(format!("did you mean \"{meant}\"?")),
            None => missing,
        };
    }
    if let Some(column) = quoted_in(&told, "column \"", "\" must appear in the GROUP BY clause") {
        let help = format!("add it to group by, or write first_value({column})");
        return fault(format!("{column} is neither grouped by nor in an aggregate function"))
            .with_help(help);
    }
    if let Some(call) = quoted_in(&told, "the given name and argument types '", "'") {
        return no_call(fault(String::new()), &text, call, &told);
    }
    if told.contains("unique expression names") {
        let name = quoted_in(&told, "expression \"", "\"").unwrap_or_default();
        let name = name.rsplit(['.', ' ']).next().unwrap_or_default();
        return two_columns(view, &text, name);
    }
    if told.contains("No SQL statements") {
        return fault("there is no statement".to_owned()).with_help("a view is one select");
    }
    if told.contains("single SQL statement") {
        return Fault::of_view(view, "there is more than one statement", text.second_statement())
            .with_help("a view is one select");
    }
    let help = said.and_then(|said| said.helps.first()).map(|help| help.message.as_str());
    other(fault(String::new()), &text, &told, help)
}

/// That a column of the view has the name of one before it.
pub(crate) fn two_columns(view: &str, text: &Text<'_>, name: &str) -> Fault {
    Fault::of_view(view, format!("two columns are called {name}"), text.output(name, 1))
        .with_help("give one another name with `as`")
}

/// The message without the kind of error and without a backtrace.
fn message(error: &DataFusionError) -> String {
    let message = error.message().into_owned();
    message.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or_default().to_owned()
}

/// What stands between `before` and `after`.
fn quoted_in<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(quoted, _)| quoted)
}

/// A name like the wrong one, else those there are.
fn known(name: &str, names: &[&str]) -> Option<String> {
    if let Some(meant) = closest(name, names.iter().copied()) {
        return Some(format!("did you mean \"{meant}\"?"));
    }
    let shown = names.iter().take(LISTED_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        all if all > LISTED_MAX => Some(format!("there are {shown} and {} more", all - LISTED_MAX)),
        _ => Some(format!("there are {shown}")),
    }
}

fn no_column(fault: Fault, text: &Text<'_>, field: &Column, valid: &[Column]) -> Fault {
    let name = field.name();
    let problem = match &field.relation {
        Some(relation) => format!("{relation} has no column \"{name}\""),
        None => format!("there is no column \"{name}\""),
    };
    let of_relation =
        |column: &&Column| field.relation.is_none() || column.relation == field.relation;
    let mut names: Vec<&str> = valid.iter().filter(of_relation).map(Column::name).collect();
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(*name));
    let help = match (&field.relation, names.is_empty()) {
        (Some(relation), true) => {
            let mut tables: Vec<String> = valid
                .iter()
                .filter_map(|column| column.relation.as_ref())
                .map(ToString::to_string)
                .collect();
            tables.dedup();
            known(relation.table(), &tables.iter().map(String::as_str).collect::<Vec<_>>())
        }
        _ => known(name, &names),
    };
    let place = fault.place.or_else(|| text.words(&[name]));
    Fault { problem, place, help, ..fault }
}

/// What the parser could not read.
fn syntax(view: &str, text: &Text<'_>, error: &ParserError) -> Fault {
    let told = match error {
        ParserError::ParserError(told) | ParserError::TokenizerError(told) => told.as_str(),
        ParserError::RecursionLimitExceeded => {
            return Fault::of_view(view, "it is nested too deeply", text.beginning())
                .with_help("give the inner parts names by `with`");
        }
    };
    let Some((problem, line, column)) = located(told) else {
        let place = match told.contains("found: EOF") {
            true => text.end(),
            false => text.second_statement(),
        };
        return Fault::of_view(
            view,
            told.replace("found: EOF", "found the end of the text"),
            place,
        );
    };
    let place = text.token_at(line, column);
    let fault = Fault::of_view(view, problem, place);
    let found = problem.rsplit_once("found: ").map(|(_, found)| found);
    let is_word = |word: &str| WORDS.contains(&word.to_lowercase().as_str());
    if let Some(meant) = found.filter(|found| !is_word(found)).and_then(|found| slip(found)) {
        return fault.with_help(format!("did you mean {meant}?"));
    }
    // A slip in a keyword reads as a name, and what follows is what the parser stumbles over.
    match text.word_before(line, column).filter(|(word, _)| !is_word(word)) {
        Some((word, place)) if slip(word).is_some() => {
            let meant = slip(word).unwrap_or_default();
            Fault { place, ..fault }.with_help(format!("is \"{word}\" meant to be {meant}?"))
        }
        _ => fault,
    }
}

fn slip(word: &str) -> Option<&'static str> {
    closest(word, WORDS.iter().copied().filter(|known| known.len() > 2))
}

/// The message before ` at Line: 3, Column: 5`, and these numbers.
fn located(told: &str) -> Option<(&str, u64, u64)> {
    let (problem, place) = told.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits = column.split(|letter: char| !letter.is_ascii_digit()).next()?;
    Some((problem, line.parse().ok()?, digits.parse().ok()?))
}

/// A call of a known function with what it does not take.
fn no_call(fault: Fault, text: &Text<'_>, call: &str, told: &str) -> Fault {
    let name = call.split('(').next().unwrap_or_default();
    let candidates = told.split_once("Candidate functions:").map(|(_, candidates)| candidates);
    let candidates: Vec<&str> = candidates
        .unwrap_or_default()
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let help = match candidates.is_empty() {
        true => "cast its arguments".to_owned(),
        false => format!("there are {}: cast its arguments", candidates.join(", ")),
    };
    let place = fault.place.or_else(|| text.words(&[name]));
    Fault { problem: format!("there is no {call}"), place, help: Some(help), ..fault }
}

/// Anything else: the first line is the problem; a name it quotes tells the place.
fn other(fault: Fault, text: &Text<'_>, told: &str, help: Option<&str>) -> Fault {
    let (problem, rest) = told.split_once('\n').unwrap_or((told, ""));
    let quoted = told.split(['\'', '"', '`']).skip(1).step_by(2);
    let data_type = told.strip_prefix("Unsupported SQL type ");
    let named = |name: &str| text.words(&[name.split('(').next().unwrap_or_default()]);
    let place = fault.place.or_else(|| quoted.chain(data_type).find_map(named));
    let rest: Vec<&str> = rest.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect();
    let help = help.map(str::to_owned).or_else(|| (!rest.is_empty()).then(|| rest.join("; ")));
    Fault { problem: problem.to_owned(), place, help, ..fault }
}
