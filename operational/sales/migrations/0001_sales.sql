create table sales.series (
    shop_id          uuid not null,
    series           text not null,
    last             bigint not null,
    constraint series_shop_id_key primary key (shop_id, series)
) with (fillfactor = 30);

create table sales.invoices (
    invoice_id       uuid not null,
    invoice_number   text not null,
    shop_id          uuid not null,
    series           text not null,
    number           bigint not null,
    till             text,
    customer_id      uuid,
    currency         text not null,
    business_date    date not null,
    business_hour    integer not null,
    issued_at        timestamptz not null,
    discount         numeric(18, 2) not null,
    taxable          numeric(18, 2) not null,
    tax              numeric(18, 2) not null,
    round_off        numeric(18, 2) not null,
    total            numeric(18, 2) not null,
    cost             numeric(18, 2) not null,
    tenders          jsonb not null,
    actor_id         uuid not null,
    constraint invoices_invoice_id_key primary key (invoice_id),
    constraint invoices_number_key unique (shop_id, series, number),
    constraint invoices_total check (total = taxable + tax + round_off and total >= 0)
);

create table sales.invoice_lines (
    invoice_id       uuid not null,
    line_no          integer not null,
    product_id       uuid not null,
    quantity         numeric(18, 3) not null,
    unit             text not null,
    unit_price       numeric(18, 4) not null,
    discount         numeric(18, 2) not null,
    taxable          numeric(18, 2) not null,
    tax_rate         numeric(9, 3) not null,
    cgst             numeric(18, 2) not null,
    sgst             numeric(18, 2) not null,
    igst             numeric(18, 2) not null,
    total            numeric(18, 2) not null,
    cost             numeric(18, 2) not null,
    constraint invoice_lines_line_no_key primary key (invoice_id, line_no),
    constraint invoice_lines_total check (total = taxable + cgst + sgst + igst and quantity > 0)
);

create table sales.returns (
    return_id        uuid not null,
    return_number    text not null,
    invoice_id       uuid not null,
    shop_id          uuid not null,
    series           text not null,
    number           bigint not null,
    reason           text,
    business_date    date not null,
    returned_at      timestamptz not null,
    taxable          numeric(18, 2) not null,
    tax              numeric(18, 2) not null,
    round_off        numeric(18, 2) not null,
    total            numeric(18, 2) not null,
    cost             numeric(18, 2) not null,
    tenders          jsonb not null,
    actor_id         uuid not null,
    constraint returns_return_id_key primary key (return_id),
    constraint returns_number_key unique (shop_id, series, number),
    constraint returns_invoice_id_fkey foreign key (invoice_id) references sales.invoices,
    constraint returns_total check (total = taxable + tax + round_off and total >= 0)
);
create index returns_by_invoice on sales.returns (invoice_id);

create table sales.return_lines (
    return_id        uuid not null,
    line_no          integer not null,
    invoice_id       uuid not null,
    invoice_line_no  integer not null,
    product_id       uuid not null,
    quantity         numeric(18, 3) not null,
    taxable          numeric(18, 2) not null,
    cgst             numeric(18, 2) not null,
    sgst             numeric(18, 2) not null,
    igst             numeric(18, 2) not null,
    total            numeric(18, 2) not null,
    cost             numeric(18, 2) not null,
    constraint return_lines_line_no_key primary key (return_id, line_no),
    constraint return_lines_return_id_fkey foreign key (return_id) references sales.returns
);
create index return_lines_by_invoice_line on sales.return_lines (invoice_id, invoice_line_no);
