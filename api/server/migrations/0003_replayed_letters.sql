-- Dead letters whose events were appended again, by the position of their first event: a letter is
-- taken once, while its events may be in several letters, one behind the other.
create table identity.replayed_letters (
    position bigint primary key,
    replayed_at timestamptz not null
);
