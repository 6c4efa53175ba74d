//! What must hold after anything, whatever happened.

use crate::world::World;

/// Each is a query that names the rows which break it.
const CHECKS: &[(&str, &str)] = &[
    (
        "LED-1: debits equal credits in each entry",
        "select coalesce(string_agg(entry_id::text, ' '), '') from ( \
             select entry_id from finance.journal_lines group by entry_id, currency \
             having sum(debit) <> sum(credit) or count(*) < 2) as broken",
    ),
    (
        "LED-4: the inventory account is what the stock is worth",
        "select case when stock.value = ledger.value then '' else stock.value || ' and ' || ledger.value end \
         from (select coalesce(sum(value), 0) as value from inventory.stock) as stock, \
             (select coalesce(sum(debit - credit), 0) as value from finance.journal_lines \
              where account_code = '1200') as ledger",
    ),
    (
        "LED-4: an invoice is its lines and its rounding",
        "select coalesce(string_agg(invoice_number, ' '), '') from ( \
             select i.invoice_number from sales.invoices i \
             join sales.invoice_lines l using (invoice_id) group by i.invoice_id \
             having i.total <> sum(l.total) + i.round_off or i.cost <> sum(l.cost)) as broken",
    ),
    (
        "STK-1: on hand and value are the sums of the movements",
        "select coalesce(string_agg(coalesce(s.product_id, m.product_id)::text, ' '), '') \
         from inventory.stock s full join ( \
             select shop_id, product_id, sum(quantity) as quantity, sum(value) as value \
             from inventory.movements group by shop_id, product_id) as m using (shop_id, product_id) \
         where s.on_hand is distinct from m.quantity or s.value is distinct from m.value",
    ),
    (
        "STK-2: stock is never negative",
        "select coalesce(string_agg(product_id::text, ' '), '') from inventory.stock \
         where on_hand < 0 or value < 0",
    ),
    (
        "numbers have no gap",
        "select coalesce(string_agg(series || ': ' || numbers || ' of ' || last, ', '), '') from ( \
             select s.series, s.last, count(d.number) as numbers, max(d.number) as highest \
             from sales.series s left join ( \
                 select shop_id, series, number from sales.invoices \
                 union all select shop_id, series, number from sales.returns) as d \
                 using (shop_id, series) \
             group by s.shop_id, s.series, s.last) as c \
         where numbers <> last or highest <> last",
    ),
    (
        "OUT-1: each business row has its event",
        // A transaction's events are in the outbox of the service whose command it was.
        "with event as (select event_type from sales.outbox \
             union all select event_type from purchase.outbox \
             union all select event_type from inventory.outbox \
             union all select event_type from finance.outbox) \
         select coalesce(string_agg(what, ' '), '') from (values \
             ('invoice.issued', (select count(*) from sales.invoices)), \
             ('return.processed', (select count(*) from sales.returns)), \
             ('grn.received', (select count(*) from purchase.grns)), \
             ('journal.posted', (select count(*) from finance.entries)), \
             ('stock.moved', (select count(*) from inventory.movement_groups))) \
             as c (what, business_rows) \
         where business_rows <> (select count(*) from event where event_type = what)",
    ),
    (
        "OUT-1: events say what the rows say",
        "select coalesce(string_agg(i.invoice_number, ' '), '') from sales.invoices i \
         left join (select (envelope::jsonb -> 'payload') as p from sales.outbox \
                    where event_type = 'invoice.issued') as e \
             on (e.p ->> 'invoice_id')::uuid = i.invoice_id \
         where (e.p ->> 'total')::numeric is distinct from i.total \
             or e.p ->> 'invoice_number' is distinct from i.invoice_number \
             or (e.p ->> 'cost')::numeric is distinct from i.cost",
    ),
];

pub async fn assert_hold(world: &World) -> anyhow::Result<()> {
    for (name, sql) in CHECKS {
        let broken: String = world.scalar(sql).await?;
        assert_eq!(broken, "", "{name}");
    }
    Ok(())
}

/// A check that can't fail proves nothing.
#[tokio::test]
async fn damage_is_found() -> anyhow::Result<()> {
    let damages = [
        "alter table finance.entries disable trigger all; \
         alter table finance.entries drop constraint entries_balanced; \
         update finance.entries set debits[1] = debits[1] + 1",
        "update inventory.stock set value = value + 0.01",
        "update sales.invoices set costs[1] = costs[1] + 1",
        "update inventory.stock set on_hand = on_hand - 1",
        "update sales.series set last = last + 1",
        "delete from sales.outbox",
        "update sales.outbox set envelope = replace(envelope, 'invoice_number\":\"', 'invoice_number\":\"X')",
    ];
    for damage in damages {
        let world = World::new().await?;
        world.sell(&[(world.products[0], 2)]).await?;
        assert_hold(&world).await?;
        sqlx::raw_sql(damage).execute(world.kernel.pool()).await?;
        let mut found = 0;
        for (_, sql) in CHECKS {
            found += i32::from(!world.scalar::<String>(sql).await?.is_empty());
        }
        assert!(found > 0, "nothing noticed: {damage}");
    }
    Ok(())
}
