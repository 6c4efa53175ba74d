//! The Indian tax number: state, PAN, entity, a `Z`, and a check digit.

use millrace_kernel::FieldErrors;

const LENGTH: usize = 15;

/// Refuses `field` when it holds something that is not a GSTIN.
pub fn validate(errors: &mut FieldErrors, field: &str, gstin: Option<&str>) {
    let Some(gstin) = gstin else { return };
    if !has_shape(gstin) {
        errors.push(field, "invalid", "must be 15 characters like 27AAPFU0939F1ZV");
    } else if check_digit(gstin) != gstin.chars().next_back() {
        errors.push(
            field,
            "check_digit",
            "has a wrong check digit: one of its characters is mistyped",
        );
    }
}

fn has_shape(gstin: &str) -> bool {
    let bytes = gstin.as_bytes();
    let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
    let letters = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_uppercase);
    bytes.len() == LENGTH
        && digits(0..2)
        && letters(2..7)
        && digits(7..11)
        && letters(11..12)
        && bytes[12..].iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        && bytes[13] == b'Z'
}

/// Of the first 14 characters, in base 36, each second one doubled.
fn check_digit(gstin: &str) -> Option<char> {
    let mut sum = 0;
    for (index, character) in gstin.chars().take(LENGTH - 1).enumerate() {
        let product = character.to_digit(36)? * if index % 2 == 0 { 1 } else { 2 };
        sum += product / 36 + product % 36;
    }
    char::from_digit((36 - sum % 36) % 36, 36).map(|digit| digit.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(gstin: &str) -> Vec<String> {
        let mut errors = FieldErrors::default();
        validate(&mut errors, "gstin", Some(gstin));
        errors.into_vec().into_iter().map(|error| error.code).collect()
    }

    #[test]
    fn one_mistyped_character_is_noticed() {
        for good in ["27AAPFU0939F1ZV", "29AAGCB7383J1Z4"] {
            assert!(codes(good).is_empty(), "{good}");
        }
        assert_eq!(codes("27AAPFU0938F1ZV"), ["check_digit"]);
        assert_eq!(codes("27AAPFU0939F1Z"), ["invalid"]);
        assert_eq!(codes("XXAAPFU0939F1ZV"), ["invalid"]);
    }
}
