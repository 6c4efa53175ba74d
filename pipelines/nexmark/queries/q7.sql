-- The highest bids of every ten seconds.
select b.auction, b.price, b.bidder, b.date_time, b.extra
from bid b
join (
    select max(price) as price, date_bin(interval '10 seconds', date_time) + interval '10 seconds' as window_end
    from bid
    group by date_bin(interval '10 seconds', date_time)
) m on b.price = m.price
where b.date_time between m.window_end - interval '10 seconds' and m.window_end
