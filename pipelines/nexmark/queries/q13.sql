-- Bids with a text from a bounded table.
select b.auction, b.bidder, b.price, b.date_time, s.value
from bid b
join side_input s on b.auction % 10000 = s.key
