-- title: Trial balance
-- grain: one row per account and currency that was ever posted to
-- key: account_code, currency
-- serve: live
-- mart: current
-- column account_type: asset, liability, equity, income or expense
-- column balance: Debit less credit; all balances of a currency add up to zero
select
    b.account_code, b.currency, a.account_name, a.account_type, b.debit, b.credit,
    b.debit - b.credit as balance
from int_balance_by_account as b
left join dim_account as a on a.account_code = b.account_code
