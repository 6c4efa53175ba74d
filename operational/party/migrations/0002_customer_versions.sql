alter table party.customers add column version bigint not null default 1;
