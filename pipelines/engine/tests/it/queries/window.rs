//! Limits and window functions. Orders are total, or rows equal in them are equal, so that there is one answer.

/// Name, key columns separated by commas (none: rows may repeat), SQL.
pub const QUERIES: &[(&str, &str, &str)] = &[
    // The first rows of each group
    (
        "dearest_sale",
        "shop",
        "select shop, sale_id, total from (select *, row_number() over (partition by shop order by total desc, sale_id) as rn from sales) where rn = 1",
    ),
    (
        "dearest_sales",
        "shop,rn",
        "select * from (select shop, sale_id, total, row_number() over (partition by shop order by total desc nulls last, sale_id) as rn from sales) where rn <= 3",
    ),
    (
        "late_sales",
        "",
        "select shop, sold_at, total from (select shop, sold_at, total, row_number() over (partition by shop order by sold_at desc, sale_id desc) as rn from sales) where rn between 2 and 4",
    ),
    (
        "best_products",
        "product",
        "select product, category, price from (select *, row_number() over (partition by category order by price desc, product) as rn from products) where rn <= 2 and price > 0",
    ),
    (
        "best_product_numbers",
        "category,n",
        "select category, cast(n as bigint) + 1 as n, product from (select *, row_number() over (partition by category order by price desc, product) as n from products) where n < 3",
    ),
    (
        "second_product",
        "",
        "select category, product from (select *, row_number() over (partition by category order by version) as rn from products) where rn = 2",
    ),
    (
        "odd_products",
        "category,n",
        "select category, n, product from (select *, row_number() over (partition by category order by version) as n from products) where n in (1, 3, 5) or n = 7",
    ),
    (
        "move_ranks",
        "",
        "select * from (select product, shop, quantity, rank() over (partition by shop order by quantity desc) as place from moves) where place <= 3",
    ),
    (
        "move_rank_rows",
        "",
        "select product, shop, quantity from (select *, rank() over (partition by shop order by quantity desc) as place from moves) where place <= 2",
    ),
    (
        "move_dense_ranks",
        "",
        "select * from (select product, shop, small, dense_rank() over (partition by shop order by small nulls first) as place from moves) where place between 1 and 2",
    ),
    (
        "sale_ranks",
        "",
        "select * from (select shop, sold_at, sale_id, rank() over (partition by shop order by sold_at) as place, total from sales) where place <= 2",
    ),
    (
        "sale_dense_ranks",
        "",
        "select shop, sold_at, total from (select *, dense_rank() over (partition by shop order by sold_at) as place from sales) where place = 2",
    ),
    (
        "qualified",
        "shop",
        "select shop, product, quantity from moves where product is not null qualify row_number() over (partition by shop order by quantity desc, product, small, cost, ratio, day, is_return) = 1",
    ),
    (
        "first_of_all",
        "",
        "select shop, size from (select *, row_number() over (order by size desc, shop) as rn from shops) where rn = 1",
    ),
    (
        "first_of_joined",
        "shop",
        "select shop, region, product, category from (select m.shop, h.region, m.product, p.category, row_number() over (partition by m.shop order by p.price desc, m.product, p.category, h.region) as rn from moves m join products p on p.product = m.product left join shops h on h.shop = m.shop) where rn = 1",
    ),
    (
        "of_first",
        "region",
        "select h.region, count(*) as n, sum(d.total) as total from dearest_sales d join shops h on h.shop = d.shop group by h.region",
    ),
    (
        "no_rank",
        "",
        "select product from (select *, row_number() over (partition by category order by version) as rn from products) where rn < 1",
    ),
    (
        "by_expression_order",
        "product",
        "select * from (select product, upper(category) as kind, row_number() over (partition by upper(category) order by -version) as rn from products) where 2 >= rn",
    ),
    // Limits
    (
        "limited",
        "product",
        "select product, price from products order by price desc, product limit 4",
    ),
    (
        "limited_sales",
        "sale_id",
        "select sale_id, total from sales order by total, sale_id desc limit 5 offset 2",
    ),
    ("limited_hidden", "", "select category from products order by version desc limit 3"),
    ("offset_alone", "product", "select product, version from products order by version offset 3"),
    ("offset_sales", "sale_id", "select sale_id from sales order by sale_id offset 4"),
    ("limit_none", "", "select product from products order by product limit 0"),
    (
        "limit_within",
        "shop",
        "select h.shop, t.n from shops h join (select shop, count(*) as n from moves group by shop order by count(*) desc, shop limit 2) t on t.shop = h.shop",
    ),
    (
        "limit_of_limit",
        "product",
        "select product from (select product, version from products order by version desc limit 6) order by product limit 2",
    ),
    // Neighbours
    (
        "previous",
        "product",
        "select product, category, version, lag(version) over (partition by category order by version) as before, lead(product, 2, 'none') over (partition by category order by version) as behind from products",
    ),
    (
        "sale_gaps",
        "sale_id",
        "select sale_id, shop, sold_at - lag(sold_at) over (partition by shop order by sold_at, sale_id) as gap, lag(total, 2, 0) over (partition by shop order by sold_at, sale_id) as earlier, lead(total, 0) over (partition by shop order by sold_at, sale_id) as own from sales",
    ),
    (
        "move_neighbours",
        "",
        "select shop, quantity, lag(quantity, 1) over w as before, lead(quantity, 3) over w as behind from moves window w as (partition by shop order by quantity, product, small, cost, ratio, day, is_return)",
    ),
    (
        "neighbours_both_ways",
        "product",
        "select product, lag(price) over (order by version) as by_version, lead(price * 2, 1) over (partition by category order by product) as by_product from products",
    ),
    // Other functions
    (
        "running",
        "sale_id",
        "select sale_id, shop, total, sum(total) over (partition by shop order by sold_at, sale_id) as balance, count(*) over (partition by shop order by sold_at, sale_id) as n, avg(total) over (partition by shop order by sold_at, sale_id rows between 2 preceding and current row) as mean from sales",
    ),
    // The order reads columns that are not given out
    (
        "last_sales",
        "sale_id",
        "select sale_id, total from sales where total > 10 qualify row_number() over (partition by shop order by sold_at desc, sale_id) <= 3",
    ),
    (
        "versions_of_kind",
        "product",
        "select product, place * 2 as twice from (select product, upper(category) as kind, row_number() over (partition by category order by version desc) as place from products) where place < 4 and kind <> 'BOOKS'",
    ),
    (
        "totals_so_far",
        "",
        "select product, shop, quantity, small, sum(quantity) over w as so_far, count(product) over w as n, min(cost) over w as least, max(day) over w as newest, sum(quantity) filter (where is_return) over w as returned from moves window w as (partition by shop order by small nulls first)",
    ),
    (
        "totals_by_rows",
        "product",
        "select product, sum(version) over w as so_far, max(price) over w as dearest, min(price) over (order by version desc groups between unbounded preceding and current row) as cheapest from products window w as (partition by category order by version, product rows between unbounded preceding and current row)",
    ),
    (
        "framed",
        "",
        "select product, shop, quantity, sum(quantity) over (partition by shop order by quantity range between 2 preceding and 1 following) as near, count(*) over (partition by shop order by small groups between 1 preceding and current row) as peers, max(cost) over (partition by shop order by quantity rows between unbounded preceding and unbounded following) as most from moves",
    ),
    (
        "of_shop",
        "",
        "select product, shop, quantity, sum(quantity) over (partition by shop) as all_of_shop, min(cost) over (partition by shop, day) as least, count(*) over () as n from moves",
    ),
    (
        "distributed",
        "product",
        "select product, ntile(3) over (order by version) as third, percent_rank() over (partition by category order by price) as place, cume_dist() over (partition by category order by price) as share, rank() over (order by price desc) as rank, dense_rank() over (order by category) as dense from products",
    ),
    (
        "picked",
        "product",
        "select product, first_value(product) over w as first, last_value(product) over w as last, nth_value(product, 2) over w as second, last_value(price) ignore nulls over w as known, lag(price) ignore nulls over w as before from products window w as (partition by category order by version)",
    ),
    (
        "mixed",
        "sale_id",
        "select sale_id, lag(total) over w as before, row_number() over w as n, sum(total) over w as balance from sales window w as (partition by shop order by sale_id)",
    ),
    (
        "mixed_by_key",
        "product",
        "select product, lag(version) over w as before, row_number() over w as n, sum(version) over w as so_far from products window w as (partition by category order by product)",
    ),
    // All calls see rows that are equal in the order in one order, so that the number tells the others
    (
        "mixed_with_ties",
        "",
        "select n, rows, third from (select row_number() over w as n, count(*) over (order by category rows unbounded preceding) as rows, ntile(3) over w as third from products window w as (order by category))",
    ),
    (
        "share_of_shop",
        "shop,day",
        "select shop, day, quantity, quantity * 100 / nullif(sum(quantity) over (partition by shop), 0) as share, row_number() over (partition by day order by quantity, shop) as place from (select shop, day, sum(quantity) as quantity from moves group by shop, day)",
    ),
    (
        "filtered_window",
        "",
        "select shop, product, sum(quantity) filter (where is_return) over (partition by shop) as returned from moves",
    ),
    (
        "every_third",
        "product",
        "select product, n from (select product, row_number() over (order by version) as n from products) where n % 3 = 0",
    ),
    // Sessions: sales of a shop that are at most an hour and a half apart
    (
        "session_sales",
        "sale_id",
        "select sale_id, shop, sold_at, total, sum(starts) over (partition by shop order by sold_at, sale_id) as session from (select *, case when sold_at - lag(sold_at) over (partition by shop order by sold_at, sale_id) <= interval '90 minutes' then 0 else 1 end as starts from sales)",
    ),
    (
        "sessions",
        "shop,session",
        "select shop, session, min(sold_at) as begins, max(sold_at) as ends, count(*) as n, sum(total) as total from session_sales group by shop, session",
    ),
    // Hopping windows of six hours, one beginning every two
    (
        "hopping",
        "shop,begins",
        "select shop, begins, count(*) as n, sum(total) as total from (select shop, total, unnest(range(date_bin(interval '2 hours', sold_at) - interval '4 hours', date_bin(interval '2 hours', sold_at) + interval '1 second', interval '2 hours')) as begins from sales) group by shop, begins",
    ),
    // As-of joins: each move with the last sale of its shop up to its day
    (
        "as_of",
        "",
        "select product, shop, day, quantity, sale_id, total from (select m.*, s.sale_id, s.total, row_number() over (partition by m.product, m.shop, m.quantity, m.small, m.cost, m.ratio, m.day, m.is_return order by s.sold_at desc, s.sale_id desc) as rn from (select distinct * from moves) m left join sales s on s.shop = m.shop and s.sold_at <= m.day + interval '1 month') where rn = 1",
    ),
    (
        "as_of_picked",
        "sale_id",
        "select s.sale_id, s.sold_at, last_value(b.product order by b.day, b.product) as product, last_value(b.cost order by b.day, b.product, b.cost) as cost from sales s left join moves b on b.shop = s.shop and b.day <= s.sold_at group by s.sale_id, s.sold_at",
    ),
    (
        "as_of_laid_over",
        "sale_id",
        "select sale_id, shop, sold_at, cost from (select sale_id, shop, sold_at, last_value(cost) ignore nulls over (partition by shop order by sold_at, is_sale, sale_id, cost rows between unbounded preceding and current row) as cost from (select null as sale_id, shop, cast(day as timestamp) as sold_at, 0 as is_sale, cost from moves union all select sale_id, shop, sold_at, 1, null from sales)) where sale_id is not null",
    ),
];

/// The same for views that are added to an engine that has run for a while. They read what is kept.
pub const LATE: &[(&str, &str, &str)] = &[
    (
        "late_first",
        "product",
        "select product, shop, on_hand from stock qualify row_number() over (partition by product order by on_hand desc, shop) = 1",
    ),
    (
        "late_first_shops",
        "product",
        "select f.product, f.shop, h.region from late_first f left join shops h on h.shop = f.shop",
    ),
    (
        "late_neighbours",
        "product,shop",
        "select product, shop, lag(on_hand) over (partition by product order by shop) as before from stock",
    ),
    (
        "late_running",
        "product,shop",
        "select product, shop, sum(on_hand) over (partition by product order by shop) as so_far from stock",
    ),
    (
        "late_few",
        "",
        "select product, shop from stock order by on_hand, product, shop limit 5 offset 1",
    ),
];
