//! The queries the oracle checks. Each becomes a view of the given key; later ones may read earlier ones.
//! Views called `unkept_…` keep no rows.

pub mod aggregate;
pub mod clock;
pub mod join;
pub mod set;
pub mod window;

/// Name, key columns separated by commas (none: rows may repeat), SQL.
pub const QUERIES: &[(&str, &str, &str)] = &[
    // Linear
    ("all_moves", "", "select * from moves"),
    ("all_products", "product", "select * from products"),
    (
        "projected",
        "",
        "select product, quantity * 2 as twice, upper(shop) as shop_upper, cost * 2 as double_cost from moves",
    ),
    ("filtered", "", "select product, quantity from moves where quantity > 1 and shop <> 'shop1'"),
    (
        "filtered_null",
        "",
        "select product, day from moves where is_return is not true or shop is null",
    ),
    (
        "cased",
        "",
        "select case when quantity < 0 then 'out' when quantity > 0 then 'in' else 'none' end as way, coalesce(shop, 'nowhere') as shop from moves",
    ),
    ("collapsed", "", "select category from products"),
    (
        "day_parts",
        "",
        "select date_trunc('hour', sold_at) as sold_hour, cast(sold_at as date) as sold_date, total from sales",
    ),
    (
        "unioned",
        "",
        "select product, quantity from moves where quantity > 0 union all select product, small from moves where small is not null",
    ),
    (
        "union_mixed",
        "",
        "select shop, total from sales union all select shop, cost from moves union all select region, null from shops",
    ),
    ("constant", "", "select 1 as one, 'x' as letter"),
    (
        "constants",
        "",
        "select column1 as n, column2 as letter from (values (1, 'a'), (2, 'b'), (3, null))",
    ),
    ("nothing", "", "select product from moves where false"),
    (
        "computed_once",
        "",
        "select product, name, name || '!' as loud from (select product, upper(shop) as name from moves) m where name is not null and name <> 'SHOP1'",
    ),
    // Unnest
    (
        "lines",
        "",
        "select sale_id, shop, line['product'] as product, line['quantity'] as quantity, line['amount'] as amount from (select sale_id, shop, unnest(lines) as line from sales)",
    ),
    ("tags", "", "select sale_id, unnest(tags) as tag from sales"),
    ("two_lists", "", "select sale_id, unnest(tags) as tag, unnest(lines) as line from sales"),
    (
        "payments",
        "sale_id",
        "select sale_id, payment['method'] as method, payment['fee'] as fee from sales",
    ),
    ("payment_fields", "", "select sale_id, unnest(payment) from sales"),
    (
        "line_revenue",
        "product",
        "select line['product'] as product, sum(line['amount']) as amount, sum(line['quantity']) as quantity, count(*) as lines from (select unnest(lines) as line from sales) group by line['product']",
    ),
    // Additive aggregates
    (
        "global",
        "",
        "select count(*) as n, count(shop) as shops, sum(quantity) as quantity, sum(cost) as cost, avg(cost) as mean from moves",
    ),
    (
        "global_filtered",
        "",
        "select count(*) as n, sum(quantity) as quantity from moves where quantity > 3",
    ),
    (
        "by_shop",
        "shop",
        "select shop, count(*) as n, count(quantity) as counted, sum(quantity) as quantity, sum(cost) as cost, avg(cost) as mean_cost, avg(quantity) as mean, sum(small) as small, sum(ratio) as ratio from moves group by shop",
    ),
    (
        "by_two",
        "shop,day",
        "select shop, day, sum(quantity) as quantity from moves group by shop, day",
    ),
    (
        "by_expression",
        "way",
        "select case when quantity < 0 then 'out' else 'in' end as way, sum(abs(quantity)) as quantity from moves group by 1",
    ),
    (
        "by_flag",
        "is_return",
        "select is_return, count(*) as n, sum(ratio) as ratio from moves group by is_return",
    ),
    ("by_float", "ratio", "select ratio, count(*) as n from moves group by ratio"),
    (
        "by_hour",
        "shop,sold_hour",
        "select shop, date_trunc('hour', sold_at) as sold_hour, count(*) as invoices, sum(total) as revenue from sales group by shop, date_trunc('hour', sold_at)",
    ),
    (
        "with_filter",
        "shop",
        "select shop, count(*) filter (where is_return) as returns, sum(quantity) filter (where quantity > 0) as bought, sum(cost) filter (where day > date '2024-01-01') as late_cost from moves group by shop",
    ),
    (
        "having",
        "shop",
        "select shop, sum(quantity) as quantity from moves group by shop having sum(quantity) > 2 and count(*) < 12",
    ),
    (
        "of_aggregate",
        "n",
        "select n, count(*) as shops from (select shop, count(*) as n from moves group by shop) group by n",
    ),
    (
        "key_dropped",
        "",
        "select n from (select shop, count(*) as n from moves group by shop) where n > 1",
    ),
    (
        "ratio_of_sums",
        "shop",
        "select shop, sum(cost) / nullif(sum(quantity), 0) as unit_cost from moves group by shop",
    ),
    ("distinct_rows", "shop,small", "select distinct shop, small from moves"),
    (
        "count_distinct",
        "shop",
        "select shop, count(distinct product) as products from moves group by shop",
    ),
    ("union_distinct", "name", "select shop as name from moves union select region from shops"),
    // Ordered
    (
        "extremes",
        "shop",
        "select shop, min(quantity) as low, max(quantity) as high, min(cost) as cheap, max(day) as last_day, min(product) as first_product, max(ratio) as ratio from moves group by shop",
    ),
    (
        "global_extremes",
        "",
        "select min(quantity) as low, max(product) as high, count(*) as n from moves",
    ),
    (
        "append_extremes",
        "shop",
        "select shop, max(total) as dearest, min(sold_at) as first_at from sales group by shop",
    ),
    (
        "latest",
        "category",
        "select category, last_value(product order by version) as product, last_value(price order by version) as price, first_value(price order by version) as first_price, first_value(price order by version desc) as again, max(version) as version from products group by category",
    ),
    (
        "latest_sale",
        "shop",
        "select shop, last_value(sale_id order by sale_id) as sale_id, last_value(total order by sale_id) as total, first_value(total order by sale_id) filter (where total > 0) as first_gain from sales group by shop",
    ),
    (
        "last_known",
        "shop",
        "select shop, last_value(payment['method'] order by sale_id) ignore nulls as method from sales group by shop",
    ),
    // Joins
    (
        "joined",
        "",
        "select m.product, p.category, m.quantity * p.price as value from moves m join products p on m.product = p.product",
    ),
    (
        "joined_left",
        "",
        "select m.product, p.category, m.quantity from moves m left join products p on m.product = p.product",
    ),
    (
        "joined_right",
        "",
        "select m.quantity, p.product, p.price from moves m right join products p on m.product = p.product",
    ),
    (
        "joined_full",
        "",
        "select m.product as moved, p.product as listed, m.small from moves m full join products p on m.product = p.product",
    ),
    (
        "joined_residual",
        "",
        "select m.product, m.quantity, p.version from moves m join products p on m.product = p.product and m.cost > p.price",
    ),
    (
        "left_residual",
        "",
        "select m.product, m.cost, p.price from moves m left join products p on m.product = p.product and m.cost > p.price",
    ),
    (
        "full_residual",
        "",
        "select m.product, m.cost, p.price from moves m full join products p on m.product = p.product and m.cost > p.price",
    ),
    (
        "joined_twice",
        "",
        "select s.sale_id, h.region, h2.region as other from sales s join shops h on s.shop = h.shop left join shops h2 on h2.size = h.size and h2.shop <> h.shop",
    ),
    (
        "self_joined",
        "",
        "select a.shop, b.shop as other, a.size from shops a join shops b on a.size = b.size",
    ),
    (
        "crossed",
        "",
        "select a.shop, p.product from shops a cross join products p where p.price > 0",
    ),
    ("inequal", "", "select a.shop, b.shop as bigger from shops a join shops b on a.size < b.size"),
    (
        "two_keys",
        "",
        "select m.product, m.day, s.total from moves m join sales s on m.shop = s.shop and m.day = cast(s.sold_at as date)",
    ),
    (
        "null_safe",
        "",
        "select m.product, s.sale_id from moves m join sales s on (m.shop is not distinct from s.shop) and m.small = 1",
    ),
    (
        "semi",
        "",
        "select product, quantity from moves where product in (select product from products where price > 0)",
    ),
    (
        "exists",
        "shop",
        "select * from shops h where exists (select 1 from moves m where m.shop = h.shop and m.quantity > 2)",
    ),
    (
        "anti",
        "product",
        "select product, price from products p where not exists (select 1 from moves m where m.product = p.product)",
    ),
    (
        "correlated",
        "shop",
        "select h.shop, (select sum(m.quantity) from moves m where m.shop = h.shop) as quantity from shops h",
    ),
    ("counted_pairs", "", "select count(*) as n from shops a cross join products b"),
    (
        "share",
        "shop",
        "select s.shop, s.n, t.n as all_n from (select shop, count(*) as n from moves group by shop) s cross join (select count(*) as n from moves) t",
    ),
    (
        "category_value",
        "category,region",
        "select p.category, h.region, sum(m.quantity * p.price) as value, count(*) as n, max(m.day) as day from moves m join products p on m.product = p.product left join shops h on h.shop = m.shop group by p.category, h.region",
    ),
    (
        "with_clause",
        "shop",
        "with busy as (select shop, count(*) as n from moves group by shop having count(*) > 1), named as (select b.shop, b.n, h.region from busy b left join shops h on h.shop = b.shop) select shop, max(n) as n, max(region) as region from named group by shop",
    ),
    // Views on views
    (
        "stock",
        "product,shop",
        "select product, shop, sum(quantity) as on_hand from all_moves group by product, shop",
    ),
    ("low_stock", "product,shop", "select product, shop, on_hand from stock where on_hand < 2"),
    (
        "stock_value",
        "category",
        "select p.category, sum(s.on_hand * p.price) as value, count(*) as places from stock s join products p on p.product = s.product group by p.category",
    ),
    (
        "line_names",
        "",
        "select l.sale_id, l.amount, p.category, h.region from lines l join all_products p on p.product = l.product left join shops h on h.shop = l.shop",
    ),
    (
        "region_revenue",
        "region",
        "select region, count(*) as n, sum(amount) as revenue, max(amount) as top from line_names group by region",
    ),
    // Rows told apart by an identity, met on a part of it, on another column or on none of it
    (
        "days_of_shops",
        "shop,day",
        "select b.shop, b.day, b.quantity, h.region, h.size from (select shop, day, sum(quantity) as quantity from moves group by shop, day) b left join shops h on h.shop = b.shop",
    ),
    (
        "same_category",
        "product,other",
        "select a.product, b.product as other, a.category, b.price from products a join products b on a.category = b.category",
    ),
    (
        "category_sizes",
        "product",
        "select p.product, p.category, c.n from products p left join (select category, count(*) as n from products group by category) c on p.category = c.category",
    ),
    (
        "moved_and_sold",
        "",
        "select m.shop as moved_in, s.shop as sold_in, m.n, s.total from (select shop, count(*) as n from moves group by shop) m full join (select shop, sum(total) as total from sales group by shop) s on m.shop = s.shop",
    ),
    (
        "moved_and_sold_nulls",
        "shop",
        "select coalesce(m.shop, s.shop) as shop, m.n, s.total from (select shop, count(*) as n from moves group by shop) m full join (select shop, sum(total) as total from sales group by shop) s on m.shop is not distinct from s.shop",
    ),
    (
        "small_and_shop",
        "",
        "select a.shop, a.small, b.day, b.n from (select shop, small, count(*) as n from moves group by shop, small) a full join (select shop, day, count(*) as n from moves group by shop, day) b on a.shop = b.shop and a.n >= b.n",
    ),
    (
        "sold_by_day",
        "day",
        "select m.day, m.n, s.total from (select day, count(*) as n from moves group by day) m left join (select cast(sold_at as date) as day, sum(total) as total from sales group by 1) s on m.day = s.day",
    ),
    (
        "grown_shops",
        "shop,size,day",
        "select h.shop, h.size, a.day, a.quantity from (select shop, day, sum(quantity) as quantity from moves group by shop, day) a right join shops h on h.shop = a.shop and a.quantity > h.size",
    ),
    (
        "later_days",
        "shop,day,later",
        "select a.shop, a.day, b.day as later, b.quantity from by_two a join by_two b on a.shop = b.shop and a.day < b.day",
    ),
    (
        "outdone_days",
        "shop,day",
        "select shop, day, quantity from by_two b where exists (select 1 from distinct_rows d where d.shop = b.shop and d.small > b.quantity)",
    ),
    (
        "unmatched_days",
        "shop,day",
        "select shop, day, quantity from by_two b where not exists (select 1 from shops h where h.shop = b.shop and h.size < b.quantity)",
    ),
    (
        "named_names",
        "name",
        "select u.name, h.region from union_distinct u left join shops h on h.shop = u.name",
    ),
    (
        "null_column",
        "shop",
        "select h.shop, null as nothing, s.n from shops h left join (select shop, count(*) as n from moves group by shop) s on s.shop = h.shop",
    ),
    // Results that stay while what they come from changes
    ("mean_alone", "shop", "select shop, avg(small) as mean from moves group by shop"),
    (
        "mean_of_means",
        "region",
        "select h.region, round(avg(m.mean), 9) as mean, count(*) as n from mean_alone m join shops h on h.shop = m.shop group by h.region",
    ),
    (
        "undefined_sum",
        "shop",
        "select shop, sum(case when payment['fee'] = 0 then cast('nan' as double) else 1.5 end) as ratio from sales group by shop",
    ),
    // Lists in rows that come and go
    (
        "unmatched_sales",
        "sale_id",
        "select s.sale_id, s.shop, s.lines, s.payment from moves m full join sales s on m.shop = s.shop where m.product is null",
    ),
    (
        "unmatched_lines",
        "",
        "select sale_id, line['product'] as product from (select sale_id, unnest(lines) as line from unmatched_sales)",
    ),
    // Run again with each change
    (
        "grown",
        "size,depth",
        "with recursive n as (select size, 1 as depth from shops union all select size + 1, depth + 1 from n where depth < 3) select size, depth, count(*) as shops from n group by size, depth",
    ),
    (
        "grown_products",
        "",
        "select g.depth, p.product from grown g join products p on p.version % 7 = g.size",
    ),
    ("series", "n", "select value as n from generate_series(1, 5)"),
    ("shops_in_series", "shop", "select h.shop, s.n from shops h join series s on s.n = h.size"),
    // Views that keep no rows of their own, and views on all that
    (
        "unkept_days",
        "shop,day",
        "select shop, day, sum(quantity) as quantity, min(small) as small from all_moves group by shop, day",
    ),
    (
        "unkept_regions",
        "",
        "select d.shop, d.day, h.region from unkept_days d left join shops h on h.shop = d.shop and h.size > d.small",
    ),
    (
        "days_of_regions",
        "region",
        "select region, count(*) as n, sum(quantity) as quantity, max(day) as day from days_of_shops group by region",
    ),
    (
        "revenue_of_days",
        "shop,day",
        "select d.shop, d.day, d.quantity, r.revenue, u.small from days_of_shops d left join region_revenue r on r.region = d.region left join unkept_days u on u.shop = d.shop and u.day = d.day",
    ),
    ("regions_of_days", "", "select region from days_of_shops where quantity > 0"),
    (
        "days_and_regions",
        "",
        "select d.shop, d.quantity, u.day, u.region from days_of_shops d full join unkept_regions u on u.region = d.region",
    ),
];

