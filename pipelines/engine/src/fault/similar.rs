//! Which of the known names a wrong one may have been meant for.

use datafusion::common::utils::datafusion_strsim::levenshtein;

/// The candidate with the fewest letters to change, if no more than half of the name; the first of several.
pub(crate) fn closest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let name = name.to_lowercase();
    let measured = candidates.into_iter().filter_map(|candidate| {
        let distance = levenshtein(&name, &candidate.to_lowercase());
        let longer = name.chars().count().max(candidate.chars().count());
        (distance * 2 <= longer).then_some((distance, candidate))
    });
    measured.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let names = ["amount", "account", "shop"];
        assert_eq!(closest("amont", names), Some("amount"));
        assert_eq!(closest("Shop", names), Some("shop"));
        assert_eq!(closest("price", names), None);
    }
}
