//! What an expression may speak of.

/// What can be done with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Decimal,
    /// A multiple of a small power of two, so that sums of few are exact.
    Float,
    Date,
    Time,
    Boolean,
    /// A float that depends on the order of a sum: it is given out and nothing is made of it.
    Inexact,
}

impl Kind {
    pub fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal | Self::Float)
    }
}

/// A column by its qualified name.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// Something behind `from`, with what can be said of it.
#[derive(Debug, Clone)]
pub struct From {
    pub sql: String,
    pub columns: Vec<Column>,
}

impl From {
    /// Columns with which something can be made.
    pub fn of(sql: String, alias: &str, columns: &[(String, Kind)]) -> Self {
        let known = columns.iter().filter(|(_, kind)| *kind != Kind::Inexact);
        let column =
            |(name, kind): &(String, Kind)| Column { name: format!("{alias}.{name}"), kind: *kind };
        Self { sql, columns: known.map(column).collect() }
    }

    pub fn of_kind(&self, wanted: impl Fn(Kind) -> bool) -> Vec<&Column> {
        self.columns.iter().filter(|column| wanted(column.kind)).collect()
    }
}

/// The columns of a table that expressions can be made of.
pub fn base(table: &str) -> Vec<(String, Kind)> {
    let columns: &[(&str, Kind)] = match table {
        "moves" => &[
            ("product", Kind::Text),
            ("shop", Kind::Text),
            ("quantity", Kind::Integer),
            ("small", Kind::Integer),
            ("cost", Kind::Decimal),
            ("ratio", Kind::Float),
            ("day", Kind::Date),
            ("is_return", Kind::Boolean),
        ],
        "products" => &[
            ("product", Kind::Text),
            ("category", Kind::Text),
            ("price", Kind::Decimal),
            ("version", Kind::Integer),
        ],
        "shops" => &[("shop", Kind::Text), ("region", Kind::Text), ("size", Kind::Integer)],
        _ => &[
            ("sale_id", Kind::Text),
            ("shop", Kind::Text),
            ("sold_at", Kind::Time),
            ("total", Kind::Decimal),
        ],
    };
    columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
}
