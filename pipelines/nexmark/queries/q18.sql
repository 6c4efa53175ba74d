-- The last bid of each bidder for each auction; of several in a millisecond the highest.
select auction, bidder, price, channel, url, date_time, extra
from (
    select
        *,
        row_number() over (
            partition by bidder, auction order by date_time desc, price desc, channel, extra
        ) as place
    from bid
)
where place = 1
