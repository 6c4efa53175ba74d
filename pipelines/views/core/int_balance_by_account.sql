-- title: Totals of accounts, without names
-- grain: one row per account and currency that was ever posted to
-- key: account_code, currency
-- serve: none
-- mart: none
select account_code, currency, sum(debit) as debit, sum(credit) as credit
from fct_journal_lines
group by account_code, currency
