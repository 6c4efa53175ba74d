//! Groupings beyond sums and extremes. Orders are by the value itself, and statistics are rounded (prices after a
//! division by seven, which leaves no value half way between two), so that
//! there is one answer.

/// As in the module above.
pub const QUERIES: &[(&str, &str, &str)] = &[
    // Different values
    (
        "several_distinct",
        "shop",
        "select shop, count(distinct product) as products, count(distinct day) as days, sum(distinct quantity) as quantities, count(*) as n, sum(cost) as cost, avg(distinct small) as mean, count(distinct product) filter (where is_return) as returned from moves group by shop",
    ),
    (
        "global_distinct",
        "",
        "select count(distinct shop) as shops, sum(distinct cost) as costs, min(distinct cost) as cheap from moves",
    ),
    (
        "only_distinct",
        "shop",
        "select shop, count(distinct day) filter (where quantity > 0) as days, count(distinct product) as products, sum(distinct small) as small from moves group by shop",
    ),
    (
        "only_filtered_distinct",
        "shop",
        "select shop, count(distinct product) filter (where quantity > 3) as products from moves group by shop",
    ),
    // A first row whose value is null gives what no row gives
    (
        "first_of_nulls",
        "",
        "select first_value(cost order by quantity, cost nulls first, product, shop) as first, last_value(cost order by product, cost nulls first) filter (where is_return and cost is null) as last from moves where product is null",
    ),
    (
        "distinct_constants",
        "",
        "select count(distinct 1.5) as ones, sum(distinct 2) as two, count(distinct shop) as shops, string_agg(distinct 'x', ',') as text from shops where region = 'region1' and size = 2",
    ),
    (
        "distinct_of_appended",
        "shop",
        "select shop, count(distinct payment['method']) as methods, count(distinct payment['fee']) as fees, max(total) as total from sales group by shop having count(distinct payment['fee']) > 1",
    ),
    (
        "by_dictionary",
        "shop",
        "select arrow_cast(shop, 'Dictionary(Int32, Utf8)') as shop, count(*) as n, max(arrow_cast(product, 'Dictionary(Int32, Utf8)')) as product, count(distinct arrow_cast(product, 'Dictionary(Int32, Utf8)')) as products from moves group by 1",
    ),
    (
        "by_signed_zero",
        "ratio",
        "select case when is_return then ratio else -ratio end as ratio, count(*) as n from moves group by 1",
    ),
    (
        "list_extremes",
        "shop",
        "select shop, min(make_array(small, quantity)) as low, max(make_array(small, quantity)) as high from moves group by shop",
    ),
    // Flags and bits
    (
        "flags",
        "shop",
        "select shop, bool_and(is_return) as all_back, bool_or(is_return) as some_back, bool_or(is_return) filter (where quantity > 0) as bought_back, bit_and(quantity) as bits_and, bit_or(small) as bits_or, bit_xor(quantity) as bits_xor from moves group by shop",
    ),
    // Over all rows of a group
    (
        "medians",
        "shop",
        "select shop, median(quantity) as quantity, median(cost) as cost, median(distinct quantity) as apart, percentile_cont(0.25) within group (order by ratio) as low, percentile_cont(0.75) within group (order by quantity desc) as high from moves group by shop",
    ),
    ("global_median", "", "select median(ratio) as ratio, count(*) as n from moves"),
    (
        "approximate",
        "shop",
        "select shop, approx_distinct(product) as products, approx_median(small) as small, approx_percentile_cont(0.5) within group (order by quantity) as quantity from moves group by shop",
    ),
    (
        "lists",
        "shop",
        "select shop, array_agg(product order by product) as products, array_agg(distinct small order by small) as smalls, array_agg(day order by day desc nulls last) filter (where quantity > 0) as days, string_agg(product, ',' order by product) as names, string_agg(distinct product, '|' order by product) as apart, nth_value(product, 2 order by product) as second from moves group by shop",
    ),
    (
        "unordered_lists",
        "shop",
        "select shop, array_sort(array_agg(small)) as smalls, array_sort(array_agg(distinct product)) as products, length(string_agg(product, ';')) as characters from moves group by shop",
    ),
    (
        "lists_of_appended",
        "shop",
        "select shop, array_agg(sale_id order by sale_id) as sales, array_agg(lines order by sale_id) as lines from sales group by shop",
    ),
    (
        "some_values",
        "shop",
        "select shop, first_value(shop) as first, last_value(shop) as last, any_value(shop) as any from moves group by shop",
    ),
    (
        "list_sizes",
        "n",
        "select array_length(smalls) as n, count(*) as shops from lists group by array_length(smalls)",
    ),
    // Statistics
    (
        "variances",
        "shop",
        "select shop, round(var_pop(quantity), 8) as a, round(var_samp(cost) / 7, 4) as b, round(stddev(small), 8) as c, round(stddev_pop(quantity), 8) as d, round(var(quantity) filter (where is_return), 8) as f, round(var_pop(distinct quantity), 8) as g from moves group by shop",
    ),
    (
        "regressions",
        "shop",
        "select shop, round(covar_pop(quantity, small), 8) as a, round(covar_samp(cost, quantity) / 7, 6) as b, round(corr(quantity, small), 8) as c, round(regr_slope(quantity, small), 8) as d, round(regr_intercept(quantity, small), 8) as e, regr_count(quantity, small) as f, round(regr_r2(quantity, small), 8) as g, round(regr_avgx(quantity, small), 8) as h, round(regr_avgy(quantity, small), 8) as i, round(regr_sxx(quantity, small), 8) as j, round(regr_syy(quantity, small), 8) as k, round(regr_sxy(quantity, small), 8) as l from moves group by shop",
    ),
    (
        "float_statistics",
        "shop",
        "select shop, round(var_samp(ratio), 8) as a, round(stddev_pop(ratio), 8) as b, round(corr(ratio, quantity), 8) + 0.0 as c from moves group by shop",
    ),
    // Sums of all types
    (
        "typed_sums",
        "shop",
        "select shop, sum(arrow_cast(small, 'Decimal32(4, 1)')) as a, avg(arrow_cast(small, 'Decimal32(4, 1)')) as b, sum(arrow_cast(cost, 'Decimal64(14, 2)')) as c, avg(arrow_cast(cost, 'Decimal64(14, 2)')) as d, sum(arrow_cast(cost, 'Decimal256(40, 4)')) as e, avg(arrow_cast(cost, 'Decimal256(40, 4)')) as f, avg(arrow_cast(cost, 'Decimal128(30, 4)')) as g, sum(arrow_cast(small, 'UInt8')) as h, sum(arrow_cast(ratio, 'Float32')) as i, avg(arrow_cast(small, 'Int8')) as j from moves group by shop",
    ),
    (
        "typed_extremes",
        "shop",
        "select shop, max(arrow_cast(small, 'UInt8')) as a, min(arrow_cast(ratio, 'Float32')) as b, max(arrow_cast(cost, 'Decimal256(40, 4)')) as c, min(arrow_cast(cost, 'Decimal64(14, 2)')) as d, max(arrow_cast(day, 'Date64')) as e, min(is_return) as f, max(arrow_cast(product, 'Utf8View')) as g, min(arrow_cast(small, 'Time32(Second)')) as h from moves group by shop",
    ),
    (
        "durations",
        "shop",
        "select shop, sum(sold_at - timestamp '2024-03-01T00:00:00') as total, avg(sold_at - timestamp '2024-03-01T00:00:00') as mean, max(sold_at - timestamp '2024-03-01T00:00:00') as longest from sales group by shop",
    ),
    (
        "endless_sums",
        "shop",
        "select shop, sum(case when small = 0 then cast('inf' as double) when small = 1 then ratio when quantity > 3 then cast('-inf' as double) when quantity > 1 then cast('nan' as double) end) as total, avg(case when small = 0 then cast('inf' as double) else ratio end) as mean from moves group by shop",
    ),
    // Grouping sets
    (
        "rolled_up",
        "",
        "select shop, day, grouping(shop) as no_shop, grouping(day) as no_day, grouping(shop, day) as which, count(*) as n, sum(quantity) as quantity, max(cost) as cost from moves group by rollup(shop, day)",
    ),
    (
        "cubed",
        "",
        "select shop, is_return, day, count(distinct product) as products, sum(quantity) as quantity, median(small) as small from moves group by cube(shop, is_return, day)",
    ),
    (
        "grouping_sets",
        "",
        "select shop, day, count(*) as n, grouping(day) as no_day from moves group by grouping sets ((shop), (day), (), (shop))",
    ),
    (
        "mixed_sets",
        "",
        "select day, shop, small, count(*) as n from moves group by day, rollup(shop, small) having count(*) > 1",
    ),
    (
        "set_of_none",
        "",
        "select count(*) as n, sum(quantity) as quantity from moves where quantity > 4 group by grouping sets (())",
    ),
];
