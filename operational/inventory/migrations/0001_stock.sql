-- What is on hand and what it has cost. Room is left in each page, so that an update stays in it.
create table inventory.stock (
    shop_id           uuid not null,
    product_id        uuid not null,
    batch             text not null default '',
    on_hand           numeric(18, 3) not null,
    value             numeric(18, 2) not null,
    constraint stock_product_id_key primary key (shop_id, product_id, batch),
    constraint stock_on_hand check (on_hand >= 0),
    constraint stock_value check (value >= 0 and (on_hand > 0 or value = 0))
) with (fillfactor = 60);

-- Why it changed. On hand is the sum of these, always. Appended to by every sale and read by checks
-- over the whole table only, so it has no index.
create table inventory.movements (
    movement_id       uuid not null,
    movement_group_id uuid not null,
    shop_id           uuid not null,
    product_id        uuid not null,
    batch             text not null default '',
    reason            text not null,
    document_type     text not null,
    document_id       uuid not null,
    business_date     date not null,
    moved_at          timestamptz not null,
    quantity          numeric(18, 3) not null,
    unit_cost         numeric(18, 4) not null,
    value             numeric(18, 2) not null,
    on_hand_after     numeric(18, 3) not null
);

create table inventory.adjustments (
    adjustment_id     uuid not null,
    shop_id           uuid not null,
    reason_code       text not null,
    note              text,
    business_date     date not null,
    adjusted_at       timestamptz not null,
    actor_id          uuid not null,
    constraint adjustments_adjustment_id_key primary key (adjustment_id)
);

create function inventory.refuse_change() returns trigger
language plpgsql as $$
begin
    raise exception 'a movement never changes: move the stock back'
        using errcode = 'integrity_constraint_violation', constraint = 'movements_immutable',
              table = tg_table_name, schema = tg_table_schema;
end;
$$;

create trigger movements_immutable
    before update or delete or truncate on inventory.movements
    for each statement execute function inventory.refuse_change();
