//! A batch has the outcome of its commands one after the other.

use millrace_events::{InvoiceId, Quantity, Rate};
use millrace_sales::IssueInvoice;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use crate::invariants::assert_hold;
use crate::world::World;

const OUTCOME: &str = "select jsonb_build_object( \
    'invoices', (select jsonb_agg(to_jsonb(i) order by number) from sales.invoices i), \
    'lines', (select jsonb_agg(to_jsonb(l) order by invoice_id, line_no) from sales.invoice_lines l), \
    'stock', (select jsonb_agg(to_jsonb(s) order by product_id) from inventory.stock s), \
    'movements', (select jsonb_agg(to_jsonb(m) - 'movement_id' - 'movement_group_id' \
        order by document_id, product_id, on_hand_after desc) from inventory.movements m \
        where reason = 'sale'), \
    'journal', (select jsonb_agg(to_jsonb(j) - 'entry_id' order by document_id, line_no) \
        from finance.journal_lines j where document_type = 'invoice'))::text";

fn baskets(world: &World, seed: u64) -> Vec<IssueInvoice> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..40_u128)
        .map(|n| {
            let lines: Vec<_> = (0..random.random_range(1..=5))
                .map(|_| (world.products[random.random_range(0..world.products.len())], 1))
                .collect();
            let mut basket = world.basket(&lines);
            for line in &mut basket.lines {
                line.quantity =
                    Quantity::rounded(rust_decimal::Decimal::new(random.random_range(1..2000), 3));
                line.unit_price = Some(Rate::rounded(rust_decimal::Decimal::new(
                    random.random_range(100..9999),
                    3,
                )));
            }
            basket.invoice_id = Some(InvoiceId(Uuid::from_u128(1000 + n)));
            basket
        })
        .collect()
}

#[tokio::test]
async fn a_batch_is_the_same_as_one_by_one() -> anyhow::Result<()> {
    for seed in [1, 2] {
        let (together, alone) = (World::new().await?, World::new().await?);
        let all = baskets(&together, seed);
        let context = together.system();
        let issued = millrace_sales::issue_invoices(&together.kernel, &context, all.clone())
            .await?
            .output()?;
        for (basket, invoice) in all.iter().zip(&issued) {
            let single = alone.kernel.run(&alone.system(), basket).await?.output()?;
            assert_eq!(single.issued, invoice.issued, "seed {seed}");
        }
        let outcomes: (String, String) =
            (together.scalar(OUTCOME).await?, alone.scalar(OUTCOME).await?);
        assert_eq!(outcomes.0, outcomes.1, "seed {seed}");
        assert_hold(&together).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_is_done_whole_or_not_at_all() -> anyhow::Result<()> {
    let world = World::new().await?;
    let product = world.products[0];
    let batch: Vec<_> = [60, 30, 11, 20].iter().map(|n| world.basket(&[(product, *n)])).collect();
    let refused = millrace_sales::issue_invoices(&world.kernel, &world.system(), batch).await;
    let message = refused.unwrap_err().to_string();
    assert!(
        message.contains("[2].lines[0].quantity: Thing 1 (SKU-1): 11.000 wanted, 10.000 available"),
        "{message}"
    );
    assert_eq!(world.scalar::<i64>("select count(*) from sales.invoices").await?, 0);
    assert_hold(&world).await
}