/// The same for views that are added to an engine that has run for a while. They read what is kept.
pub const LATE: &[(&str, &str, &str)] = &[
    (
        "late_stock",
        "product,shop",
        "select s.product, s.shop, s.on_hand, p.category, p.price from stock s left join products p on p.product = s.product",
    ),
    (
        "late_shops",
        "shop",
        "select coalesce(b.shop, h.shop) as shop, b.n, h.region from by_shop b full join shops h on h.shop = b.shop",
    ),
    (
        "late_categories",
        "category",
        "select category, sum(on_hand * price) as value, count(*) as n from late_stock group by category",
    ),
    (
        "late_pairs",
        "",
        "select s.product, d.shop, d.quantity from late_stock s join days_of_shops d on d.shop = s.shop and d.quantity > s.on_hand",
    ),
    (
        "late_unsold",
        "product",
        "select p.product, p.category from products p where not exists (select 1 from late_stock s where s.category = p.category and s.on_hand > 0)",
    ),
    (
        "unkept_late_days",
        "shop,day",
        "select shop, day, sum(quantity) as quantity from all_moves group by shop, day",
    ),
    (
        "late_days",
        "shop,day",
        "select d.shop, d.day, d.quantity, s.n from unkept_late_days d left join late_shops s on s.shop = d.shop",
    ),
];
