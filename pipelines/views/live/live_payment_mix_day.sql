-- title: How customers pay
-- grain: one row per business date, shop and tender
-- key: business_date, shop_id, tender
-- serve: live
-- mart: current
-- column tender: cash, card, upi or wallet
-- column amount: Money taken less money paid back, tax included
-- column count: Payments; money paid back is not one
select
    business_date, shop_id, tender,
    sum(amount) as amount,
    sum(payments) as count
from fct_tenders
group by business_date, shop_id, tender
