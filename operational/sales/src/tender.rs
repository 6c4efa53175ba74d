//! How a document is paid.

use millrace_events::Amount;
use millrace_events::event::{Tender, TenderKind};
use millrace_finance::Account;
use millrace_kernel::FieldErrors;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const TENDERS_MAX: usize = 10;

/// A means of payment handed over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenderInput {
    pub tender: TenderKind,
    /// What was handed over. One tender may leave it out: it takes what the others leave.
    pub amount: Option<Amount>,
    /// The provider's reference, where there is one.
    pub reference: Option<String>,
}

/// Checks that need no total.
pub(crate) fn validate(errors: &mut FieldErrors, tenders: &[TenderInput]) {
    let few = tenders.len() <= TENDERS_MAX;
    errors.require(few, "tenders", "too_many", format!("takes at most {TENDERS_MAX} tenders"));
    let open = tenders.iter().filter(|tender| tender.amount.is_none()).count();
    errors.require(open <= 1, "tenders", "open", "only one tender may leave out its amount");
    errors.each("tenders", tenders, |errors, tender| {
        let positive = tender.amount.is_none_or(Amount::is_positive);
        errors.require(positive, "amount", "not_positive", "must be more than zero");
        errors.optional_text("reference", tender.reference.as_deref(), 100);
    });
}

/// What is kept of the tenders for `total`, and the change given back, in cash only.
pub(crate) fn settle(
    errors: &mut FieldErrors,
    tenders: &[TenderInput],
    total: Amount,
) -> (Vec<Tender>, Amount) {
    let given: Amount = tenders.iter().filter_map(|tender| tender.amount).sum();
    let is_open = tenders.iter().any(|tender| tender.amount.is_none());
    let rest = total - given;
    if rest.is_positive() && !is_open {
        let message = format!("{given} was handed over for {total}: {rest} is missing");
        errors.push("tenders", "not_covered", message);
    }
    let mut change = if rest.is_negative() { -rest } else { Amount::ZERO };
    let change_given = change;
    let mut kept: Vec<Tender> = tenders
        .iter()
        .map(|tender| Tender {
            tender: tender.tender,
            amount: tender.amount.unwrap_or(if rest.is_positive() { rest } else { Amount::ZERO }),
            reference: tender.reference.clone(),
        })
        .collect();
    for tender in kept.iter_mut().rev().filter(|tender| tender.tender == TenderKind::Cash) {
        let back = change.min(tender.amount);
        tender.amount -= back;
        change -= back;
    }
    if change.is_positive() {
        let message = format!("{given} was handed over for {total}: change is given for cash only");
        errors.push("tenders", "change_without_cash", message);
    }
    kept.retain(|tender| tender.amount.is_positive());
    (kept, change_given)
}

/// Where a tender's money is until it reaches the bank.
pub(crate) fn account(tender: TenderKind) -> Account {
    match tender {
        TenderKind::Cash => Account::Cash,
        TenderKind::Card => Account::CardClearing,
        TenderKind::Upi => Account::UpiClearing,
        TenderKind::Wallet => Account::WalletClearing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(tender: TenderKind, amount: Option<i64>) -> TenderInput {
        TenderInput { tender, amount: amount.map(Amount::from), reference: None }
    }

    fn settled(
        tenders: &[TenderInput],
        total: i64,
    ) -> (Vec<(TenderKind, Amount)>, Amount, Vec<String>) {
        let mut errors = FieldErrors::default();
        let (kept, change) = settle(&mut errors, tenders, Amount::from(total));
        let kept = kept.into_iter().map(|tender| (tender.tender, tender.amount)).collect();
        (kept, change, errors.into_vec().into_iter().map(|error| error.code).collect())
    }

    #[test]
    fn change_comes_out_of_the_cash() {
        use TenderKind::{Card, Cash, Upi};
        let (kept, change, errors) = settled(&[input(Card, Some(30)), input(Cash, Some(100))], 118);
        assert_eq!(kept, [(Card, Amount::from(30)), (Cash, Amount::from(88))]);
        assert_eq!((change, errors.len()), (Amount::from(12), 0));

        let (kept, _, errors) = settled(&[input(Upi, None), input(Cash, Some(18))], 118);
        assert_eq!(kept, [(Upi, Amount::from(100)), (Cash, Amount::from(18))]);
        assert!(errors.is_empty());

        assert_eq!(settled(&[input(Card, Some(200))], 118).2, ["change_without_cash"]);
        assert_eq!(settled(&[input(Card, Some(100))], 118).2, ["not_covered"]);
        assert_eq!(settled(&[], 0), (vec![], Amount::ZERO, vec![]));
    }
}
