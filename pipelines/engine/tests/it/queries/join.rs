//! Joins and subqueries beyond equal keys.

/// As in the module above.
pub const QUERIES: &[(&str, &str, &str)] = &[
    // Not in, where nulls decide
    (
        "not_in",
        "shop",
        "select shop, size from shops where size not in (select small from moves where quantity > 4)",
    ),
    (
        "not_in_any",
        "",
        "select product, small from moves where small not in (select size from shops)",
    ),
    (
        "not_in_empty",
        "",
        "select product, small from moves where small not in (select size from shops where region = 'region0' and size = 1)",
    ),
    (
        "not_in_related",
        "shop",
        "select shop, size from shops h where size not in (select small from moves m where m.quantity > h.size + 3)",
    ),
    (
        "not_in_expression",
        "",
        "select product from moves where small + 1 not in (select size * 2 from shops) and quantity not in (select small from moves where is_return)",
    ),
    // In and exists beside other conditions
    (
        "in_or",
        "",
        "select product, quantity from moves where quantity > 3 or product in (select product from products where price > 0)",
    ),
    (
        "exists_or",
        "",
        "select m.product, m.small from moves m where m.small = 0 or exists (select 1 from shops h where h.shop = m.shop and h.size > m.small)",
    ),
    (
        "not_in_or",
        "",
        "select product, quantity from moves where quantity > 4 or product not in (select product from products where price > 2)",
    ),
    (
        "two_marks",
        "product",
        "select product, category from products p where (product in (select product from moves where quantity > 0)) <> (exists (select 1 from moves m where m.product = p.product and m.is_return))",
    ),
    // Keys of unlike types
    (
        "unlike_keys",
        "",
        "select m.product, h.shop from moves m join shops h on m.quantity = h.size",
    ),
    (
        "unlike_keys_left",
        "",
        "select m.product, p.version from moves m left join products p on m.small = p.price and m.product = p.product",
    ),
    // Values of subqueries
    (
        "above_mean",
        "",
        "select product, quantity from moves where quantity > (select avg(quantity) from moves)",
    ),
    (
        "with_totals",
        "shop",
        "select shop, size, (select count(*) from moves) as n, size * (select max(size) from shops) as most from shops",
    ),
    (
        "with_nothing",
        "shop",
        "select shop, (select quantity from moves where quantity > 99) as quantity from shops",
    ),
    (
        "share_of_all",
        "shop",
        "select shop, sum(quantity * (select max(size) from shops)) as quantity, count(*) filter (where cost > (select avg(cost) from moves)) as dear from moves group by shop having sum(quantity) > (select avg(quantity) from moves)",
    ),
    (
        "nested_values",
        "",
        "select product, cost from moves where cost < (select avg(cost) from moves where small > (select min(small) from moves))",
    ),
    (
        "joined_on_value",
        "",
        "select m.product, h.shop, h.region from moves m left join shops h on h.shop = m.shop and h.size > (select min(small) from moves where quantity > 0)",
    ),
    (
        "semi_on_value",
        "shop",
        "select shop from shops h where exists (select 1 from moves m where m.shop = h.shop and m.quantity > (select avg(quantity) from moves))",
    ),
    (
        "sales_over_mean",
        "sale_id",
        "select sale_id, total, total - (select avg(total) from sales) as above from sales where total > (select avg(total) from sales)",
    ),
];
