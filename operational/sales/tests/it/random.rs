//! Any commands in any order keep the books and the shelves right.

use millrace_events::event::TenderKind;
use millrace_events::{Amount, InvoiceId, Quantity, Rate};
use millrace_inventory::ReasonCode;
use millrace_kernel::Error;
use millrace_purchase::{ReceiveGoods, ReceiveLine};
use millrace_sales::TenderInput;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;

use crate::invariants::assert_hold;
use crate::returns::taking_back;
use crate::world::World;

const STEPS: usize = 120;

#[tokio::test]
async fn random_commands_keep_the_invariants() -> anyhow::Result<()> {
    for seed in [11, 12, 13] {
        let world = World::new().await?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut sold: Vec<(InvoiceId, i32)> = Vec::new();
        let (mut done, mut refused) = (0, 0);
        for step in 0..STEPS {
            match random_step(&world, &mut random, &mut sold).await {
                Ok(()) => done += 1,
                Err(Error::Refused(_) | Error::Invalid { .. }) => refused += 1,
                Err(error) => panic!("seed {seed}, step {step}: {error}"),
            }
            if step % 20 == 0 {
                assert_hold(&world).await?;
            }
        }
        assert!(done > STEPS / 2 && refused > 0, "seed {seed}: {done} done, {refused} refused");
        assert_hold(&world).await?;
    }
    Ok(())
}

async fn random_step(
    world: &World,
    random: &mut ChaCha8Rng,
    sold: &mut Vec<(InvoiceId, i32)>,
) -> Result<(), Error> {
    let product = world.products[random.random_range(0..world.products.len())];
    match random.random_range(0..10) {
        0..=5 => {
            let count = random.random_range(1..=5);
            let lines: Vec<_> = (0..count)
                .map(|_| (world.products[random.random_range(0..world.products.len())], 1))
                .collect();
            let mut basket = world.basket(&lines);
            for line in &mut basket.lines {
                line.quantity = quantity(random, 8_000);
                if random.random_bool(0.3) {
                    line.unit_price =
                        Some(Rate::rounded(Decimal::new(random.random_range(0..900_000), 4)));
                }
                line.discount = Amount::rounded(Decimal::new(random.random_range(0..50), 2));
            }
            basket.tenders = vec![
                TenderInput {
                    tender: TenderKind::Upi,
                    amount: Some(Amount::from(1)),
                    reference: None,
                },
                TenderInput { tender: TenderKind::Cash, amount: None, reference: None },
            ];
            let invoice = world.kernel.run(&world.system(), &basket).await?.output()?;
            sold.push((invoice.issued.invoice_id, count));
            Ok(())
        }
        6 | 7 if !sold.is_empty() => {
            let (invoice, lines) = sold[random.random_range(0..sold.len())];
            let line = random.random_range(1..=lines);
            let part = quantity(random, 15_000).to_string();
            let command = taking_back(world, invoice, &[(line, part.as_str())]);
            world.kernel.run(&world.system(), &command).await.map(drop)
        }
        8 => {
            let command = ReceiveGoods {
                grn_id: None,
                shop_id: world.shop,
                vendor_id: world.vendor,
                purchase_order_id: None,
                received_at: None,
                lines: vec![ReceiveLine {
                    product_id: product,
                    quantity: quantity(random, 90_000),
                    unit_cost: Rate::rounded(Decimal::new(random.random_range(0..500_000), 4)),
                    batch: None,
                    expires_on: None,
                }],
            };
            world.kernel.run(&world.system(), &command).await.map(drop)
        }
        _ => {
            let difference = random.random_range(-60..30);
            world.adjust(ReasonCode::Count, &[(product, difference)]).await
        }
    }
}

fn quantity(random: &mut ChaCha8Rng, thousandths: i64) -> Quantity {
    Quantity::rounded(Decimal::new(random.random_range(1..thousandths), 3))
}
