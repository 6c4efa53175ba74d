create table finance.accounts (
    account_id     uuid not null,
    account_code   text not null,
    account_name   text not null,
    account_type   text not null,
    parent_code    text,
    constraint accounts_account_id_key primary key (account_id),
    constraint accounts_account_code_key unique (account_code),
    constraint accounts_account_type check (account_type in ('asset', 'liability', 'equity', 'income', 'expense'))
);

-- Debits equal credits, each line has exactly one side, and there are at least two lines. Checked
-- for every sale, so it is written to be fast.
create function finance.is_balanced(debits numeric[], credits numeric[]) returns boolean
language plpgsql immutable as $$
declare
    lines constant integer := cardinality(debits);
    debit numeric;
    credit numeric;
    difference numeric := 0;
begin
    if lines < 2 or cardinality(credits) <> lines then
        return false;
    end if;
    for line in 1..lines loop
        debit := debits[line];
        credit := credits[line];
        if debit is null or credit is null or debit < 0 or credit < 0
            or (debit > 0) = (credit > 0) then
            return false;
        end if;
        difference := difference + debit - credit;
    end loop;
    return difference = 0;
end;
$$;

-- An entry is one row, its lines in arrays: half an entry can't exist, and the balance is a plain
-- check of the row. finance.journal_lines shows the lines as rows.
create table finance.entries (
    entry_id       uuid not null,
    shop_id        uuid not null,
    currency       text not null,
    business_date  date not null,
    posted_at      timestamptz not null,
    document_type  text not null,
    document_id    uuid not null,
    reversal_of    uuid,
    memo           text,
    account_codes  text[] not null,
    debits         numeric(18, 2)[] not null,
    credits        numeric(18, 2)[] not null,
    party_ids      uuid[] not null,
    constraint entries_entry_id_key primary key (entry_id),
    constraint entries_balanced check (finance.is_balanced(debits, credits)),
    constraint entries_complete check (
        cardinality(account_codes) = cardinality(debits)
        and cardinality(party_ids) = cardinality(debits)
        and array_position(account_codes, null) is null
    )
);

create function finance.refuse_change() returns trigger
language plpgsql as $$
begin
    raise exception 'a posted entry never changes: post a reversing entry'
        using errcode = 'integrity_constraint_violation', constraint = 'entries_immutable',
              table = tg_table_name, schema = tg_table_schema;
end;
$$;

create trigger entries_immutable
    before update or delete or truncate on finance.entries
    for each statement execute function finance.refuse_change();

create view finance.journal_lines as
select
    entry.entry_id,
    line.line_no::integer as line_no,
    entry.shop_id,
    entry.currency,
    entry.business_date,
    entry.posted_at,
    entry.document_type,
    entry.document_id,
    line.account_code,
    line.debit,
    line.credit,
    line.party_id
from finance.entries as entry
cross join lateral unnest(entry.account_codes, entry.debits, entry.credits, entry.party_ids)
    with ordinality as line (account_code, debit, credit, party_id, line_no);
