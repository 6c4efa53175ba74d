-- Passing on: what reading and writing cost.
select auction, bidder, price, date_time, extra
from bid
