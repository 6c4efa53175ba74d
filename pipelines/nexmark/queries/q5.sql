-- The auctions with most bids in the last ten seconds, every two seconds. Bids are counted once per slice of
-- two seconds; a slice belongs to five windows.
with slices as (
    select auction, date_bin(interval '2 seconds', date_time) as slice, count(*) as bids
    from bid
    group by auction, date_bin(interval '2 seconds', date_time)
),
windows as (
    select auction, window_start, sum(bids) as num
    from (
        select
            auction,
            bids,
            unnest([
                slice,
                slice - interval '2 seconds',
                slice - interval '4 seconds',
                slice - interval '6 seconds',
                slice - interval '8 seconds'
            ]) as window_start
        from slices
    )
    group by auction, window_start
),
most as (
    select window_start, max(num) as num
    from windows
    group by window_start
)
select w.auction, w.num
from windows w
join most m on w.window_start = m.window_start and w.num = m.num
