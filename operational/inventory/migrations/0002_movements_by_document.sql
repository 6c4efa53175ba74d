-- What one document moves at one shop is one row, the goods in arrays: a sale writes one row instead
-- of one for each line. Appended to by every sale and read by checks over the whole table only, so it
-- has no index. inventory.movements shows them as rows.

-- All rows are written or read once: as long as that takes, and by whole tables.
set local statement_timeout = 0;
set local enable_seqscan = on;
set local enable_hashjoin = on;
set local enable_mergejoin = on;

alter table inventory.movements rename to movements_by_row;

create table inventory.movement_groups (
    movement_group_id uuid not null,
    shop_id           uuid not null,
    reason            text not null,
    document_type     text not null,
    document_id       uuid not null,
    business_date     date not null,
    moved_at          timestamptz not null,
    movement_ids      uuid[] not null,
    product_ids       uuid[] not null,
    quantities        numeric(18, 3)[] not null,
    unit_costs        numeric(18, 4)[] not null,
    "values"          numeric(18, 2)[] not null,
    on_hand_after     numeric(18, 3)[] not null
);

insert into inventory.movement_groups
select movement_group_id, shop_id, reason, document_type, document_id, business_date, moved_at,
    array_agg(movement_id order by movement_id),
    array_agg(product_id order by movement_id),
    array_agg(quantity order by movement_id),
    array_agg(unit_cost order by movement_id),
    array_agg(value order by movement_id),
    array_agg(on_hand_after order by movement_id)
from inventory.movements_by_row
group by movement_group_id, shop_id, reason, document_type, document_id, business_date, moved_at
order by moved_at;

drop table inventory.movements_by_row;

create trigger movements_immutable
    before update or delete or truncate on inventory.movement_groups
    for each statement execute function inventory.refuse_change();

create view inventory.movements as
select
    movement.movement_id,
    moved.movement_group_id,
    moved.shop_id,
    movement.product_id,
    -- Batches are not told apart yet.
    ''::text as batch,
    moved.reason,
    moved.document_type,
    moved.document_id,
    moved.business_date,
    moved.moved_at,
    movement.quantity,
    movement.unit_cost,
    movement.value,
    movement.on_hand_after
from inventory.movement_groups as moved
cross join lateral unnest(
    moved.movement_ids, moved.product_ids, moved.quantities, moved.unit_costs, moved."values",
    moved.on_hand_after)
    as movement (movement_id, product_id, quantity, unit_cost, value, on_hand_after);
