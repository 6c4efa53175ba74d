-- Calculations: prices in another currency, time of day, how often a letter occurs.
select
    auction,
    bidder,
    cast(0.908 as double) * price as price,
    case
        when date_part('hour', date_time) between 8 and 18 then 'dayTime'
        when date_part('hour', date_time) <= 6 or date_part('hour', date_time) >= 20 then 'nightTime'
        else 'otherTime'
    end as bid_time_type,
    date_time,
    extra,
    length(extra) - length(replace(extra, 'c', '')) as c_counts
from bid
where cast(0.908 as double) * price > 1000000 and cast(0.908 as double) * price < 50000000
