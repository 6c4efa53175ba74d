-- The ten highest bids of each auction, with their places; of equal ones the first.
select *
from (
    select
        *,
        row_number() over (
            partition by auction order by price desc, date_time, bidder, channel, extra
        ) as rank_number
    from bid
)
where rank_number <= 10
