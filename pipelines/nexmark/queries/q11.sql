-- Bids per session of a bidder: a pause of more than ten seconds begins a new one.
select
    bidder,
    count(*) as bids,
    min(date_time) as session_start,
    max(date_time) + interval '10 seconds' as session_end
from (
    select bidder, date_time, sum(is_first) over (partition by bidder order by date_time) as session
    from (
        select
            bidder,
            date_time,
            case
                when lag(date_time) over (partition by bidder order by date_time) + interval '10 seconds'
                    >= date_time
                then 0
                else 1
            end as is_first
        from bid
    )
)
group by bidder, session
