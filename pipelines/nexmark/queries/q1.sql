-- Prices in another currency.
select auction, bidder, cast(0.908 as double) * price as price, date_time, extra
from bid
