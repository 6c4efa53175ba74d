-- title: Sales by shop and hour
-- grain: one row per shop, business date and hour
-- key: shop_id, business_date, business_hour
-- serve: live
-- mart: current
-- column business_hour: The shop's local hour, 0 to 23
-- column invoices: Invoices issued
-- column revenue: Net of returns, without tax
-- column tax: Tax on the revenue
-- column units: Units sold less units taken back
-- column cost: What the goods had cost
-- column margin: Revenue less cost
-- column lines: Lines of the invoices
-- column average_basket: Revenue per invoice; null in an hour with returns only
select
    s.shop_id, d.shop_name, d.currency, s.business_date, s.business_hour,
    s.invoices, s.revenue, s.tax, s.units, s.cost, s.margin, s.lines,
    cast(s.revenue / nullif(s.invoices, 0) as decimal(18, 2)) as average_basket
from int_sales_by_shop_hour as s
left join dim_shop as d on d.shop_id = s.shop_id
