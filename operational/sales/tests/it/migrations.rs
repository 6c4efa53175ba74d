//! What the first release wrote is there, unchanged, under today's schema.

use std::sync::Arc;

use millrace_kernel::{Kernel, Service, SystemClock};
use sqlx::AssertSqlSafe;
use sqlx::migrate::Migrator;

use crate::world::SERVICES;

/// Tables of the first release that are views by now.
const RESHAPED: [&str; 2] = ["sales.invoice_lines", "inventory.movements"];

/// Two invoices and what they moved; rows of one document are not next to each other nor in order.
const WRITTEN: &str = "
    insert into sales.invoices
    select ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'S-' || n,
        '00000000-0000-0000-0000-0000000000f0', 'S', n, null, null, 'INR', '2026-03-01', 15,
        '2026-03-01T09:30:00Z', 0, 10.50, 0.50, 0.00, 11.00, 7.25, '[]',
        '00000000-0000-0000-0000-0000000000a0'
    from generate_series(1, 2) as n;

    insert into sales.invoice_lines
    select ('00000000-0000-0000-0000-00000000000' || n)::uuid, line_no,
        ('00000000-0000-0000-0000-0000000000e' || line_no)::uuid, 1.250 * line_no, 'kg', 4.2000,
        0.10 * n, 5.00, 5.000, 0.13, 0.12, 0.00, 5.25, 3.50
    from generate_series(3, 1, -1) as line_no, generate_series(1, 2) as n;

    insert into inventory.movements
    select ('00000000-0000-0000-0000-0000000000' || n || line_no)::uuid,
        ('00000000-0000-0000-0000-00000000000' || n)::uuid,
        '00000000-0000-0000-0000-0000000000f0',
        ('00000000-0000-0000-0000-0000000000e' || line_no)::uuid, '', 'sale', 'invoice',
        ('00000000-0000-0000-0000-00000000000' || n)::uuid, '2026-03-01',
        '2026-03-01T09:30:00Z', -1.250 * line_no, 2.8000, -3.50 * line_no, 100 - 1.250 * line_no
    from generate_series(3, 1, -1) as line_no, generate_series(1, 2) as n;
";

/// The service with its first migration only.
fn first_release(service: &Service) -> Service {
    let first = service.migrator.iter().min_by_key(|migration| migration.version);
    let migrator = Migrator::with_migrations(first.cloned().into_iter().collect());
    Service { schema: service.schema, migrator: Box::leak(Box::new(migrator)), seed: None }
}

/// Every row as JSON.
async fn rows(kernel: &Kernel, table: &str) -> anyhow::Result<Vec<String>> {
    let sql = format!("select to_jsonb(one)::text from {table} as one order by 1");
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(kernel.pool()).await?)
}

#[tokio::test]
async fn rows_of_the_first_release_are_shown_by_todays_views() -> anyhow::Result<()> {
    let server = millrace_local::testing::database().await?;
    let services = SERVICES.map(first_release);
    let services = services.each_ref();
    let (kernel, _) =
        millrace_kernel::testing::fresh(&server, Arc::new(SystemClock), &services).await?;
    sqlx::raw_sql(WRITTEN).execute(kernel.pool()).await?;
    let mut written = Vec::new();
    for table in RESHAPED {
        written.push(rows(&kernel, table).await?);
    }
    assert_eq!(written.iter().map(Vec::len).collect::<Vec<_>>(), [6, 6]);

    millrace_kernel::migrate(&kernel, &SERVICES).await?;
    for (table, written) in RESHAPED.iter().zip(written) {
        assert_eq!(rows(&kernel, table).await?, written, "{table}");
    }
    // Again changes nothing.
    millrace_kernel::migrate(&kernel, &SERVICES).await?;
    assert_eq!(rows(&kernel, "sales.invoices").await?.len(), 2);
    Ok(())
}
