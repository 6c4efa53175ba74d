//! A view's text as words with their places, to find again what a plan does not keep the place of.

use datafusion::common::Span;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast::{
    Expr as Ast, Select, SelectItem, SetExpr, Spanned, Statement,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{
    Location, Span as SqlSpan, Token, TokenWithSpan, Tokenizer,
};

use super::Place;

/// A view's text.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    sql: &'a str,
    /// Without white space and comments; up to where it can't be read.
    tokens: Vec<TokenWithSpan>,
}

impl<'a> Text<'a> {
    pub fn new(sql: &'a str) -> Self {
        let mut tokens = Vec::new();
        // What can't be read is told by the parser.
        let _ =
            Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location_into_buf(&mut tokens);
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
        Self { sql, tokens }
    }

    fn place(&self, span: SqlSpan) -> Option<Place> {
        let at = |location: Location| (location.line, location.column);
        Place::of(self.sql, at(span.start), at(span.end))
    }

    /// Where DataFusion says.
    pub fn span(&self, span: Span) -> Option<Place> {
        let (start, end) = (span.start, span.end);
        Place::of(self.sql, (start.line, start.column), (end.line, end.column))
    }

    /// The word or sign at a line and column.
    pub fn token_at(&self, line: u64, column: u64) -> Option<Place> {
        let start = Location { line, column };
        let token = self.tokens.iter().find(|token| token.span.start == start);
        match token {
            Some(token) => self.place(token.span),
            None => Place::of(self.sql, (line, column), (line, column + 1)),
        }
    }

    /// The word before a line and column.
    pub fn word_before(&self, line: u64, column: u64) -> Option<(&str, Option<Place>)> {
        let before =
            self.tokens.iter().rev().find(|token| token.span.start < Location { line, column })?;
        match &before.token {
            Token::Word(word) if word.quote_style.is_none() => {
                Some((word.value.as_str(), self.place(before.span)))
            }
            _ => None,
        }
    }

    /// The first word or sign.
    pub fn beginning(&self) -> Option<Place> {
        self.place(self.tokens.first()?.span)
    }

    /// Behind the last word or sign.
    pub fn end(&self) -> Option<Place> {
        let end = self.tokens.last()?.span.end;
        Place::of(self.sql, (end.line, end.column), (end.line, end.column + 1))
    }

    /// What follows the first `;`.
    pub fn second_statement(&self) -> Option<Place> {
        let ends = self.tokens.iter().position(|token| token.token == Token::SemiColon)?;
        self.place(self.tokens.get(ends + 1)?.span)
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        matches!(self.tokens.get(at), Some(TokenWithSpan { token: Token::Word(found), .. })
            if found.value.eq_ignore_ascii_case(word))
    }

    /// Words that follow one another, if they stand in one place only.
    pub fn words(&self, words: &[&str]) -> Option<Place> {
        let stand =
            |at: &usize| words.iter().enumerate().all(|(next, word)| self.is_word(at + next, word));
        let mut found = (0..self.tokens.len()).filter(stand);
        let first = found.next()?;
        let last = self.tokens[first + words.len() - 1].span;
        match found.next() {
            None => self.place(SqlSpan::new(self.tokens[first].span.start, last.end)),
            Some(_) => None,
        }
    }

    /// The first call of a function whose arguments, `over` or `order by` hold one of `inside`; without any
    /// of these the first one there is.
    pub fn call(&self, name: &str, inside: &[Span]) -> Option<Place> {
        let begins = |at: &usize| {
            self.is_word(*at, name)
                && self.tokens.get(at + 1).is_some_and(|next| next.token == Token::LParen)
        };
        let calls: Vec<usize> = (0..self.tokens.len()).filter(begins).collect();
        let holds = |at: &&usize| {
            let end = self.tokens[self.end_of_call(**at)].span.end;
            inside.iter().any(|span| {
                let start = Location { line: span.start.line, column: span.start.column };
                start >= self.tokens[**at].span.start && start < end
            })
        };
        let found = match calls.as_slice() {
            [only] => Some(only),
            several if inside.is_empty() => several.first(),
            several => several.iter().find(holds),
        };
        self.place(self.tokens[*found?].span)
    }

