-- Average closing price of each category's auctions, in whole cents.
select category, cast(avg(final) as bigint) as average
from (
    select a.category, max(b.price) as final
    from auction a
    join bid b on a.id = b.auction
    where b.date_time between a.date_time and a.expires
    group by a.id, a.category
)
group by category
