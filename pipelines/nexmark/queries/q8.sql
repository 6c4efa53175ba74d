-- People who put something up for sale within the ten seconds in which they registered.
select p.id, p.name, p.window_start
from (
    select id, name, date_bin(interval '10 seconds', date_time) as window_start
    from person
    group by id, name, date_bin(interval '10 seconds', date_time)
) p
join (
    select seller, date_bin(interval '10 seconds', date_time) as window_start
    from auction
    group by seller, date_bin(interval '10 seconds', date_time)
) a on p.id = a.seller and p.window_start = a.window_start
