//! Set operations, rows written in the query, lists and structs.

/// As in the module above.
pub const QUERIES: &[(&str, &str, &str)] = &[
    ("intersected", "shop", "select shop from moves intersect select shop from shops"),
    (
        "intersected_nulls",
        "",
        "select shop, small from moves intersect select shop, size from shops",
    ),
    (
        "intersected_all",
        "",
        "select shop, small from moves intersect all select shop, size from shops",
    ),
    ("excepted", "", "select shop, small from moves except select shop, size from shops"),
    ("excepted_all", "", "select shop from moves except all select shop from sales"),
    (
        "distinct_on",
        "shop",
        "select distinct on (shop) shop, quantity, product from moves order by shop, quantity desc, product",
    ),
    (
        "value_rows",
        "",
        "select v.column1 as small, v.column2 as name, m.product from (values (1, 'one'), (2, 'two')) v join moves m on m.small = v.column1",
    ),
    (
        "clause_used_twice",
        "shop,other",
        "with busy as (select shop, count(*) as n from moves group by shop) select a.shop, b.shop as other, a.n from busy a join busy b on a.n >= b.n and a.shop < b.shop",
    ),
    (
        "list_functions",
        "sale_id",
        "select sale_id, array_length(tags) as n, array_sort(tags) as sorted, tags[1] as first_tag, array_has(tags, 'promo') as has_promo, struct(shop, total) as pair, named_struct('shop', shop, 'tags', tags) as named, array_concat(tags, ['all']) as more from sales",
    ),
    (
        "list_groups",
        "tags",
        "select tags, count(*) as n, max(total) as total from sales group by tags",
    ),
    // Lists in lists
    (
        "nested_lists",
        "",
        "select sale_id, unnest(unnest(make_array(tags, make_array('x', shop)))) as tag from sales",
    ),
    (
        "nested_and_flat_lists",
        "",
        "select unnest(make_array(tags, make_array('y'))) as tags, unnest(unnest(make_array(tags, make_array('x', shop)))) as tag, unnest(tags) as flat, shop from sales",
    ),
    (
        "fixed_lists",
        "",
        "select product, unnest(arrow_cast(make_array(quantity, small), 'FixedSizeList(2, Int64)')) as number from moves",
    ),
    (
        "map_entries",
        "",
        "select sale_id, entry['key'] as key, entry['value'] as value from (select sale_id, unnest(map_entries(map(['shop', 'method'], [shop, payment['method']]))) as entry from sales)",
    ),
];
