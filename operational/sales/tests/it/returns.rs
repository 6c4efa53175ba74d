//! Goods come back at what they were sold for, and not more often than they were sold.

use std::sync::Arc;

use millrace_events::event::ReturnProcessed;
use millrace_events::{Amount, InvoiceId, Quantity};
use millrace_kernel::Error;
use millrace_sales::{ProcessReturn, ReturnedLine};

use crate::invariants::assert_hold;
use crate::world::{STOCK, World, cash};

pub fn taking_back(world: &World, invoice_id: InvoiceId, lines: &[(i32, &str)]) -> ProcessReturn {
    let lines = lines.iter().map(|(invoice_line_no, quantity)| ReturnedLine {
        invoice_line_no: *invoice_line_no,
        quantity: quantity.parse().expect("quantity"),
    });
    ProcessReturn {
        return_id: None,
        shop_id: world.shop,
        invoice_id,
        reason: Some("did not like it".into()),
        returned_at: None,
        lines: lines.collect(),
        tenders: vec![cash()],
    }
}

async fn take_back(
    world: &World,
    invoice_id: InvoiceId,
    lines: &[(i32, &str)],
) -> Result<ReturnProcessed, Error> {
    world.kernel.run(&world.system(), &taking_back(world, invoice_id, lines)).await?.output()
}

#[tokio::test]
async fn an_invoice_taken_back_in_pieces_pays_back_what_was_paid() -> anyhow::Result<()> {
    let world = World::new().await?;
    // The cost of the shelf changes between sale and return: the invoice's cost is what counts.
    let sold = world.sell(&[(world.products[0], 3), (world.products[1], 7)]).await?.issued;
    world.adjust(millrace_inventory::ReasonCode::Damage, &[(world.products[1], -20)]).await?;
    let mut refunded = Amount::ZERO;
    let mut cost = Amount::ZERO;
    for pieces in
        [vec![(1, "1"), (2, "2.5")], vec![(2, "0.125")], vec![(1, "2")], vec![(2, "4.375")]]
    {
        let processed = take_back(&world, sold.invoice_id, &pieces).await?;
        assert_eq!(processed.total, processed.taxable + processed.tax + processed.round_off);
        refunded += processed.total;
        cost += processed.cost;
        assert_hold(&world).await?;
    }
    assert_eq!((refunded, cost), (sold.total, sold.cost));
    let again = take_back(&world, sold.invoice_id, &[(1, "0.001")]).await.unwrap_err();
    assert_eq!(again.to_string(), "lines[0].quantity: at most 0.000 of 3.000 can still come back");
    let on_hand: Quantity = world
        .scalar("select on_hand from inventory.stock where product_id = '00000000-0000-0000-0000-000000000001'")
        .await?;
    assert_eq!(on_hand, Quantity::from(STOCK));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn goods_come_back_once_however_many_tills_try() -> anyhow::Result<()> {
    let world = Arc::new(World::new().await?);
    let sold = world.sell(&[(world.products[2], 5)]).await?.issued;
    let tills: Vec<_> = (0..16)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { take_back(&world, sold.invoice_id, &[(1, "2")]).await })
        })
        .collect();
    let mut back = 0;
    for till in tills {
        match till.await? {
            Ok(_) => back += 2,
            Err(error) => assert_eq!(error.code(), "invalid", "{error}"),
        }
    }
    assert_eq!(back, 4, "two returns of two fit into five, a third does not");
    assert_hold(&world).await
}

#[tokio::test]
async fn another_shops_invoice_and_wrong_money_are_refused() -> anyhow::Result<()> {
    let world = World::new().await?;
    let sold = world.sell(&[(world.products[0], 1)]).await?.issued;
    let mut foreign = taking_back(&world, sold.invoice_id, &[(1, "1")]);
    foreign.shop_id = millrace_events::ShopId::new();
    let error = world.kernel.run(&world.system(), &foreign).await.unwrap_err();
    assert_eq!(error.code(), "not_found");
    for amount in [1, 1000] {
        let mut wrong = taking_back(&world, sold.invoice_id, &[(1, "1")]);
        wrong.tenders[0].amount = Some(Amount::from(amount));
        let error = world.kernel.run(&world.system(), &wrong).await.unwrap_err();
        assert!(error.to_string().starts_with("tenders: "), "{error}");
    }
    let unknown = take_back(&world, sold.invoice_id, &[(9, "1")]).await.unwrap_err();
    assert_eq!(unknown.to_string(), "lines[0].invoice_line_no: is not a line of the invoice");
    assert_eq!(world.scalar::<i64>("select count(*) from sales.returns").await?, 0);
    Ok(())
}