    /// The last token of the call that begins with the token `at`, with its `over (…)`.
    fn end_of_call(&self, at: usize) -> usize {
        let mut depth = 0_usize;
        let last = self.tokens.len() - 1;
        for next in at + 1..=last {
            match &self.tokens[next].token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && !(self.is_word(next + 1, "over") || self.is_word(next, "over")) {
                return next;
            }
        }
        last
    }

    /// The function an expression calls, or else its first column.
    pub fn expression(&self, expression: &Expr) -> Option<Place> {
        let (mut calls, mut spans): (Vec<String>, Vec<Span>) = (Vec::new(), Vec::new());
        let visited = expression.apply(|part| {
            match part {
                Expr::ScalarFunction(call) => calls.push(call.func.name().to_owned()),
                Expr::AggregateFunction(call) => calls.push(call.func.name().to_owned()),
                Expr::WindowFunction(call) => calls.push(call.fun.name().to_owned()),
                Expr::Column(column) | Expr::OuterReferenceColumn(_, column) => {
                    spans.extend(column.spans().iter());
                }
                Expr::ScalarSubquery(subquery) => {
                    spans.extend(subquery.outer_ref_columns.iter().filter_map(
                        |outer| match outer {
                            Expr::OuterReferenceColumn(_, column) => column.spans().first(),
                            _ => None,
                        },
                    ));
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        });
        visited.expect("looking changes nothing");
        let call = calls.iter().find_map(|name| self.call(name, &spans));
        call.or_else(|| self.span(*spans.first()?))
    }

    /// The output column of that name, or the one after it of the same name.
    pub fn output(&self, name: &str, nth: usize) -> Option<Place> {
        let statements = Parser::parse_sql(&GenericDialect {}, self.sql).ok()?;
        let Some(Statement::Query(query)) = statements.first() else { return None };
        let mut items = first_select(&query.body)?.projection.iter().filter(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.value.eq_ignore_ascii_case(name),
            SelectItem::UnnamedExpr(Ast::Identifier(column)) => {
                column.value.eq_ignore_ascii_case(name)
            }
            SelectItem::UnnamedExpr(Ast::CompoundIdentifier(parts)) => {
                parts.last().is_some_and(|column| column.value.eq_ignore_ascii_case(name))
            }
            _ => false,
        });
        self.place(items.nth(nth)?.span())
    }
}

fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: Option<Place>) -> (usize, usize, usize) {
        place.map_or((0, 0, 0), |place| (place.line, place.column, place.length))
    }

    #[test]
    fn words_in_comments_and_texts_are_none() {
        let text = Text::new("-- random()\nselect 'random()', /* random( */\n  Random () from t");
        assert_eq!(at(text.call("random", &[])), (3, 3, 6));
        assert_eq!(at(text.words(&["random"])), (3, 3, 6));
        assert_eq!(text.words(&["select", "t"]), None);
    }

    #[test]
    fn of_several_calls_the_one_with_the_column_is_meant() {
        let sql = "select sum(a) over (order by b), sum(c),\nsum(d) from t";
        let text = Text::new(sql);
        let inside = |line, column| {
            let location = datafusion::common::Location { line, column };
            [Span::new(location, location)]
        };
        assert_eq!(at(text.call("sum", &inside(1, 30))), (1, 8, 3));
        assert_eq!(at(text.call("sum", &inside(1, 38))), (1, 34, 3));
        assert_eq!(at(text.call("sum", &inside(2, 5))), (2, 1, 3));
        assert_eq!(text.call("sum", &inside(2, 13)), None);
    }

    #[test]
    fn output_columns_are_found_by_their_names() {
        let text = Text::new("select a.id, b.name,\n  b.id, 1 + 1 as name from a cross join b");
        assert_eq!(at(text.output("id", 1)), (2, 3, 4));
        assert_eq!(at(text.output("name", 1)), (2, 9, 13));
        assert_eq!(text.output("name", 2), None);
    }
}
