-- title: Sales by shop and day
-- grain: one row per shop and business date
-- key: shop_id, business_date
-- serve: live
-- mart: current
-- column invoices: Invoices issued
-- column revenue: Net of returns, without tax
-- column margin: Revenue less cost
-- column units: Units sold less units taken back
-- column average_basket: Revenue per invoice; null on a day with returns only
with days as (
    select
        shop_id, business_date,
        sum(invoices) as invoices,
        sum(revenue) as revenue,
        sum(tax) as tax,
        sum(margin) as margin,
        sum(units) as units,
        sum(lines) as lines
    from int_sales_by_shop_hour
    group by shop_id, business_date
)
select
    s.shop_id, d.shop_name, d.currency, s.business_date,
    s.invoices, s.revenue, s.tax, s.margin, s.units, s.lines,
    cast(s.revenue / nullif(s.invoices, 0) as decimal(18, 2)) as average_basket
from days as s
left join dim_shop as d on d.shop_id = s.shop_id
