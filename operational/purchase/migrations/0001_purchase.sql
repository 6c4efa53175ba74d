create table purchase.series (
    shop_id            uuid not null,
    series             text not null,
    last               bigint not null,
    constraint series_shop_id_key primary key (shop_id, series)
) with (fillfactor = 30);

create table purchase.grns (
    grn_id             uuid not null,
    grn_number         text not null,
    shop_id            uuid not null,
    series             text not null,
    number             bigint not null,
    vendor_id          uuid not null,
    purchase_order_id  uuid,
    currency           text not null,
    business_date      date not null,
    received_at        timestamptz not null,
    value              numeric(18, 2) not null,
    actor_id           uuid not null,
    constraint grns_grn_id_key primary key (grn_id),
    constraint grns_number_key unique (shop_id, series, number)
);

create table purchase.grn_lines (
    grn_id             uuid not null,
    line_no            integer not null,
    product_id         uuid not null,
    quantity           numeric(18, 3) not null,
    unit_cost          numeric(18, 4) not null,
    value              numeric(18, 2) not null,
    batch              text,
    expires_on         date,
    constraint grn_lines_line_no_key primary key (grn_id, line_no),
    constraint grn_lines_grn_id_fkey foreign key (grn_id) references purchase.grns
);
