-- An invoice is one row, its lines in arrays: half an invoice can't exist, and a sale writes one row
-- and one entry of the index instead of one for each line. sales.invoice_lines shows them as rows.

-- All rows are written or read once: as long as that takes, and by whole tables.
set local statement_timeout = 0;
set local enable_seqscan = on;
set local enable_hashjoin = on;
set local enable_mergejoin = on;


alter table sales.invoice_lines rename to lines_by_row;

alter table sales.invoices
    add column product_ids   uuid[],
    add column quantities    numeric(18, 3)[],
    add column units         text[],
    add column unit_prices   numeric(18, 4)[],
    add column discounts     numeric(18, 2)[],
    add column taxables      numeric(18, 2)[],
    add column tax_rates     numeric(9, 3)[],
    add column cgsts         numeric(18, 2)[],
    add column sgsts         numeric(18, 2)[],
    add column igsts         numeric(18, 2)[],
    add column totals        numeric(18, 2)[],
    add column costs         numeric(18, 2)[];

update sales.invoices as invoice
set product_ids = line.product_ids, quantities = line.quantities, units = line.units,
    unit_prices = line.unit_prices, discounts = line.discounts, taxables = line.taxables,
    tax_rates = line.tax_rates, cgsts = line.cgsts, sgsts = line.sgsts, igsts = line.igsts,
    totals = line.totals, costs = line.costs
from (
    select invoice_id,
        array_agg(product_id order by line_no) as product_ids,
        array_agg(quantity order by line_no) as quantities,
        array_agg(unit order by line_no) as units,
        array_agg(unit_price order by line_no) as unit_prices,
        array_agg(discount order by line_no) as discounts,
        array_agg(taxable order by line_no) as taxables,
        array_agg(tax_rate order by line_no) as tax_rates,
        array_agg(cgst order by line_no) as cgsts,
        array_agg(sgst order by line_no) as sgsts,
        array_agg(igst order by line_no) as igsts,
        array_agg(total order by line_no) as totals,
        array_agg(cost order by line_no) as costs
    from sales.lines_by_row group by invoice_id) as line
where line.invoice_id = invoice.invoice_id;

drop table sales.lines_by_row;

alter table sales.invoices
    alter column product_ids set not null,
    alter column quantities set not null,
    alter column units set not null,
    alter column unit_prices set not null,
    alter column discounts set not null,
    alter column taxables set not null,
    alter column tax_rates set not null,
    alter column cgsts set not null,
    alter column sgsts set not null,
    alter column igsts set not null,
    alter column totals set not null,
    alter column costs set not null,
    -- That each line comes to its parts is checked by the doctor (LED-4): here it would cost every sale
    -- more than writing the lines.
    add constraint invoices_quantities check (0 < all (quantities));

create view sales.invoice_lines as
select
    invoice.invoice_id,
    line.line_no::integer as line_no,
    line.product_id,
    line.quantity,
    line.unit,
    line.unit_price,
    line.discount,
    line.taxable,
    line.tax_rate,
    line.cgst,
    line.sgst,
    line.igst,
    line.total,
    line.cost
from sales.invoices as invoice
cross join lateral unnest(
    invoice.product_ids, invoice.quantities, invoice.units, invoice.unit_prices, invoice.discounts,
    invoice.taxables, invoice.tax_rates, invoice.cgsts, invoice.sgsts, invoice.igsts,
    invoice.totals, invoice.costs)
    with ordinality as line (
        product_id, quantity, unit, unit_price, discount, taxable, tax_rate, cgst, sgst, igst,
        total, cost, line_no);
