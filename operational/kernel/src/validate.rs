//! Checks that need no database. All fields are looked at, so that a form is mended in one go.

use std::fmt::Display;

use crate::{Error, FieldError, Result};

/// A body that can say everything that is wrong with it at once.
pub trait Validate {
    fn validate(&self, errors: &mut FieldErrors);

    /// # Errors
    /// [`Error::Invalid`] naming each refused field.
    fn check(&self) -> Result<()> {
        let mut errors = FieldErrors::default();
        self.validate(&mut errors);
        errors.into_result()
    }
}

impl<T: Validate> Validate for Vec<T> {
    fn validate(&self, errors: &mut FieldErrors) {
        for (index, item) in self.iter().enumerate() {
            errors.within(&format!("[{index}]"), |errors| item.validate(errors));
        }
    }
}

/// Collects refused fields with their path.
#[derive(Debug, Default)]
pub struct FieldErrors {
    prefix: String,
    errors: Vec<FieldError>,
}

impl FieldErrors {
    pub fn push(&mut self, field: &str, code: &str, message: impl Display) {
        let field = match (self.prefix.is_empty(), field.is_empty()) {
            (true, _) => field.to_owned(),
            (false, true) => self.prefix.clone(),
            (false, false) => format!("{}.{field}", self.prefix),
        };
        self.errors.push(FieldError { field, code: code.into(), message: message.to_string() });
    }

    /// Refuses `field` unless `holds`.
    pub fn require(&mut self, holds: bool, field: &str, code: &str, message: impl Display) {
        if !holds {
            self.push(field, code, message);
        }
    }

    /// Text that must be there and not be longer than `max` characters.
    pub fn text(&mut self, field: &str, text: &str, max: usize) {
        if text.trim().is_empty() {
            self.push(field, "required", "must not be empty");
        } else if text.chars().count() > max {
            self.push(field, "too_long", format!("must have at most {max} characters"));
        } else if text.chars().any(char::is_control) {
            self.push(field, "control_character", "must not hold control characters");
        }
    }

    /// Text that may be left out, but not be empty or longer than `max` characters.
    pub fn optional_text(&mut self, field: &str, text: Option<&str>, max: usize) {
        if let Some(text) = text {
            self.text(field, text, max);
        }
    }

    /// A list with 1 to `max` entries.
    pub fn count(&mut self, field: &str, count: usize, max: usize) {
        if count == 0 {
            self.push(field, "required", "needs at least one entry");
        } else if count > max {
            self.push(field, "too_many", format!("takes at most {max} entries, got {count}"));
        }
    }

    /// Looks into a field or, with `[n]`, into an entry of a list.
    pub fn within(&mut self, segment: &str, look: impl FnOnce(&mut Self)) {
        let length = self.prefix.len();
        if length > 0 && !segment.starts_with('[') {
            self.prefix.push('.');
        }
        self.prefix.push_str(segment);
        look(self);
        self.prefix.truncate(length);
    }

    /// Looks into one command of a batch; a batch of one is named like the command alone.
    pub fn of_batch(&mut self, index: usize, batch: usize, look: impl FnOnce(&mut Self)) {
        if batch == 1 { look(self) } else { self.within(&format!("[{index}]"), look) }
    }

    /// Looks into each entry of a list.
    pub fn each<T>(&mut self, field: &str, items: &[T], mut look: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            self.within(&format!("{field}[{index}]"), |errors| look(errors, item));
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    #[must_use]
    pub fn into_vec(self) -> Vec<FieldError> {
        self.errors
    }

    /// # Errors
    /// [`Error::Invalid`] when a field was refused.
    pub fn into_result(self) -> Result<()> {
        if self.errors.is_empty() { Ok(()) } else { Err(Error::Invalid { errors: self.errors }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_named_with_its_path() {
        let mut errors = FieldErrors::default();
        errors.text("name", "  ", 10);
        errors.each("lines", &[1, -1, -2], |errors, quantity| {
            errors.require(*quantity > 0, "quantity", "not_positive", "must be positive");
        });
        errors
            .within("vendor", |errors| errors.within("[2]", |errors| errors.push("", "odd", "x")));
        let fields: Vec<_> = errors.into_vec().into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["name", "lines[1].quantity", "lines[2].quantity", "vendor[2]"]);
    }
}
