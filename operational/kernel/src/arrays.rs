//! Arrays as PostgreSQL writes them: the lines of many documents are arrays in an array, which it
//! takes only as text, for example `unnest($1::text[])::numeric[]`.

use std::fmt::{Display, Write};

/// `{1,2}` of what needs no quotes: numbers, dates, ids.
pub fn of_values<T: Display>(cells: impl Iterator<Item = T>) -> String {
    of_options(cells.map(Some))
}

/// As [`of_values`]; none is `NULL`.
pub fn of_options<T: Display>(cells: impl Iterator<Item = Option<T>>) -> String {
    let mut literal = String::with_capacity(64);
    literal.push('{');
    for cell in cells {
        match cell {
            Some(cell) => write!(literal, "{cell},"),
            None => write!(literal, "NULL,"),
        }
        .expect("a string takes any text");
    }
    close(literal)
}

/// `{"a","b"}` of texts.
pub fn of_texts<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let mut literal = String::with_capacity(64);
    literal.push('{');
    for cell in cells {
        literal.push('"');
        for character in cell.chars() {
            if matches!(character, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(character);
        }
        literal.push_str("\",");
    }
    close(literal)
}

/// The bracket in place of the last comma.
fn close(mut literal: String) -> String {
    if literal.ends_with(',') {
        literal.pop();
    }
    literal.push('}');
    literal
}

#[cfg(test)]
mod tests {
    use super::{of_options, of_texts, of_values};

    #[test]
    fn cells_are_written_as_postgresql_reads_them() {
        assert_eq!(of_values([1, 2].iter()), "{1,2}");
        assert_eq!(of_options([Some(1), None].into_iter()), "{1,NULL}");
        assert_eq!(of_values(std::iter::empty::<i32>()), "{}");
        assert_eq!(of_texts(["1000", "a\"b\\c,}", ""].into_iter()), r#"{"1000","a\"b\\c,}",""}"#);
    }
}
