//! Many tills, few goods.

use std::sync::Arc;

use millrace_inventory::ReasonCode;
use millrace_kernel::Error;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::invariants::assert_hold;
use crate::world::{STOCK, World};

const TILLS: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_tills_sell_the_last_hundred_units() -> anyhow::Result<()> {
    let world = Arc::new(World::new().await?);
    let hot = world.products[0];
    // The other goods of a basket are plenty, and come in any order, to provoke a circle of waits.
    let others: Vec<_> = world.products[1..].to_vec();
    let plenty: Vec<_> = others.iter().map(|product| (*product, 1000)).collect();
    world.adjust(ReasonCode::Count, &plenty).await?;
    let tills = (0..TILLS).map(|seed| {
        let (world, others) = (world.clone(), others.clone());
        tokio::spawn(async move {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut sold = 0;
            loop {
                let mut lines: Vec<_> = others.iter().map(|product| (*product, 1)).collect();
                lines.truncate(random.random_range(1..=others.len()));
                lines.push((hot, 1));
                lines.shuffle(&mut random);
                match world.sell(&lines).await {
                    Ok(_) => sold += 1,
                    Err(error) => return (sold, lines, error),
                }
            }
        })
    });
    let mut sold = 0;
    for till in tills.collect::<Vec<_>>() {
        let (own, lines, error) = till.await?;
        sold += own;
        let Error::Refused(refusal) = error else { panic!("{error}") };
        assert_eq!(refusal.code, "insufficient_stock");
        let line = lines.iter().position(|(product, _)| *product == hot).expect("in the basket");
        assert_eq!(refusal.errors.len(), 1);
        assert_eq!(refusal.errors[0].field, format!("lines[{line}].quantity"));
        let message = &refusal.errors[0].message;
        assert_eq!(message, "Thing 1 (SKU-1): 1.000 wanted, 0.000 available");
    }
    assert_eq!(sold, STOCK);
    assert_hold(&world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_unit_is_sold_once() -> anyhow::Result<()> {
    let world = Arc::new(World::new().await?);
    let last = world.products[3];
    world.adjust(ReasonCode::Damage, &[(last, 1 - STOCK)]).await?;
    let tills: Vec<_> = (0..TILLS)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.sell(&[(last, 1)]).await.is_ok() })
        })
        .collect();
    let mut sold = 0;
    for till in tills {
        sold += i32::from(till.await?);
    }
    assert_eq!(sold, 1);
    assert_hold(&world).await
}
