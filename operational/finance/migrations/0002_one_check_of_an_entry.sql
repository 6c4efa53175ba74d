-- One check says what an entry is: PostgreSQL reads the text of each check anew for every statement, so
-- that two cost a sale more than one. Debits equal credits, each line has an account and exactly one
-- side, and there are at least two lines.

-- All rows are written or read once: as long as that takes, and by whole tables.
set local statement_timeout = 0;
set local enable_seqscan = on;
set local enable_hashjoin = on;
set local enable_mergejoin = on;

alter table finance.entries
    drop constraint entries_balanced,
    drop constraint entries_complete;

drop function finance.is_balanced(numeric[], numeric[]);

create function finance.is_balanced(
    account_codes text[], debits numeric[], credits numeric[], party_ids uuid[]
) returns boolean
language plpgsql immutable as $$
declare
    lines constant integer := cardinality(debits);
    difference numeric := 0;
begin
    if (lines >= 2 and cardinality(credits) = lines and cardinality(account_codes) = lines
        and cardinality(party_ids) = lines and array_position(account_codes, null) is null)
        is not true
    then
        return false;
    end if;
    for line in 1..lines loop
        if (debits[line] >= 0 and credits[line] >= 0
            and (debits[line] > 0) <> (credits[line] > 0)) is not true
        then
            return false;
        end if;
        difference := difference + debits[line] - credits[line];
    end loop;
    return difference = 0;
end;
$$;

alter table finance.entries
    add constraint entries_balanced
    check (finance.is_balanced(account_codes, debits, credits, party_ids));
