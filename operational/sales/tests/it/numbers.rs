//! Invoice numbers have no gap, whoever fails.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::invariants::assert_hold;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn failures_and_dropped_clients_leave_no_gap() -> anyhow::Result<()> {
    let world = Arc::new(World::new().await?);
    let taken = world.sell(&[(world.products[0], 1)]).await?.issued.invoice_id;
    let tills: Vec<_> = (0..60_usize)
        .map(|n| {
            let world = world.clone();
            tokio::spawn(async move {
                let product = world.products[n % 3];
                match n % 4 {
                    // Refused by the database once it has its number.
                    0 => {
                        let mut again = world.basket(&[(product, 1)]);
                        again.invoice_id = Some(taken);
                        let refused = world.kernel.run(&world.system(), &again).await;
                        assert_eq!(refused.unwrap_err().code(), "duplicate");
                    }
                    // The client goes away at some point of the command.
                    1 => {
                        let patience = std::time::Duration::from_millis(n as u64 / 4);
                        drop(tokio::time::timeout(patience, world.sell(&[(product, 1)])).await);
                    }
                    _ => drop(world.sell(&[(product, 1)]).await.expect("there is enough")),
                }
            })
        })
        .collect();
    for till in tills {
        till.await?;
    }
    assert!(world.scalar::<i64>("select count(*) from sales.invoices").await? >= 30);
    assert_hold(&world).await
}

#[tokio::test]
async fn each_financial_year_has_its_own_series() -> anyhow::Result<()> {
    let world = World::new().await?;
    let product = world.products[0];
    let mut numbers = Vec::new();
    // The clock of the shop is ahead of UTC: 31 March 18:30 UTC is 1 April in Kolkata.
    for days in [0, 1, 30] {
        world.clock.set(crate::world::start() + TimeDelta::days(days) - TimeDelta::hours(15));
        numbers.push(world.sell(&[(product, 1)]).await?.issued.invoice_number);
    }
    assert_eq!(numbers, ["MUM01/25-1", "MUM01/25-2", "MUM01/25-3"]);
    world.clock.set(crate::world::start() + TimeDelta::days(30) + TimeDelta::hours(9));
    let first = world.sell(&[(product, 1)]).await?.issued;
    assert_eq!(
        (first.invoice_number.as_str(), first.business_date.to_string().as_str()),
        ("MUM01/26-1", "2026-04-01")
    );
    assert_hold(&world).await
}
