create table party.shops (
    shop_id            uuid not null,
    code               text not null,
    name               text not null,
    time_zone          text not null,
    currency           text not null,
    state_code         text not null,
    gstin              text,
    prices_include_tax boolean not null,
    constraint shops_shop_id_key primary key (shop_id),
    constraint shops_code_key unique (code)
);

create table party.customers (
    customer_id        uuid not null,
    code               text not null,
    name               text not null,
    customer_group     text,
    phone              text,
    email              text,
    gstin              text,
    is_active          boolean not null,
    constraint customers_customer_id_key primary key (customer_id),
    constraint customers_code_key unique (code)
);

create table party.vendors (
    vendor_id          uuid not null,
    code               text not null,
    name               text not null,
    gstin              text,
    lead_time_days     integer not null,
    constraint vendors_vendor_id_key primary key (vendor_id),
    constraint vendors_code_key unique (code)
);
