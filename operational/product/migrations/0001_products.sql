create table product.categories (
    category_id    uuid not null,
    name           text not null,
    parent_id      uuid,
    constraint categories_category_id_key primary key (category_id),
    constraint categories_name_key unique nulls not distinct (parent_id, name),
    constraint categories_parent_id_fkey foreign key (parent_id) references product.categories
);

create table product.products (
    product_id     uuid not null,
    sku            text not null,
    name           text not null,
    category_id    uuid not null,
    brand          text,
    unit           text not null,
    barcode        text,
    package_size   text,
    price          numeric(18, 4) not null,
    standard_cost  numeric(18, 4) not null,
    tax_rate       numeric(9, 3) not null,
    hsn            text,
    vendor_id      uuid,
    reorder_level  numeric(18, 3) not null,
    is_active      boolean not null,
    version        bigint not null default 1,
    updated_at     timestamptz not null,
    constraint products_product_id_key primary key (product_id),
    constraint products_sku_key unique (sku),
    constraint products_barcode_key unique (barcode),
    constraint products_category_id_fkey foreign key (category_id) references product.categories
);

create table product.promotions (
    promotion_id   uuid not null,
    shop_id        uuid not null,
    starts_on      date not null,
    ends_on        date not null,
    constraint promotions_promotion_id_key primary key (promotion_id),
    constraint promotions_period check (starts_on <= ends_on)
);

create table product.promotion_items (
    promotion_id   uuid not null,
    product_id     uuid not null,
    display        text,
    mailer         text,
    constraint promotion_items_product_id_key primary key (promotion_id, product_id),
    constraint promotion_items_promotion_id_fkey foreign key (promotion_id) references product.promotions,
    constraint promotion_items_product_id_fkey foreign key (product_id) references product.products
);
